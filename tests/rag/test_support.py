from dataclasses import replace

import pytest

from rag.drafts import clean_sentence, without_preamble
from rag.evidence import evidence_sentences
from rag.support import judge_sentence
from rag.types import Focus, Passage

TEXT = (
    "云杉网络(SpruceNet)\n    云杉网络在 2031 年由林望提出，共有 48 层。\n    它不需要归一化层。训练时学习率为 0.1%。"
)


def passage(text=TEXT, **changes):
    base = {
        "rank": 1,
        "chunk_id": "c",
        "file": "a.md",
        "entry": "云杉网络",
        "start": 100,
        "end": 100 + len(text),
        "score": 1.0,
        "found_by": {},
        "text": text,
        "line_start": 7,
        "line_end": 9,
    }
    return Passage(**{**base, **changes})


def judge(sentence, translate=None, passages=None):
    passages = passages or [passage()]
    return judge_sentence(sentence, evidence_sentences(passages), question="", translate=translate)


@pytest.mark.parametrize(
    "sentence",
    [
        "云杉网络在 2031 年由林望提出，共有 48 层。",
        "云杉网络共有48层，由林望在2031年提出。",
        "雲杉網絡共有４８層。",
        "SpruceNet 云杉网络不需要归一化层。",
    ],
)
def test_what_the_notes_say_is_supported_and_cited_exactly(sentence):
    verdict = judge(sentence)
    assert verdict.supported, verdict
    for citation in verdict.citations:
        assert TEXT[citation.start - 100 : citation.end - 100] == citation.quote
        assert (citation.file, citation.marker) == ("a.md", 1)


def test_line_numbers_point_at_the_quote():
    (citation,) = judge("训练时学习率为 0.1%。").citations
    assert (citation.line_start, citation.line_end, citation.quote) == (9, 9, "训练时学习率为 0.1%。")


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("云杉网络在 2032 年由林望提出，共有 48 层。", "2032"),
        ("云杉网络共有 49 层。", "49"),
        ("云杉网络训练时学习率为 0.2%。", "0.2%"),
        ("云杉网络训练时学习率为 ±0.1%。", "±0.1%"),
        ("云杉网络由林望提出，共有 48 层，训练用了公开的图片数据。", "not covered"),
        ("香蕉富含钾元素。", "nothing in the notes"),
        ("。", "says nothing"),
    ],
)
def test_what_the_notes_do_not_say_is_not_supported(sentence, reason):
    verdict = judge(sentence)
    assert not verdict.supported
    assert reason in verdict.reason
    assert verdict.citations == ()


def test_a_turned_statement_is_caught():
    verdict = judge("云杉网络在训练时不学习。", passages=[passage("云杉网络在训练时学习很快，共有很多层。")])
    assert not verdict.supported
    assert "negates" in verdict.reason


def test_an_english_sentence_is_judged_by_its_translation_which_keeps_the_notes_terms():
    asked = []

    def translate(sentence, terms):
        asked.append((sentence, list(terms)))
        return "SpruceNet 不需要归一化层（norm layers）。"

    verdict = judge("SpruceNet does not need normalisation layers.", translate)
    assert verdict.supported
    assert "不需要归一化层" in verdict.citations[0].quote
    assert asked == [("SpruceNet does not need normalisation layers.", ["sprucenet"])]
    assert not judge("SpruceNet does not need normalisation layers.").supported
    assert "lost" in judge("SpruceNet has 48 layers.", translate).reason
    assert "49" in judge("SpruceNet has 49 layers.", lambda text, terms: "SpruceNet 共有 49 层。").reason


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("根据笔记，它有 48 层[1]。", "它有 48 层。"),
        ("它有 48 层 [1, 2]。", "它有 48 层。"),
        ("It has 48 layers (note 1).", "It has 48 layers."),
        ("[1] 它有 48 层。", "它有 48 层。"),
        ("[0, 1] 之间均匀分布。", "[0, 1] 之间均匀分布。"),
        ("数组 a[128] 的形状是 (3, 4)。", "数组 a[128] 的形状是 (3, 4)。"),
    ],
)
def test_typed_markers_are_removed(raw, clean):
    assert clean_sentence(raw) == clean


def test_without_evidence_nothing_is_supported():
    assert not judge_sentence("云杉网络有 48 层。", [], question="云杉").supported


@pytest.mark.parametrize(
    "text",
    ["石榴打分由两个人完成，分差多大时要请第三个人。", "分差多大时要请第三个人？"],
)
def test_a_repeated_question_is_no_answer(text):
    question = "石榴打分由几个人完成，分差多大时要请第三个人？"
    evidence = evidence_sentences([passage("石榴打分由两个人独立完成，分差超过 3 分时请第三个人。")])
    assert judge_sentence(text, evidence, question=question).reason == "repeats the question"
    assert judge_sentence("分差超过 3 分时要请第三个人。", evidence, question=question).supported


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("先给每层乘一个可学的系数，一开始全部设成零，这一招叫石榴初始化。", "这一招叫石榴初始化。"),
        ("它在石榴园里由林望提出，这一招叫石榴初始化。", "它在石榴园里由林望提出，这一招叫石榴初始化。"),
        ("这一招叫石榴初始化。", "这一招叫石榴初始化。"),
        ("先给每层乘一个可学的系数，一开始全部设成零。", "一开始全部设成零。"),
        ("不是，一开始全部设成零。", "不是，一开始全部设成零。"),
        ("一开始全部设成零，形状写作 (每层, 系数)。", "形状写作 (每层, 系数)。"),
        ("一开始全部设成零，第 3 步之后不同。", "第 3 步之后不同。"),
        ("先给每层乘一个可学的系数 3，一开始全部设成零。", "先给每层乘一个可学的系数 3，一开始全部设成零。"),
    ],
)
def test_clauses_that_only_repeat_the_question_are_cut_from_the_beginning(written, shown):
    assert without_preamble(written, "先给每层乘一个可学的系数，一开始全部设成零，这一招叫什么？") == shown


def test_a_name_of_the_question_is_no_evidence_for_what_is_said_of_it():
    verdict = judge_sentence(
        "SpruceNet 和 CedarNet 都有 48 层。", evidence_sentences([passage()]), question="SpruceNet 和 CedarNet 有几层？"
    )
    assert "cedarnet" in verdict.reason


def test_another_passage_is_cited_only_when_it_adds_enough():
    first = passage("云杉网络由林望提出，训练时使用余弦退火与权重衰减，共有 48 层。")
    second = replace(passage("松树网络的推理很快，训练很久。"), rank=2, chunk_id="d")
    verdict = judge("云杉网络由林望提出，训练时使用余弦退火与权重衰减。", passages=[first, second])
    assert {c.marker for c in verdict.citations} == {1}
    third = replace(passage("松树网络用知识蒸馏压缩词表，训练很久。"), rank=2, chunk_id="e")
    verdict = judge("云杉网络使用余弦退火；松树网络用知识蒸馏压缩词表。", passages=[first, third])
    assert {c.marker for c in verdict.citations} == {1, 2}


def test_a_name_answers_a_description_only_when_its_entry_is_near():
    question = "先把每层的系数全部设成零再训练，这一招叫什么？"
    near = entry("石榴初始化", "残差支路前的标量从零开始学习。", similarity=0.62)
    far = entry("桃花初始化", "权重取自正态分布。", similarity=0.48)
    right = judge_sentence("这一招叫石榴初始化。", evidence_sentences([near, far]), question=question)
    assert [c.quote for c in right.citations] == ["残差支路前的标量从零开始学习。"]
    wrong = judge_sentence("这一招叫桃花初始化。", evidence_sentences([near, far]), question=question)
    assert right.is_name
    assert not wrong.supported
    assert wrong.is_near
    assert "nearer" in wrong.reason


def test_what_the_notes_say_of_one_compared_entry_is_no_evidence_for_the_other():
    question = "石榴网络和桃花网络各有几层？"
    notes = [
        entry("石榴网络", "石榴网络由八层残差堆成。", similarity=0.6),
        entry("桃花网络", "它有二十层，逐层变窄。", similarity=0.6),
    ]
    notes = [replace(note, rank=rank) for rank, note in enumerate(notes, 1)]
    swapped = judge_sentence("石榴网络有二十层，逐层变窄。", evidence_sentences(notes), question=question)
    assert not swapped.supported
    right = judge_sentence("桃花网络有二十层，逐层变窄。", evidence_sentences(notes), question=question)
    assert [c.entry for c in right.citations] == ["桃花网络"]
    alone = judge_sentence("石榴网络有二十层，逐层变窄。", evidence_sentences(notes), question="石榴网络有几层？")
    assert alone.supported


def entry(title, body, *, similarity):
    text = f"### {title}\n{body}"
    focus = (Focus(100, 100 + len(text), similarity), Focus(100 + len(text) - len(body), 100 + len(text), similarity))
    return passage(text, entry=title, path=(title,), chunk_id=title, file=f"{title}.md", focus=focus)
