"""Passages read ahead: what a plan lists, and that the real llama.cpp does not read them again."""

import pytest

from rag.engine import LlamaEngine
from rag.errors import EngineError
from rag.prompting import fill, render_passages
from rag.protocols import GenerationRequest
from rag.settings import EngineSettings
from rag.types import Chunk, Message, Mode, Passage, Role
from rag.warming import plan, warm


def chunk(number: int, text: str = "") -> Chunk:
    text = text or f"第{number}条：感受野在第{number * 37 % 101}层之后变大。"
    return Chunk(f"c{number}", "f.md", f"条目{number}", (), ("网络",), 0, len(text), 1, 1, text)


class Counting:
    """A Baker of one token a character."""

    def __init__(self, known=()):
        self.known, self.baked = list(known), []

    def count_tokens(self, text):
        return len(text)

    def bake(self, messages, *, is_trial=False):
        if messages in self.known:
            return 0
        if not is_trial:
            self.baked.append(messages)
            self.known.append(messages)
        return len(messages[1].text)


def test_a_plan_lists_what_is_missing_and_stops_at_the_budget():
    chunks = [chunk(number) for number in range(6)]
    baker = Counting()
    whole = plan(chunks, baker, bytes_per_token=10, budget=10**9)
    assert (len(whole.prompts), whole.known, whole.left_out) == (6, 0, 0)
    assert "感受野" in whole.prompts[0][0][1].text
    assert baker.baked == []
    half = plan(chunks, baker, bytes_per_token=10, budget=int(0.6 * whole.size))
    assert (len(half.prompts), half.left_out) == (3, 3)
    assert half.size <= 0.6 * whole.size
    assert plan([], baker, bytes_per_token=10, budget=10).size == 0
    english = plan([chunk(1, "The receptive field grows.")], baker, bytes_per_token=1, budget=10**6)
    assert "<notes>" in english.prompts[0][0][1].text


def test_an_interrupted_warming_goes_on_where_it_was():
    chunks = [chunk(number) for number in range(6)]
    baker = Counting()
    seen = []

    def interrupt(done, left):
        seen.append(left)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warm(plan(chunks, baker, bytes_per_token=1, budget=10**6), baker, interrupt)
    again = plan(chunks, baker, bytes_per_token=1, budget=10**6)
    assert (again.known, len(again.prompts)) == (2, 4)
    warm(again, baker, lambda done, left: seen.append(left))
    assert len(baker.baked) == 6
    assert seen[-1] == 0
    assert plan(chunks, baker, bytes_per_token=1, budget=10**6).known == 6


def test_a_question_over_warmed_passages_reads_only_itself(tiny_model_path, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path))
    settings = EngineSettings(context_size=4096, threads=1, disk_cache_mb=200, passage_reuse="best-first")
    chunks = [chunk(number) for number in range(4)]

    def engine() -> LlamaEngine:
        return LlamaEngine(tiny_model_path, model_id="m", model_hash="h", settings=settings)

    with engine() as first:
        planned = plan(chunks, first, bytes_per_token=512, budget=10**8)
        warm(planned, first, lambda done, left: None)
        with pytest.raises(EngineError, match="no passage"):
            first.bake((Message(Role.USER, "hello"),))
    with engine() as later:
        assert plan(chunks, later, bytes_per_token=512, budget=10**8).known == 4
        passages = [Passage.of(one, rank=rank) for rank, one in enumerate(reversed(chunks), 1)]
        values = {"passages": render_passages(passages), "question": "感受野？"}
        stream = later.generate(GenerationRequest(fill(Mode.RCG, "zh", values), max_tokens=4))
        list(stream)
        result = stream.result
    assert result.prompt_tokens - result.reused_tokens < 100
    assert result.prompt_tokens > 700
