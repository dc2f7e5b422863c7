"""Prompts put together from the states of their passages: on fakes for the logic, on real llama.cpp for the rest."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.engine import LlamaEngine
from rag.kv_store import KVStore
from rag.llama_adapter import LlamaModel
from rag.passage_cache import PassageCache
from rag.passages import Place, PromptTokens
from rag.prompting import fill, render_passages
from rag.protocols import GenerationRequest
from rag.settings import EngineSettings
from rag.types import Mode, Passage

OPTIONS = ["a", "b"]
BEGINNING, OPENING, END = [*range(900, 980)], (1001, 1002), 7
never = bool


class PlacedDecoder:
    """Keeps tokens with their positions, as a KV cache does, and refuses holes."""

    def __init__(self):
        self.cells, self.read = defaultdict(dict), 0

    @property
    def tokens(self):
        held = self.cells[0]
        assert list(held) == list(range(len(held)))
        return list(held.values())

    def decode(self, tokens, position, *, sequence=0):
        assert position == len(self.cells[sequence]), "a hole or an overlap in the cache"
        self.cells[sequence].update(enumerate(tokens, position))
        self.read += len(tokens)

    def forget(self, position, sequence=0):
        self.cells[sequence] = {place: t for place, t in self.cells[sequence].items() if place < position}

    def save_state(self, start, end, sequence=0):
        tokens = list(self.cells[sequence].values())
        return np.asarray([start, *tokens[start:end]], dtype=np.int64).view(np.uint8)

    def load_state(self, state, sequence=0, *, shift=0):
        start, *tokens = state.view(np.int64).tolist()
        assert start + shift == len(self.cells[sequence]), "a hole or an overlap in the cache"
        self.cells[sequence].update(enumerate(tokens, start + shift))
        return True

    def share(self, source, target, end):
        self.cells[target] = {place: t for place, t in self.cells[source].items() if place < end}


def tokens_of(passages, question) -> PromptTokens:
    """A prompt as cut_prompt gives it; passage n has n + 1 tokens, and the last one ends otherwise."""
    tokens, places = PromptTokens(BEGINNING), []
    for rank, number in enumerate(passages, 1):
        label = len(tokens)
        body = (*[number] * (number + 1), END)
        tokens += [1000 + rank, 1002, *body[:-1], END if rank < len(passages) else END + 1]
        places.append(Place(label, label + 2, len(tokens), body))
    tokens += [8, *[2000 + question] * 70]
    tokens.places, tokens.opening = tuple(places), OPENING
    return tokens


@given(
    st.lists(
        st.tuples(st.lists(st.integers(100, 105), max_size=5), st.integers(0, 3), st.integers(0, 9)),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([None, 0, 150, 10_000]),
    st.sampled_from([0, 30_000, 10**9]),
)
def test_the_context_always_holds_the_prompt(asked, recomputed, budget):
    decoder = PlacedDecoder()
    cache = PassageCache(decoder, rows=128, store=KVStore(budget), recomputed=recomputed)
    for passages, question, stop in asked:
        tokens = tokens_of(passages, question) if passages else [*range(200)]
        calls = iter(range(1000))
        reused = cache.prefill(tokens, lambda stop=stop, calls=calls: next(calls) == stop)
        if reused is not None:
            assert decoder.tokens == list(tokens)
            assert reused < len(tokens)
            # Another prompt beside it empties sequence 0; it must not be taken for what it was.
            if question == 3:
                cache.join([*range(150)], 20, [], never)
                assert not decoder.tokens
                decoder.forget(0, 20)


def test_known_passages_at_other_places_are_not_read_again():
    decoder = PlacedDecoder()
    cache = PassageCache(decoder, rows=512, store=KVStore(10**9))
    cache.prefill(tokens_of([100, 101, 102], 1), never)
    cache.prefill([*range(300)], never)
    decoder.read = 0
    tokens = tokens_of([102, 100, 101], 2)
    assert cache.prefill(tokens, never) == len(tokens) - 72
    assert decoder.read == 72, "the end of the last passage and the question"
    decoder.read = 0
    assert cache.prefill(tokens_of([102, 100, 101], 3), never) == len(tokens) - 70
    assert decoder.read == 70, "another question over the same passages"


def test_nothing_approximate_is_stored_as_a_prompts_state():
    store = KVStore(10**9)
    cache = PassageCache(PlacedDecoder(), rows=512, store=store, recomputed=0)
    tokens = tokens_of([100, 101, 102], 1)
    cache.prefill(tokens, never)
    cache.prefill([*range(300)], never)
    assert store.held(store.keys(tokens)) == 0


def test_baking_stores_what_a_prompt_needs_once():
    decoder = PlacedDecoder()
    cache = PassageCache(decoder, rows=512, store=KVStore(10**9))
    tokens = tokens_of([100, 101], 1)
    assert cache.bake(tokens, lambda: True) is None
    assert cache.bake(tokens, never) == len(BEGINNING) + 2 * 2 + 102 + 103
    assert cache.bake(tokens, never) == 0
    decoder.read = 0
    cache.prefill(tokens, never)
    assert decoder.read == 72


def open_engine(path, **settings: object) -> LlamaEngine:
    chosen = EngineSettings(**{"context_size": 2048, "threads": 1, **settings})
    return LlamaEngine(path, model_id="m", model_hash="h", settings=chosen)


def prompt(topics, question="What grows?") -> tuple:
    def passage(rank: int, topic: str) -> Passage:
        text = "".join(f"{topic} grows behind layer {i * 37 % 101}.\n" for i in range(5))
        place = {"file": "f", "entry": topic, "start": 0, "end": len(text), "line_start": 1, "line_end": 1}
        return Passage(rank=rank, chunk_id=topic, score=1.0, found_by={}, text=text, **place)

    passages = render_passages([passage(rank, topic) for rank, topic in enumerate(topics, 1)])
    return fill(Mode.RCG, "en", {"passages": passages, "question": question})


def ask(engine: LlamaEngine, messages) -> tuple[str, int]:
    stream = engine.generate(GenerationRequest(messages, max_tokens=12))
    return "".join(stream), stream.result.prompt_tokens - stream.result.reused_tokens


def differences(engine: LlamaEngine, other: LlamaEngine, messages, options=OPTIONS) -> float:
    ours, theirs = (np.array(one.choose(messages, options)) for one in (engine, other))
    return float(np.abs(ours - theirs).max())


@pytest.mark.model
def test_the_best_passage_behind_the_beginning_is_nearly_exact(small_engine, small_model_path):
    """The 0.5B model: equal up to the rounding of other batches (0.002 to 0.04 of a probability, where inexact reuse of
    a whole prompt gives 0.003 to 0.009)."""
    with open_engine(small_model_path, passage_reuse="best-first", threads=2) as engine:
        engine.choose(prompt(["alpha", "beta"]), ["Yes", "No"])
        engine.choose(prompt(["gamma"]), ["Yes", "No"])
        for question in ("Is it so?", "Where does alpha grow?"):
            asked = prompt(["alpha"], question)
            assert differences(engine, small_engine, asked, ["The", "Alpha"]) < 0.1
        both = prompt(["beta", "alpha"], "Is it so?")
        assert 0 < differences(engine, small_engine, both, ["The", "Alpha"]) < 0.5


def test_moved_keys_are_those_of_their_new_places(tiny_model_path):
    """Attention sees distances only: a text moved as a whole, asked behind its new end, says the same."""
    model = LlamaModel(tiny_model_path, EngineSettings(context_size=1024, threads=1))
    try:
        text, more = [*b"alpha grows behind layer seven"], [*b"and beta?"]
        model.decode(text, 0)
        state = model.save_state(0, len(text))
        model.decode(more, len(text))
        expected = model.logits().copy()

        def asked_at(place: int, state) -> float:
            model.forget(0)
            assert model.load_state(state, shift=place)
            model.decode(more, len(text) + place)
            return float(np.abs(model.logits() - expected).max())

        model.forget(0)
        model.decode([*b"omega grows behind layer seven"], 0)
        other = model.save_state(0, len(text))
        assert asked_at(0, state) < 1e-3
        for place in (1, 200, 700):
            assert asked_at(place, state) < 0.02 < asked_at(place, other) / 2
    finally:
        model.close()


@pytest.mark.parametrize("reuse", [{"passage_reuse": "best-first"}, {"passage_reuse": "mixed"}])
def test_known_passages_cost_little_and_other_prompts_keep_their_bits(tiny_model_path, reuse):
    with open_engine(tiny_model_path) as plain, open_engine(tiny_model_path, **reuse) as engine:
        alone = prompt([])
        expected = ask(plain, alone)[0]
        ask(engine, prompt(["alpha", "beta", "gamma"]))
        ask(engine, prompt(["gamma", "alpha", "beta"]))
        assert ask(engine, alone)[0] == expected
        _, whole = ask(plain, prompt(["beta", "gamma", "alpha"]))
        first, read = ask(engine, prompt(["beta", "gamma", "alpha"]))
        assert read < whole * (0.65 if reuse["passage_reuse"] == "mixed" else 0.4)
        assert ask(engine, prompt(["beta", "gamma", "alpha"]))[0] == first
        assert ask(engine, alone)[0] == expected


def test_a_damaged_state_of_a_passage_is_computed_anew(tiny_model_path, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path))
    chosen = {"passage_reuse": "best-first", "disk_cache_mb": 50}
    asked = prompt(["alpha", "beta", "gamma"])
    with open_engine(tiny_model_path, **chosen) as engine:
        expected = ask(engine, asked)
    files = list((tmp_path / "kv").glob("*.kv"))
    with open_engine(tiny_model_path, **chosen) as engine:
        assert ask(engine, asked)[0] == expected[0]
    for file in files:
        content = bytearray(file.read_bytes())
        content[-9] ^= 1
        file.write_bytes(content)
    with open_engine(tiny_model_path, **chosen) as engine:
        said = ask(engine, asked)
    assert said[0] == expected[0]
    assert all(file.exists() for file in files), "made anew"


def test_graded_passages_stand_side_by_side_from_their_states():
    decoder = PlacedDecoder()
    cache = PassageCache(decoder, rows=512, store=KVStore(10**9), sequences=4, is_approximate=False)
    begun = cache.spread([tokens_of([number], 1) for number in (100, 101, 102)], never)
    prompts = [tokens_of([number], 2) for number in (102, 100, 101, 100)]
    assert begun == [len(tokens_of([number], 1)) - 72 for number in (100, 101, 102)]
    cache.clear()
    decoder.read = 0
    begun = cache.spread(prompts, never)
    assert decoder.read == 0
    for number, tokens in enumerate(prompts):
        assert begun[number] == len(tokens) - 72
        assert [*decoder.cells[number].values()] == tokens[: begun[number]]
    cache.clear()
    assert cache.spread([tokens_of([103], 1)], lambda: True) is None


def test_verdicts_from_states_of_passages_are_those_of_single_readings(tiny_model_path):
    topics = ("alpha", "beta", "gamma", "delta", "epsilon")
    prompts = [prompt([topic], f"Is this about {wanted}?") for topic in topics for wanted in topics[:4]]
    with open_engine(tiny_model_path) as engine:
        single = np.array([engine.choose(one, OPTIONS) for one in prompts])
        for _ in range(2):
            assert np.abs(np.array(engine.choose_each(prompts, OPTIONS)) - single).max() < 1e-3
        mixed = [*prompts[:2], prompt(["alpha", "beta"]), prompt([])]
        assert np.abs(np.array(engine.choose_each(mixed[:2], OPTIONS)) - single[:2]).max() < 1e-3
        other = np.array([engine.choose(one, OPTIONS) for one in mixed])
        assert np.abs(np.array(engine.choose_each(mixed, OPTIONS)) - other).max() < 1e-3
    assert len({round(p, 3) for p, _ in single.tolist()}) > 5
