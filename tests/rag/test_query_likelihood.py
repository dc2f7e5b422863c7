"""The generator as a reranker: what it is asked, and what the likelihood of the question does to the order."""

from dataclasses import replace

import pytest
from fakes import FakeEmbedder, FakeGenerator

from ingest import ingest
from rag.errors import EngineError
from rag.notebook import Notebook
from rag.prompting import passage_spans, sections
from rag.protocols import TokenScore
from rag.query_likelihood import KEPT, QueryLikelihoodReranker, prompt
from rag.reranker import DEPTH
from rag.settings import BY_GENERATOR, Settings
from rag.types import Focus, Leg, Passage


class Likely(FakeGenerator):
    """Finds the question likelier the more often its passage holds a word; a passage of other words counts 0."""

    def __init__(self, word="乙"):
        super().__init__()
        self.word = word
        self.read = []

    def score(self, messages, continuation):
        self.read.append((messages, continuation))
        found = messages[-1].text.split("</")[0].count(self.word)
        return [TokenScore(character.encode(), found - 9.0) for character in continuation]


def passages(*texts):
    return [
        Passage(rank, f"c{rank}", "a.md", f"名{rank}", 0, len(text), 1 / rank, {Leg.DENSE: rank}, text, 1, 1)
        for rank, text in enumerate(texts, 1)
    ]


def ids(found):
    return [int(passage.chunk_id[1:]) for passage in found]


def test_only_the_part_that_met_the_question_best_is_read():
    (passage,) = passages("一二三四五六")
    focus = (Focus(101, 103, 0.4), Focus(103, 105, 0.7))
    met = replace(passage, start=100, end=106, focus=focus)
    assert "名1\n四五\n" in prompt("问？", met)[-1].text
    assert "名1\n一二三四五六\n" in prompt("问？", passage)[-1].text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_prompt_begins_as_an_answer_does_so_that_states_are_shared(language):
    system, user, _ = sections("query", language)
    assert sections("rcg", language)[0] == system
    assert sections("rcg", language)[1].startswith(f"{user}\n")
    assert user.endswith(("</笔记>", "</notes>"))


def test_a_passage_is_read_alone_and_the_question_is_the_reply():
    generator = Likely()
    QueryLikelihoodReranker(lambda: generator).rerank("问<|im_end|>？", passages(*"一二三四五六"))
    texts = [messages[-1].text for messages, _ in generator.read]
    assert [text[slice(*passage_spans(text)[0][::2])].strip() for text in texts] == ["[1] 名5\n五", "[1] 名6\n六"]
    assert {reply for _, reply in generator.read} == {"问‹|im_end|>？"}
    assert not any("问" in text.split("</")[0] for text in texts)


def test_the_first_stay_and_the_likeliest_of_the_others_come_next():
    generator = Likely()
    found = QueryLikelihoodReranker(lambda: generator).rerank("问？", passages(*"甲甲甲甲甲甲", "乙乙", "乙", "甲"))
    assert ids(found) == [1, 2, 3, 4, 7, 8, 5, 6, 9]
    assert [p.rank for p in found] == list(range(1, 10))
    assert found[4].found_by == {Leg.DENSE: 7, Leg.RERANK: 5}
    scores = [p.score for p in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[:KEPT] == [1 / rank for rank in range(1, KEPT + 1)]


def test_passages_that_are_all_as_likely_keep_their_order():
    found = QueryLikelihoodReranker(Likely).rerank("问？", passages(*"甲丁戊己庚辛"))
    assert ids(found) == [1, 2, 3, 4, 5, 6]


def test_no_more_than_depth_are_read_and_the_rest_stays_last():
    generator = Likely()
    many = passages(*["甲"] * DEPTH, "乙乙乙", "乙")
    found = QueryLikelihoodReranker(lambda: generator).rerank("问？", many)
    assert len(generator.read) == DEPTH - KEPT
    assert ids(found)[DEPTH:] == [DEPTH + 1, DEPTH + 2]


@pytest.mark.parametrize("count", [0, 1, KEPT, KEPT + 1])
def test_where_nothing_can_move_no_model_is_loaded(count):
    found = QueryLikelihoodReranker(lambda: pytest.fail("a model was loaded")).rerank("问？", passages(*["甲"] * count))
    assert ids(found) == list(range(1, count + 1))


def test_an_english_question_is_asked_for_in_english():
    generator = Likely()
    QueryLikelihoodReranker(lambda: generator).rerank("What is it?", passages(*"一二三四五六"))
    assert generator.read[0][0] == prompt("What is it?", passages(*"一二三四五")[4])
    assert "Write one question" in generator.read[0][0][-1].text


def test_a_generator_that_knows_no_likelihood_says_what_to_do():
    with pytest.raises(EngineError, match=r"models\.reranker"):
        QueryLikelihoodReranker(FakeGenerator).rerank("问？", passages(*"一二三四五六"))


def test_the_setting_turns_it_on(tmp_path):
    (tmp_path / "notes").mkdir()
    text = "".join(f"# 树{n}\n树{n}有 {n} 层，长在山上。\n\n" for n in range(12))
    (tmp_path / "notes" / "a.md").write_text(text, encoding="utf-8")
    ingest([tmp_path / "notes"], tmp_path / "index", settings=Settings(), embedder=FakeEmbedder())
    settings = Settings.model_validate({"models": {"reranker": BY_GENERATOR}})
    generator = Likely("树8")
    with Notebook(tmp_path / "index", settings, generator=generator, embedder=FakeEmbedder()) as notebook:
        found = notebook.search("树3有几层？", 5)
        assert all(Leg.RERANK in passage.found_by for passage in found)
        assert found[KEPT].entry == "树8"
        assert Leg.RERANK not in notebook.search("树3有几层？", 2, leg="dense")[0].found_by
    assert generator.read


def test_the_generator_is_no_model_to_be_pulled_a_second_time():
    chosen = Settings.model_validate({"models": {"reranker": BY_GENERATOR}}).models
    assert chosen.cross_encoder == ""
    assert Settings.model_validate({"models": {"reranker": "bge-reranker-v2-m3"}}).models.cross_encoder
