"""The generator as a reranker: what it is asked, and what its verdicts do to the order."""

import pytest
from fakes import FakeEmbedder, FakeGenerator

from ingest import ingest
from rag import graded
from rag.graded import GradedReranker, prompt
from rag.notebook import Notebook
from rag.prompting import passage_spans, sections
from rag.settings import BY_GENERATOR, Settings
from rag.types import Leg, Passage


class Grading(FakeGenerator):
    """Says yes to what holds a given word; ``choose_each`` is recorded as one call."""

    def __init__(self, word):
        super().__init__()
        self.word = word
        self.calls = []

    def choose_each(self, prompts, options):
        self.calls.append((prompts, options))
        return [[0.9, 0.1] if self.word in messages[-1].text.split("</")[0] else [0.2, 0.8] for messages in prompts]


class OneByOne(FakeGenerator):
    """A generator without ``choose_each``, as a remote endpoint is."""

    def choose(self, messages, options):
        super().choose(messages, options)
        return [0.9, 0.1] if "乙" in messages[-1].text.split("</")[0] else [0.2, 0.8]


def passages(*texts):
    return [
        Passage(rank, f"c{rank}", "a.md", f"名{rank}", 0, len(text), 1 / rank, {Leg.DENSE: rank}, text, 1, 1)
        for rank, text in enumerate(texts, 1)
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_prompt_begins_as_an_answer_does_so_that_states_are_shared(language):
    assert sections("grading", language)[:2] == sections("rcg", language)[:2]


def test_a_passage_is_read_alone_and_before_the_question():
    messages = prompt("问什么？", passages("一", "二")[1], "zh")
    text = messages[-1].text
    (span,) = passage_spans(text)
    assert text[slice(*span[::2])].startswith("[1] 名2\n二")
    assert text.index("二") < text.index("问什么？")


def test_a_yes_moves_a_passage_up_and_the_legs_tell():
    generator = Grading("乙")
    found = GradedReranker(lambda: generator).rerank("问？", passages("甲", "甲甲", "乙", "丁"))
    assert [p.chunk_id for p in found] == ["c3", "c1", "c2", "c4"]
    assert found[0].found_by == {Leg.DENSE: 3, Leg.RERANK: 1}
    assert [len(prompts) for prompts, _ in generator.calls] == [4]
    assert generator.calls[0][1] == ("是", "否")


def test_verdicts_all_alike_leave_the_order():
    found = GradedReranker(lambda: Grading("丙")).rerank("问？", passages("甲", "乙", "丁"))
    assert [p.chunk_id for p in found] == ["c1", "c2", "c3"]


def test_only_the_first_are_read(monkeypatch):
    monkeypatch.setattr(graded, "DEPTH", 2)
    generator = Grading("乙")
    found = GradedReranker(lambda: generator).rerank("问？", passages("甲", "甲甲", "乙", "乙乙"))
    assert [len(prompts) for prompts, _ in generator.calls] == [2]
    assert {p.chunk_id for p in found[:2]} == {"c1", "c2"}


def test_an_english_question_is_put_in_english():
    generator = Grading("x")
    GradedReranker(lambda: generator).rerank("What is it?", passages("甲"))
    assert generator.calls[0][1] == ("Yes", "No")
    assert "Question: What is it?" in generator.calls[0][0][0][-1].text


def test_a_generator_that_reads_one_prompt_at_a_time_grades_too():
    generator = OneByOne()
    found = GradedReranker(lambda: generator).rerank("问？", passages("甲", "甲甲", "乙", "丁"))
    assert found[0].chunk_id == "c3"
    assert len(generator.prompts) == 4


def test_nothing_to_rank_asks_nothing():
    assert GradedReranker(lambda: pytest.fail("a model was loaded")).rerank("问？", []) == []


def test_the_setting_turns_it_on(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("# 云杉\n云杉有 48 层。\n\n# 雪松\n雪松的温度是 0.5。\n", encoding="utf-8")
    ingest([tmp_path / "notes"], tmp_path / "index", settings=Settings(), embedder=FakeEmbedder())
    settings = Settings.model_validate({"models": {"reranker": BY_GENERATOR}})
    generator = Grading("雪松")
    with Notebook(tmp_path / "index", settings, generator=generator, embedder=FakeEmbedder()) as notebook:
        assert Leg.RERANK in notebook.search("云杉有几层？", 2)[0].found_by
        assert not notebook.search("云杉有几层？", 2, leg="dense")[0].found_by.get(Leg.RERANK)
    assert len(generator.calls) == 1


def test_the_generator_is_no_model_to_be_pulled_a_second_time():
    chosen = Settings.model_validate({"models": {"reranker": BY_GENERATOR}}).models
    assert chosen.cross_encoder == ""
    assert Settings.model_validate({"models": {"reranker": "bge-reranker-v2-m3"}}).models.cross_encoder
