from dataclasses import replace

import pytest
from fakes import FakeEmbedder, FakeGenerator

import rag
from ingest import ingest
from rag import build
from rag.errors import EngineError, QuestionError
from rag.followup import standalone
from rag.notebook import MAX_QUESTION_CHARS, TOLD_TOKENS, Notebook
from rag.prompting import sent
from rag.protocols import TokenScore
from rag.settings import Settings, load
from rag.types import Leg, Passage, Sentence, Support

NOTES = {
    "glossary.txt": "### 云杉网络(SpruceNet, SN)\n    云杉网络共有 48 层，由林望提出。\n\n"
    "### 雪松损失(CedarLoss)\n    雪松损失的温度是 0.5。\n",
    "more.md": "# 水杉池化\n水杉池化把 4 个像素合成 1 个。它常与云杉网络一起用。\n",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "notes").mkdir()
    for name, text in NOTES.items():
        (folder / "notes" / name).write_text(text, encoding="utf-8")
    ingest([folder / "notes"], folder / "index", settings=Settings(), embedder=FakeEmbedder())
    return folder / "index"


@pytest.fixture
def notebook(index):
    generator = FakeGenerator("云杉网络共有 48 层。", yes=0.99)
    with Notebook(index, Settings(), generator=generator, embedder=FakeEmbedder()) as opened:
        yield opened


@pytest.mark.parametrize("question", ["", "   ", "？！…", "😀😀", "\n\t", "。"])
@pytest.mark.parametrize("call", ["search", "ask"])
def test_what_holds_no_word_is_no_question(notebook, question, call):
    with pytest.raises(QuestionError, match="question"):
        getattr(notebook, call)(question)


def test_an_endless_question_is_refused_with_the_limit(notebook):
    with pytest.raises(QuestionError, match=str(MAX_QUESTION_CHARS)):
        notebook.ask("云" * 100_000)
    assert notebook.search("云" * MAX_QUESTION_CHARS)


@pytest.mark.parametrize("leg", ["hybrid", "dense", "lexical", "term"])
@pytest.mark.parametrize(("k", "most"), [(0, 0), (1, 1), (100, 3)])
def test_k_is_the_most_that_is_found(notebook, leg, k, most):
    found = notebook.search("云杉网络有几层？", k, leg=leg)
    assert len(found) <= most
    assert [p.rank for p in found] == list(range(1, len(found) + 1))
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_a_negative_k_is_a_usage_error(notebook):
    with pytest.raises(QuestionError, match="-1"):
        notebook.search("云杉", -1)


@pytest.mark.parametrize("question", ["SN 是什么", "sprucenet?", "雲杉網絡", "ＳｐｒｕｃｅＮｅｔ", "sprucenett 有几层"])
def test_every_way_to_write_a_name_finds_its_entry(notebook, question):
    best = notebook.search(question, 1)[0]
    assert best.entry == "云杉网络"
    assert Leg.TERM in best.found_by


def test_passages_say_who_found_them_and_where_they_stand(notebook):
    best = notebook.search("云杉网络有几层？", 1)[0]
    assert best.found_by[Leg.DENSE] >= 1
    assert best.found_by[Leg.LEXICAL] >= 1
    assert notebook.document_text(best.file)[best.start : best.end] == best.text
    assert (best.file, best.line_start, best.line_end) == ("glossary.txt", 1, 2)


def test_an_answer_cites_lines_and_quotes_of_the_source(notebook):
    answer = notebook.ask("云杉网络有几层？")
    (citation,) = answer.sentences[0].citations
    assert notebook.document_text(citation.file)[citation.start : citation.end] == citation.quote
    assert (citation.file, citation.line_start) == ("glossary.txt", 2)
    assert answer.passages[citation.marker - 1].chunk_id == citation.chunk_id


def test_rog_does_not_search(notebook):
    answer = notebook.ask("云杉网络有几层？", mode="rog")
    assert (answer.passages, answer.mode) == ((), "rog")


def test_answer_from_reads_only_what_it_is_given(notebook):
    given = Passage(1, "x", "mine.md", "云杉网络", 0, 10, 1.0, {}, "云杉网络共有 48 层。", line_start=3, line_end=3)
    answer = notebook.answer_from("云杉网络有几层？", [given])
    assert [c.file for s in answer.sentences for c in s.citations] == ["mine.md"]
    assert notebook.answer_from("云杉网络有几层？", ["云杉网络共有 48 层。"]).passages[0].file == "given"
    assert notebook.answer_from("云杉网络有几层？", []).state == "refused"


def test_too_many_passages_are_left_out_visibly(index):
    settings = load({"pack.budget_tokens": 64})
    with Notebook(
        index, settings, generator=FakeGenerator("云杉网络共有 48 层。"), embedder=FakeEmbedder()
    ) as notebook:
        answer = notebook.ask("云杉网络和水杉池化？")
        assert len(answer.passages) < len(notebook.search("云杉网络和水杉池化？"))
    assert any("预算" in notice for notice in answer.notices)


def test_a_follow_up_is_searched_with_its_predecessor(notebook):
    answer = notebook.ask("它有几层？", history=[("云杉网络是什么？", "一种网络。")])
    search = next(span for span in answer.trace if span.name == "search")
    assert search.notes["query"] == "云杉网络是什么？ 它有几层？"


@pytest.mark.parametrize("mode", ["rcg", "rag"])
@pytest.mark.parametrize(
    ("question", "earlier", "asked"),
    [
        ("它有几层？", ["云杉网络是什么？"], "它有几层？（问的是：云杉网络）"),
        ("那它呢？", ["云杉网络是什么？", "它和水杉池化一起用吗？"], "那它呢？（问的是：云杉网络、水杉池化）"),
        ("它和水杉池化一起用吗？", ["云杉网络是什么？"], "它和水杉池化一起用吗？（问的是：云杉网络）"),
        ("How many layers does it have?", ["什么是 SN？"], "How many layers does it have? (This is about: SN)"),
        ("它和GPT-3有什么区别？", ["GPT-2是什么？"], "它和GPT-3有什么区别？（问的是：GPT-2）"),
        ("它有几层？", ["今天天气好吗？"], "它有几层？"),
        ("Is it so?", ["Is the weather good?"], "Is it so?"),
        ("云杉网络有几层？", ["水杉池化是什么？"], "云杉网络有几层？"),
    ],
)
def test_the_model_is_told_what_a_follow_up_points_back_to(notebook, mode, question, earlier, asked):
    answer = notebook.ask(question, mode, [(one, "是的。") for one in earlier])
    assert answer.question == question
    prompts = notebook._generator.prompts
    assert prompts
    assert all(f"问题：{asked}\n" in prompt or f"Question: {asked}\n" in prompt for prompt in prompts)
    assert prompts[0] == "\n".join(message.text for message in sent(answer))


@pytest.mark.parametrize(
    ("question", "points_back"),
    [("它有几层？", True), ("那呢", True), ("How many layers does it have?", True), ("雪松损失的温度是多少？", False)],
)
def test_only_what_points_back_needs_history(question, points_back):
    history = [("旧问题", "旧回答")]
    assert (standalone(question, history) != question) is points_back
    assert standalone(question, []) == question


def test_a_chain_of_follow_ups_leads_back_to_what_it_is_about():
    history = [("别的问题是什么意思？", ""), ("云杉网络由谁提出？", ""), ("它有几层？", "")]
    assert standalone("那它的缺点呢？", history) == "云杉网络由谁提出？ 它有几层？ 那它的缺点呢？"
    assert standalone("它呢", [("甲它", ""), ("乙它", ""), ("丙它", ""), ("丁它", "")]) == "乙它 丙它 丁它 它呢"


def test_a_short_question_with_a_name_of_the_notes_stands_alone(notebook):
    history = [("水杉池化是什么？", "一种池化。")]
    for question, wanted in (("云杉网络？", "云杉网络？"), ("为什么？", "水杉池化是什么？ 为什么？")):
        trace = notebook.ask(question, history=history).trace
        assert next(span for span in trace if span.name == "search").notes["query"] == wanted


def test_without_notes_the_model_is_told_what_was_said_and_the_trace_knows_it(notebook):
    history = [("太久以前", "长" * TOLD_TOKENS), ("云杉是什么？", "一种树。<|im_end|>")]
    answer = notebook.ask("它有多高？", "rog", history)
    messages = sent(answer)
    assert [message.role for message in messages] == ["system", "user", "assistant", "user"]
    assert [message.text for message in messages[1:3]] == ["云杉是什么？", "一种树。‹|im_end|>"]
    assert notebook._generator.prompts[-1] == "\n".join(message.text for message in messages)
    assert len(sent(notebook.ask("云杉有多高？", "rog"))) == 2


@pytest.mark.parametrize("mode", ["rcg", "rag"])
def test_with_notes_earlier_answers_are_no_evidence(notebook, mode):
    notebook.ask("它有几层？", mode, [("云杉网络是什么？", "一种有 96 层的网络。")])
    assert notebook._generator.prompts
    assert all("96" not in prompt for prompt in notebook._generator.prompts)


def test_the_fingerprint_names_everything_that_changes_answers(notebook):
    fingerprint = notebook.fingerprint()
    assert {"embedding model", "chunker", "tokenizer", "generator", "prompt rcg.zh"} <= fingerprint.keys()


def test_a_reranker_decides_the_order_and_says_so(index, monkeypatch):
    class Backwards:
        def rerank(self, question, passages, check):
            turned = list(reversed(passages))
            return [
                replace(p, rank=rank, score=-rank, found_by={**p.found_by, Leg.RERANK: rank})
                for rank, p in enumerate(turned, 1)
            ]

    with Notebook(index, Settings(), embedder=FakeEmbedder()) as plain:
        before = plain.search("云杉网络有几层？", 3)
    monkeypatch.setattr(build, "make_reranker", lambda settings, generator: Backwards())
    with Notebook(index, Settings(), embedder=FakeEmbedder()) as reranked:
        after = reranked.search("云杉网络有几层？", 1)
    assert after[0].chunk_id == before[-1].chunk_id
    assert after[0].found_by[Leg.RERANK] == 1


def test_the_exports_are_pinned():
    assert rag.__all__ == ["Answer", "Citation", "Mode", "Passage", "Sentence", "Settings", "State", "Support", "open"]


class ScoringGenerator(FakeGenerator):
    """Is sure of every character when the prompt holds notes, and guesses without."""

    def score(self, messages, continuation):
        sure = "<笔记>" in messages[-1].text
        return [TokenScore(character.encode(), -0.1 if sure else -3.1) for character in continuation]


def test_provenance_of_an_answer_counts_the_models_sentences_only(notebook):
    given = [Passage(1, "x", "mine.md", "云杉网络", 0, 10, 1.0, {}, "云杉网络共有 48 层。", line_start=3, line_end=3)]
    answer = notebook.answer_from("云杉网络有几层？", given, "rag")
    with pytest.raises(EngineError, match="cannot score"):
        notebook.provenance(answer)
    notebook._generator = ScoringGenerator()
    quoted = replace(answer, sentences=(*answer.sentences, Sentence("云杉网络：“…”", Support.QUOTED)))
    passes = []
    measured = notebook.provenance(quoted, lambda done, total: passes.append((done, total)))
    assert passes == [(0, 2), (1, 2), (2, 2)]
    assert [one.text for one in measured] == [sentence.text for sentence in answer.sentences]
    assert all(one.gain == pytest.approx(3.0) for one in measured)


def test_the_trace_says_what_was_left_out_and_why(index):
    settings = load(overrides={"pack.budget_tokens": 64})
    generator = FakeGenerator("云杉网络共有 48 层。", yes=0.99)
    with Notebook(index, settings, generator=generator, embedder=FakeEmbedder()) as opened:
        answer = opened.ask("云杉网络有几层？", "rag")
    notes = next(span.notes for span in answer.trace if span.name == "pack")
    assert (notes["packed"], notes["budget"]) == (len(answer.passages), 64)
    assert notes["dropped"]
    assert all(one["tokens"] > one["left"] for one in notes["dropped"])
    assert {one["chunk_id"] for one in notes["dropped"]}.isdisjoint(p.chunk_id for p in answer.passages)


@pytest.mark.parametrize("mode", ["rcg", "rag", "rog"])
@pytest.mark.parametrize("question", ["云杉网络有几层？", "What is SpruceNet?"])
def test_the_prompt_that_was_sent_can_be_rebuilt_from_an_answer(notebook, mode, question):
    answer = notebook.ask(question, mode)
    rebuilt = sent(answer)
    assert "\n".join(message.text for message in rebuilt) == notebook.generator.prompts[0]
    assert sent(replace(answer, prompt_hash="0" * 16)) is None
    assert sent(replace(answer, passages=())) == () or mode != "rcg"
