"""States of prompts in the real llama.cpp, on a model of random weights: reuse changes no bit."""

import numpy as np
import pytest

from rag.engine import LlamaEngine
from rag.protocols import GenerationRequest
from rag.settings import EngineSettings
from rag.types import Message, Role

OPTIONS = ["a", "b"]


def open_engine(path, **settings: object) -> LlamaEngine:
    chosen = EngineSettings(**{"context_size": 2048, "threads": 1, **settings})
    return LlamaEngine(path, model_id="m", model_hash="h", settings=chosen)


def question(text: str, topic: str = "alpha", count: int = 8) -> tuple[Message, ...]:
    notes = "".join(f"{i}: {topic} grows behind layer {i * 37 % 101}.\n" for i in range(count))
    return (Message(Role.SYSTEM, "Read the notes."), Message(Role.USER, notes + text))


def say(engine: LlamaEngine, messages, tokens: int = 12) -> tuple[str, int]:
    """What it says, and how many tokens of the prompt were reused."""
    stream = engine.generate(GenerationRequest(messages, max_tokens=tokens))
    return "".join(stream), stream.result.reused_tokens


def test_prompts_in_turn_keep_their_states_and_their_bits(tiny_model_path):
    """Chats and a verdict in turn: the second round comes from stored states and says the same, bit by bit."""
    asked = [question("What grows?"), question("And where is it?", "beta", 20), question("Is it so?", "gamma", 3)]
    with open_engine(tiny_model_path) as engine:
        rounds = [([say(engine, one) for one in asked], engine.choose(asked[2], OPTIONS)) for _ in range(3)]
        assert engine.choose(question("Is it so?", "gamma", 2), OPTIONS) != rounds[0][1]
    (cold, choice), *warm = rounds
    for spoken, chosen in warm:
        assert [text for text, _ in spoken] == [text for text, _ in cold]
        assert chosen == choice
        assert min(reused for _, reused in spoken) >= 80
    for one, (text, _) in zip(asked, cold, strict=True):
        with open_engine(tiny_model_path, cache_mb=0) as engine:
            assert say(engine, one) == (text, 0)


def test_a_small_budget_loses_states_but_no_bits(tiny_model_path):
    asked = [question("What grows?", topic, 30) for topic in ("alpha", "beta", "gamma")]
    with open_engine(tiny_model_path, cache_mb=1) as engine:
        rounds = [[say(engine, one)[0] for one in asked] for _ in range(3)]
    assert rounds[0] == rounds[1] == rounds[2]
    assert len(set(rounds[0])) == 3


def test_states_on_disk_outlive_the_engine(tiny_model_path, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path))
    found = []
    for cache in ({"disk_cache_mb": 50}, {"disk_cache_mb": 50}, {"disk_cache_mb": 50, "cache_mb": 0}):
        with open_engine(tiny_model_path, **cache) as engine:
            found.append((say(engine, question("What grows?")), engine.choose(question("Is it so?", "beta"), OPTIONS)))
    texts, reused = zip(*(said for said, _ in found), strict=True)
    assert len(set(texts)) == 1
    assert [chosen for _, chosen in found] == [found[0][1]] * 3
    assert reused[0] < 100 < reused[1] == reused[2]
    for other in ({"kv_type": "q8_0"}, {"threads": 2}):
        with open_engine(tiny_model_path, disk_cache_mb=50, **other) as engine:
            assert say(engine, question("What grows?"))[1] < 100, "these settings give other bits"


@pytest.mark.parametrize("cache_mb", [0, 256])
def test_choices_side_by_side_equal_single_ones(tiny_model_path, cache_mb):
    topics = ("alpha", "beta", "gamma", "delta", "epsilon")
    prompts = [question(f"Is this about {wanted}?", topic) for topic in topics for wanted in topics[:4]]
    with open_engine(tiny_model_path, cache_mb=cache_mb) as engine:
        single = [engine.choose(prompt, OPTIONS) for prompt in prompts]
        for _ in range(2):
            together = engine.choose_each(prompts, OPTIONS)
            assert np.abs(np.array(together) - np.array(single)).max() < 1e-3
        assert engine.choose(prompts[3], OPTIONS) == single[3], "what follows is not disturbed"
        assert engine.choose_each([], OPTIONS) == []
        assert len({round(p, 3) for p, _ in single}) > 5


def test_a_verdict_over_known_passages_reads_only_their_ends(tiny_model_path):
    topics = ("alpha", "beta", "gamma", "delta")
    with open_engine(tiny_model_path) as engine:
        engine.choose_each([question("Is it?", topic, 20) for topic in topics], OPTIONS)
        rows: list[int] = []
        model = engine._worker.model().model
        evaluate = model.decode_rows

        def counted(tokens, positions, sequences, scored):
            rows.append(len(tokens))
            evaluate(tokens, positions, sequences, scored)

        model.decode_rows = counted
        prompts = [question("Is it now?", topic, 20) for topic in topics]
        engine.choose_each(prompts, OPTIONS)
        whole = sum(len(engine._worker.model().prompt(prompt)) for prompt in prompts)
    assert sum(rows) < whole / 4
