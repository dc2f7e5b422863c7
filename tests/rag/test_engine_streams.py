"""Answers that are decoded together: the real llama.cpp on a model of random weights, and the rules with a fake one."""

import os
import signal
import threading
import time
from collections import defaultdict

import numpy as np
import pytest

from rag.engine import LlamaEngine
from rag.engine_streams import Streams
from rag.errors import EngineError, PromptTooLongError
from rag.fair_queue import calling
from rag.isolated_engine import IsolatedEngine
from rag.kv_store import KVStore
from rag.prompt_cache import PromptCache
from rag.protocols import GenerationRequest
from rag.settings import PROFILES, EngineSettings
from rag.types import Message, Role

OPTIONS = ["a", "b"]
LONG = 500
# An answer that cannot end before its limit.
NUMBERS = '{"type": "array", "items": {"type": "integer"}, "minItems": 256}'


def settings(**chosen: object) -> EngineSettings:
    return EngineSettings(**{"context_size": 4096, "threads": 1, "parallel": 4, **chosen})


def open_engine(path, **chosen: object) -> LlamaEngine:
    return LlamaEngine(path, model_id="m", model_hash="h", settings=settings(**chosen))


def ask(text: str, tokens: int = 24, **options: object) -> GenerationRequest:
    notes = "".join(f"{i}: it grows behind layer {i * 37 % 101}.\n" for i in range(8))
    return GenerationRequest((Message(Role.USER, notes + text),), max_tokens=tokens, **options)


def running(engine, text: str = "Tell all."):
    """A long answer that has begun; sampled, so that it does not end as a loop."""
    stream = engine.generate(ask(text, LONG, temperature=3.0, seed=1, json_schema=NUMBERS))
    while not stream._channel.text:
        time.sleep(0.001)
    return stream


def is_running(stream) -> bool:
    return not stream._channel.is_finished


def everything(engine) -> list[object]:
    """Answers and probabilities, cold and warm, one after the other."""
    seen: list[object] = []
    for _ in range(2):
        for text in ("What grows?", "Where?" * 30, "Is it so?"):
            stream = engine.generate(ask(text))
            seen.append("".join(stream))
            seen.append("".join(engine.generate(ask(text, temperature=1.0, seed=5))))
            seen.append(engine.choose(ask(text + "!").messages, OPTIONS))
            seen.append([score.log_probability for score in engine.score(ask(text).messages, "it is so")])
    return seen


def test_alone_it_says_the_same_as_with_one_place_also_after_common_use(tiny_model_path):
    with open_engine(tiny_model_path, parallel=1) as engine:
        expected = everything(engine)
    with open_engine(tiny_model_path) as engine:
        assert everything(engine) == expected
        for stream in [running(engine, text) for text in ("One.", "Two.", "Three.")]:
            assert is_running(stream)
            engine.choose(ask("between").messages, OPTIONS)
            stream.cancel()
        assert everything(engine) == expected


def test_answers_run_side_by_side_and_readings_do_not_wait_for_them(tiny_model_path):
    with open_engine(tiny_model_path) as engine:
        first = running(engine)
        second = engine.generate(ask("And you?"))
        said = "".join(second)
        chosen = engine.choose(ask("Is it?").messages, OPTIONS)
        each = engine.choose_each([ask("Is it?").messages, ask("Is it not?").messages], OPTIONS)
        scores = engine.score(ask("Say.").messages, "it is so " * 20)
        assert is_running(first)
        assert said
        assert first._channel.text
        assert np.abs(np.array(each[0]) - chosen).max() < 1e-3
        assert len(scores) > 32
        whole = "".join(first)
        assert first.result.finish == "length"
        assert whole.startswith(first._channel.text[:10])
    assert second.result.reused_tokens > 50, "the common beginning was shared"


def test_with_one_place_they_wait(tiny_model_path):
    with open_engine(tiny_model_path, parallel=1) as engine:
        first = running(engine)
        second = engine.generate(ask("And you?"))
        assert "".join(second)
        assert not is_running(first)


def test_one_is_cancelled_and_the_others_go_on(tiny_model_path):
    with open_engine(tiny_model_path) as engine:
        alone = "".join(engine.generate(ask("Who?", 60)))
        kept, dropped = running(engine), running(engine, "Tell more.")
        third = engine.generate(ask("Who?", 60))
        dropped.cancel()
        said = "".join(third)
        assert is_running(kept)
        assert dropped.result.finish == "cancelled"
        assert said[:4] == alone[:4]
        kept.cancel()


def test_who_does_not_fit_waits_and_whoever_fits_comes_in(tiny_model_path):
    with open_engine(tiny_model_path, context_size=1024) as engine:
        first = running(engine)
        second = engine.generate(ask("And you?", LONG))
        time.sleep(0.05)
        assert is_running(first)
        assert second._channel.text == ""
        first.cancel()
        assert "".join(second)
        assert second.result.queued > 0.04
        assert not is_running(first)
        with pytest.raises(PromptTooLongError):
            engine.generate(ask("Too long?", 2000))


def test_more_than_there_are_places_for(tiny_model_path):
    with open_engine(tiny_model_path, parallel=2) as engine:
        streams = [engine.generate(ask(f"Question {number}?", 20)) for number in range(9)]
        said = ["".join(stream) for stream in streams]
    with open_engine(tiny_model_path, parallel=1) as engine:
        assert [text[:4] for text in said] == [
            "".join(engine.generate(ask(f"Question {n}?", 20)))[:4] for n in range(9)
        ]


def test_background_work_comes_in_last(tiny_model_path):
    with open_engine(tiny_model_path, parallel=2) as engine:
        first, second = running(engine), running(engine, "Tell more.")
        with calling("evals", is_background=True):
            late = engine.generate(ask("Evaluate."))
        asked = engine.generate(ask("A person asks."))
        first.cancel()
        "".join(asked)
        assert is_running(second)
        second.cancel()
        "".join(late)
        assert late.result.queued > asked.result.queued


def test_grammar_seed_and_contrast_beside_others(tiny_model_path):
    schema = '{"enum": ["yes", "no"]}'
    requests = [
        ask("Which?", json_schema=schema),
        ask("Draw.", temperature=1.0, top_p=0.9, seed=3),
        ask("Draw.", temperature=1.0, top_p=0.9, seed=3),
        ask("Contrast.", contrast=(Message(Role.USER, "Contrast."),), contrast_weight=0.5),
    ]
    with open_engine(tiny_model_path) as engine:
        alone = ["".join(engine.generate(request)) for request in requests]
        streams = [engine.generate(request) for request in requests]
        together = ["".join(stream) for stream in streams]
    assert together[0] in ('"yes"', '"no"')
    assert alone[1] == alone[2]
    assert [text[:4] for text in together] == [text[:4] for text in alone]


@pytest.mark.parametrize("parallel", [PROFILES["gpu"]["engine.parallel"], 16])
def test_as_many_answers_as_settings_allow_run_together(tiny_model_path, parallel):
    chosen = settings(parallel=parallel)
    # In a process of its own, because llama.cpp aborts when a context has too little room for sequences.
    with IsolatedEngine(tiny_model_path, model_id="m", model_hash="h", settings=chosen) as engine:
        streams = [engine.generate(ask(f"What is {number}?", 4)) for number in range(parallel)]
        for stream in streams:
            for _ in stream:
                pass
        assert all(stream.result.finish in ("stop", "length") for stream in streams)


def test_a_refused_grammar_leaves_its_place_to_others(tiny_model_path):
    endless = '{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}'
    with open_engine(tiny_model_path, parallel=2) as engine:
        first = running(engine)
        for _ in range(3):
            with pytest.raises(EngineError, match="refuses the grammar"):
                list(engine.generate(ask("Which?", json_schema=endless)))
        assert "".join(engine.generate(ask("Still there?")))
        assert is_running(first)
        first.cancel()


def test_closing_ends_all_of_them(tiny_model_path):
    engine = open_engine(tiny_model_path)
    streams = [running(engine, text) for text in ("One.", "Two.", "Three.")]
    engine.close()
    assert [stream.result.finish for stream in streams] == ["cancelled"] * 3


@pytest.mark.parametrize("is_exact", [True, False])
def test_what_was_read_beside_others_is_known_again_only_where_bits_need_not_be_equal(tiny_model_path, is_exact):
    other = GenerationRequest((Message(Role.USER, "Something else altogether. " * 9),), max_tokens=4)
    with open_engine(tiny_model_path, exact_reuse=is_exact) as engine:
        first = running(engine)
        reused = []
        for _ in range(2):
            list(stream := engine.generate(other))
            reused.append(stream.result.reused_tokens)
        assert is_running(first)
        first.cancel()
    assert reused[0] < 20
    assert (reused[1] > 100) is not is_exact


def test_a_kill_tells_everybody_and_the_next_one_is_answered(tiny_model_path):
    with IsolatedEngine(tiny_model_path, model_id="m", model_hash="h", settings=settings()) as engine:
        streams = [running(engine, text) for text in ("One.", "Two.")]
        os.kill(engine.pid, signal.SIGKILL)
        for stream in streams:
            with pytest.raises(EngineError, match="ended unexpectedly"):
                "".join(stream)
        assert "".join(engine.generate(ask("Again?")))


def test_many_users_at_once_each_get_their_own_answer(tiny_model_path):
    with open_engine(tiny_model_path) as engine:
        expected = ["".join(engine.generate(ask(f"User {n}?", 6))) for n in range(8)]
        said: dict[int, set[str]] = defaultdict(set)

        def user(number: int) -> None:
            for _ in range(5):
                said[number].add("".join(engine.generate(ask(f"User {number}?", 6)))[:2])

        threads = [threading.Thread(target=user, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [said[n] for n in range(8)] == [{text[:2]} for text in expected]


QUESTIONS = ("用三句话解释卷积神经网络。", "什么是过拟合？", "What is a list in Python?")


def chat(text: str, tokens: int = 16, **options: object) -> GenerationRequest:
    return GenerationRequest(
        (Message(Role.SYSTEM, "你是助手。"), Message(Role.USER, text)), max_tokens=tokens, **options
    )


@pytest.fixture(scope="module")
def places(small_model_path):
    with open_engine(small_model_path, context_size=2048, threads=0) as engine:
        yield engine


@pytest.mark.model
def test_a_real_model_alone_says_the_same_with_four_places(places, small_engine):
    for _ in range(2):
        for text in QUESTIONS[1:]:
            for options in ({}, {"temperature": 1.0, "top_p": 0.95, "seed": 4}):
                request = chat(text, **options)
                assert "".join(places.generate(request)) == "".join(small_engine.generate(request))
            assert places.choose(chat(text).messages, ["是", "否"]) == small_engine.choose(
                chat(text).messages, ["是", "否"]
            )


@pytest.mark.model
def test_a_real_model_answers_several_at_once_and_one_of_them_leaves(places):
    alone = ["".join(places.generate(chat(text))) for text in QUESTIONS]
    story = places.generate(chat("从一数到一千，每行一个数，不要省略。", 900))
    while len(story._channel.text) < 4:
        time.sleep(0.001)
    streams = [places.generate(chat(text)) for text in QUESTIONS]
    streams[1].cancel()
    together = ["".join(streams[number]) for number in (0, 2)]
    assert is_running(story), "short questions do not wait for a long answer"
    assert streams[1].result.finish == "cancelled"
    assert [text[:6] for text in together] == [alone[number][:6] for number in (0, 2)]
    before = len(story._channel.text)
    ends = time.monotonic() + 30
    while len(story._channel.text) == before and time.monotonic() < ends:
        time.sleep(0.01)
    assert len(story._channel.text) > before
    story.cancel()
    assert story._channel.text.startswith("1")
    assert "".join(places.generate(chat(QUESTIONS[1]))) == alone[1]


@pytest.mark.model
def test_nobody_freezes_while_a_long_prompt_is_read(places):
    story = places.generate(chat("从一数到一千，每行一个数，不要省略。", 300))
    while len(story._channel.text) < 4:
        time.sleep(0.001)
    long = "".join(f"第{n}条：感受野在第{n * 37 % 101}层之后变大，注意力看到全部位置。\n" for n in range(30))
    asked = places.generate(chat(long + "概括。", 2))
    seen = []
    while is_running(asked) and is_running(story):
        seen.append(len(story._channel._pieces))
        time.sleep(0.02)
    assert asked.result.prompt_tokens > 600
    assert len(set(seen)) > 3, "the running answer went on between the batches of the prompt"
    story.cancel()


class FakeModel:
    """Counts what its sequences hold; the scores of a row name the token after it."""

    def __init__(self):
        self.failing, self.calls, self.sequences = False, [], defaultdict(int)

    def decode(self, tokens, position, *, sequence=0):
        self.calls.append(len(tokens))
        self.sequences[sequence] = position + len(tokens)

    def decode_rows(self, tokens, positions, sequences, scored):
        if self.failing:
            raise EngineError("no slot")
        self.calls.append(list(sequences))
        self.tokens = tokens
        for place, sequence in zip(positions, sequences, strict=True):
            assert place == self.sequences[sequence]
            self.sequences[sequence] += 1

    def logits(self, row=-1):
        return np.array([self.tokens[row]])

    def forget(self, position, sequence=0):
        self.sequences[sequence] = min(position, self.sequences[sequence])

    def share(self, source, target, end=-1):
        self.sequences[target] = self.sequences[source] if end < 0 else end


class FakeStream:
    def __init__(self, name, size, steps):
        self.prompt, self.left, self.cells = [name] * size, steps, size + steps
        self.evaluated, self.is_running, self.is_cancelled = (), False, False
        self.drawn, self.errors, self.closed = [], [], 0

    def begin(self, streams, sequence):
        self.sequence, self.position = sequence, len(self.prompt)
        self.is_running = streams.read(self, lambda: self.is_cancelled) is not None

    def rows(self):
        return [(self.prompt[0], self.position, self.sequence)]

    def advance(self, model, scores):
        self.drawn.append(int(scores[0][0]))
        if self.left == 13:
            raise EngineError("no usable scores")
        self.position += 1
        self.left -= 1
        self.is_running = self.left > 0

    def stop(self):
        self.is_running = False

    def fail(self, error):
        self.is_running = False
        self.errors.append(str(error))

    def close(self):
        self.closed += 1


@pytest.fixture
def model():
    return FakeModel()


@pytest.fixture
def streams(model):
    return Streams(model, PromptCache(model, rows=128, store=KVStore(0)), limit=3, cells=1000, first=17)


def test_every_running_answer_gets_a_row_of_each_step_and_its_own_scores(streams, model):
    one, two = FakeStream(1, 100, 5), FakeStream(2, 300, 2)
    streams.start(one)
    streams.start(two)
    assert one.drawn == [1, 1, 1], "a step before each of the three batches of the other prompt"
    while streams.is_busy:
        streams.step()
    assert (one.drawn, two.drawn) == ([1] * 5, [2] * 2)
    assert (one.closed, two.closed) == (1, 1)
    assert model.calls == [100, [17], 100, [17], 100, [17], 100, [17, 19], [17, 19]]
    assert not any(model.sequences[number] for number in range(17, 23))


def test_admission_counts_cells_and_places(streams):
    assert streams.admits(5000, is_stream=True), "alone, everything that passed the limit of one request"
    for name in (1, 2):
        streams.start(FakeStream(name, 300, 100))
    assert streams.free_cells == 200
    assert streams.admits(200, is_stream=True)
    assert not streams.admits(201, is_stream=True)
    assert not streams.admits(201, is_stream=False)
    streams.start(FakeStream(3, 10, 10))
    assert not streams.admits(20, is_stream=True)
    assert streams.admits(20, is_stream=False)


def test_a_failed_step_ends_who_was_in_it_and_frees_their_places(streams, model):
    for name in (1, 2, 3):
        streams.start(FakeStream(name, 10, 10))
    model.failing = True
    streams.step()
    assert not streams.is_busy
    assert streams.free_cells == 1000
    model.failing = False
    streams.start(last := FakeStream(4, 10, 2))
    streams.step()
    assert last.drawn == [4]


def test_unusable_scores_end_only_their_own_answer(streams):
    streams.start(bad := FakeStream(1, 10, 13))
    streams.start(good := FakeStream(2, 10, 5))
    streams.step()
    assert bad.errors == ["no usable scores"]
    streams.step()
    assert good.is_running
    assert len(good.drawn) == 2


def test_a_cancelled_answer_is_in_no_further_step(streams, model):
    streams.start(one := FakeStream(1, 10, 10))
    streams.start(two := FakeStream(2, 10, 10))
    one.is_cancelled = True
    streams.step()
    assert model.calls[-1] == [two.sequence]
    assert one.closed == 1
    assert not one.errors
