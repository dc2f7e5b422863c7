import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.names import MAX_GUESSED_CHARS, Names, key_of

NAMES = Names(
    [
        "bert",
        "sentence-bert",
        "label smoothing",
        "标签平滑",
        "标签",
        "ai",
        "gpt-3",
        "gpt-2",
        "ddpm",
        "kaggle",
        "变分自编码器",
        "反向传播",
        "fn",
        "llm.int8()",
        "llm-int8",
        "c++",
    ]
)


def longest(text):
    return [match.key for match in NAMES.longest(text)]


def misspelt(text):
    return [match.key for match in NAMES.misspelt(text, NAMES.longest(text))]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("什么是bert呢", ["bert"]),
        ("gpt-3用了多少", ["gpt3"]),
        ("gpt 3 and gpt3", ["gpt3", "gpt3"]),
        ("label-smoothing", ["labelsmoothing"]),
        ("标签 平滑", ["标签平滑"]),
        ("标签平滑和标签", ["标签平滑", "标签"]),
        ("llm.int8() 与 llm-int8", ["llm.int8()", "llmint8"]),
        ("c++里", ["c++"]),
        ("ai", ["ai"]),
    ],
)
def test_names_are_found(text, keys):
    assert longest(text) == keys


@pytest.mark.parametrize("text", ["roberta", "bert2", "a i", "a-i", "grad_fn", "fn_1", "brain", "label\nsmoothing", ""])
def test_what_is_no_name(text):
    assert longest(text) == []


def test_every_name_is_told_even_inside_another():
    assert {match.key for match in NAMES.every("sentence-bert 标签平滑")} == {
        "sentencebert",
        "bert",
        "标签平滑",
        "标签",
    }


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("kaggel上", ["kaggle"]),
        ("sentense-bert怎么用", ["sentencebert"]),
        ("比ddmp快", ["ddpm"]),
        ("bret", ["bert"]),
        ("lable smothing", ["labelsmoothing"]),
        ("标签评滑", ["标签平滑"]),
        ("变分自动编码器", ["变分自编码器"]),
        ("变分编码器", ["变分自编码器"]),
    ],
)
def test_misspelt_names_are_guessed(text, keys):
    assert misspelt(text) == keys


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("gpt-4", "digits make another thing"),
        ("前向传播", "the first character makes another thing"),
        ("ddim", "four letters with another letter are another acronym"),
        ("haggle", "the first letter is wrong"),
        ("bert", "written right"),
        ("标签平滑与", "written right with one more character beside it"),
    ],
)
def test_what_is_not_guessed(text, why):
    assert misspelt(text) == [], why


def test_passages_are_not_guessed():
    padding = "。" * MAX_GUESSED_CHARS
    assert misspelt("kaggel" + padding) == []
    assert longest("kaggle" + padding) == ["kaggle"]


@given(st.text(alphabet="abert -_gp23标签平滑\n.", max_size=40))
def test_matches_lie_in_the_text_and_do_not_overlap(text):
    found = NAMES.longest(text)
    for match in found:
        assert key_of(text[match.start : match.end]) == match.key
    places = [place for match in found for place in range(match.start, match.end)]
    assert len(places) == len(set(places))
    for guess in NAMES.misspelt(text, found):
        assert 0 <= guess.start < guess.end <= len(text)
        assert 0 < guess.similarity < 1


def test_a_hundred_thousand_names_stay_fast():
    names = Names([f"term-{number}" for number in range(50_000)] + [f"术语名{number}号" for number in range(50_000)])
    question = "请比较术语名123号和term-456与tern-789 " + "以及其他内容" * 40
    names.misspelt(question, names.longest(question))  # builds what guessing needs
    started = time.perf_counter()
    found = names.longest(question)
    guessed = names.misspelt(question, found)
    assert time.perf_counter() - started < 2  # 0.1 s on a quiet machine; comparing with every name takes minutes
    assert {match.key for match in found} == {"术语名123号", "term456"}
    assert [match.key for match in guessed] == ["term789"]
