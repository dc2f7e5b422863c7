import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.differences import only_here


def _marked(texts):
    return [[text[a:b] for a, b in spans] for text, spans in zip(texts, only_here(texts), strict=True)]


@pytest.mark.parametrize(
    ("texts", "marked"),
    [
        (["模型有 7 层。", "模型有 8 层。"], [["7"], ["8"]]),
        (["it uses BM25 and FAISS", "it uses BM25 only"], [["FAISS"], []]),
        (["向量检索很快", "关键词检索很快"], [["向量检"], ["关键词检"]]),
        (["一样的话。", "一样的话。"], [[], []]),
        (["Ｔｅｎｓｏｒ 錯誤", "tensor 错误"], [[], []]),
        (["only this one"], [[]]),
        (["said", "", ""], [[], [], []]),
        ([], []),
    ],
)
def test_what_no_other_text_says_is_marked(texts, marked):
    assert _marked(texts) == marked


def test_grammar_and_order_are_no_difference():
    assert _marked(["RAG 和 RCG", "RCG 与 RAG"]) == [[], []]


def test_of_three_texts_a_word_of_two_is_not_marked():
    assert _marked(["alpha beta", "beta gamma", "gamma alpha delta"]) == [[], [], ["delta"]]


@given(st.lists(st.text(alphabet="检索增强 aAbB1２.,的ﬁ\n", max_size=30), max_size=4))
def test_spans_are_in_order_apart_and_inside(texts):
    for text, spans in zip(texts, only_here(texts), strict=True):
        ends = [0]
        for start, end in spans:
            assert ends[-1] <= start < end <= len(text)
            ends.append(end + 1)


@given(st.lists(st.text(alphabet="检索增强 ab1", max_size=20), min_size=1, max_size=3))
def test_nothing_is_marked_when_every_text_is_there_twice(texts):
    assert all(spans == [] for spans in only_here([*texts, *texts]))
