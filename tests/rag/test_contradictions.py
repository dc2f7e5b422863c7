"""Planted contradictions between notes are found, and what only looks like one is not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.contradictions import Difference, contradictions
from rag.quantities import quantities
from rag.terms import TermIndex
from rag.types import Chunk, Entry

NAMES = ("云杉网络", "SpruceNet")


def _note(number, text, names=NAMES, below=()):
    file = f"{number}.md"
    title, *aliases = names
    entry = Entry(file, title, tuple(aliases), (title,), 0, 0, len(text))
    lines = 1 + text.count("\n")
    path = (title, *below)
    return entry, Chunk(f"c{number}", file, title, tuple(aliases), path, 0, len(text), 1, lines, text)


def _found(*notes):
    entries, chunks = zip(*notes, strict=True)
    return contradictions(chunks, TermIndex.from_entries(entries, chunks))


PLANTED = [
    ("云杉网络共有 48 层。", "云杉网络共有 50 层。", "number"),
    ("这个模型由 48 层卷积堆叠而成。", "这个模型由四层卷积堆叠而成。", "number"),
    ("云杉网络有 12 个注意力头。", "云杉网络有 16 个注意力头。", "number"),
    ("参数总量约为 3 亿个。", "参数总量约为 7 亿个。", "number"),
    ("它的训练数据超过 100 万张图片。", "它的训练数据不到 50 万张图片。", "number"),
    ("云杉网络的学习率为 0.1。", "云杉网络的学习率为 0.01。", "number"),
    ("云杉网络于 2015 年由林学会提出。", "云杉网络于 2016 年由林学会提出。", "date"),
    ("2015 年 3 月，云杉网络由林学会发布。", "2015 年 5 月，云杉网络由林学会发布。", "date"),
    ("错误率是 3.6%，低于人类。", "错误率是 5.1%，低于人类。", "number"),
    ("SpruceNet has 48 convolutional layers.", "SpruceNet has 50 convolutional layers.", "number"),
    ("SpruceNet was trained on 2 million labelled pictures.", "SpruceNet was trained on 2 billion labelled pictures.",
     "number"),
    ("云杉网络会更新预先学到的参数。", "云杉网络不会更新预先学到的参数。", "negation"),
    ("云杉网络的卷积层需要偏置。", "云杉网络的卷积层不需要偏置。", "negation"),
    ("SpruceNet keeps the order of its tokens.", "SpruceNet never keeps the order of its tokens.", "negation"),
]  # fmt: skip

ALIKE = [
    # The same amount in other words, rounded, or as a range that holds it.
    ("云杉网络共有 48 层。", "云杉网络共有48层。"),
    ("云杉网络共有 4 层。", "云杉网络共有四层。"),
    ("参数总量约为 3 亿个。", "参数总量约为 3.1 亿个。"),
    ("参数总量为 3 亿个。", "参数总量为 30000 万个。"),
    ("云杉网络一般有 40-50 层。", "云杉网络一般有 48 层。"),
    ("它的训练数据超过 100 万张图片。", "它的训练数据有 200 万张图片。"),
    # Another year of another thing, another part, version, moment, data set.
    ("云杉网络于 2015 年首次提出。", "云杉网络于 2017 年正式开源。"),
    ("云杉网络的编码器有 6 层。", "云杉网络的解码器有 8 层。"),
    ("大型版本共有 24 层卷积。", "小型版本共有 12 层卷积。"),
    ("早期的云杉网络共有 12 层卷积。", "云杉网络共有 48 层卷积。"),
    ("它在 PineSet 上的错误率是 3.6%。", "它在 LarchSet 上的错误率是 5.1%。"),
    ("SpruceNet-A has 48 convolutional layers.", "SpruceNet-B has 50 convolutional layers."),
    ("训练时丢弃率为 0.5。", "推理时丢弃率为 0。"),
    ("参赛的男生有 12 人。", "参赛的女生有 15 人。"),
    ("准确率达到 95%。", "错误率达到 5%。"),
    # Numbers that name things.
    ("步骤 1：输入图片。", "步骤 2：输入图片。"),
    ("见图 3，云杉网络的结构。", "见图 4，云杉网络的结构。"),
    ("第 2 层卷积提取边缘。", "第 3 层卷积提取边缘。"),
    ("云杉网络比前人的好[12]。", "云杉网络比前人的好[13]。"),
    ("temperature=0.3", "temperature=0.7"),
    ("用 7B 模型时要 16 张卡。", "用 13B 模型时要 32 张卡。"),
    # Examples, assumptions, questions.
    ("例如云杉网络共有 48 层。", "例如云杉网络共有 50 层。"),
    ("假设云杉网络有 3 层卷积。", "假设云杉网络有 5 层卷积。"),
    ("云杉网络共有 48 层？", "云杉网络共有 50 层。"),
    # A negation of something else, or a word that only looks like one.
    ("云杉网络不同于柏树网络的结构。", "云杉网络同于柏树网络的结构。"),
    ("云杉网络不仅用卷积，还用残差连接。", "云杉网络用卷积，还用残差连接。"),
    ("云杉网络不用池化，所以很快。", "云杉网络用残差连接，所以很深。"),
    ("训练时会更新模型的参数。", "推理时不会更新模型的参数。"),
]


@pytest.mark.parametrize(("one", "other", "kind"), PLANTED)
def test_a_planted_contradiction_is_found_once_with_both_places(one, other, kind):
    (found,) = _found(_note(1, one), _note(2, other))

    assert found.difference is Difference(kind)
    assert (found.one.file, found.one.text) == ("1.md", one)
    assert (found.other.file, found.other.text) == ("2.md", other)
    marked = [(said.text[a:b], said.marks) for said in (found.one, found.other) for a, b in said.marks]
    assert marked
    assert all(text.strip() for text, _ in marked)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_what_only_looks_like_a_contradiction_is_not_shown(one, other):
    assert _found(_note(1, one), _note(2, other)) == []


def test_other_things_may_have_other_numbers():
    assert _found(_note(1, "共有 48 层。"), _note(2, "共有 50 层。", names=("柏树网络",))) == []
    assert _found(_note(1, "它于 2015 年提出。"), _note(2, "它于 2017 年提出。", names=("柏树网络",))) == []


def test_a_sentence_is_about_the_entry_whose_name_it_begins_with():
    elsewhere = "云杉网络共有 50 层，更深。"
    (found,) = _found(_note(1, "共有 48 层，更深。"), _note(2, elsewhere, names=("柏树网络",)))

    assert found.subject == "云杉网络"
    assert (found.other.entry, found.other.text) == ("柏树网络", elsewhere)


def test_an_alias_is_the_same_thing():
    assert len(_found(_note(1, "SpruceNet 共有 48 层。"), _note(2, "云杉网络共有 50 层。"))) == 1


def test_headings_below_the_entry_narrow_what_is_said():
    one = _note(1, "卷积共有 48 层。", below=("标准型",))

    assert _found(one, _note(2, "卷积共有 50 层。", below=("加深型",))) == []
    assert len(_found(one, _note(2, "卷积共有 50 层。", below=("标准型",)))) == 1


def test_points_of_one_list_are_cases_and_no_contradiction():
    assert _found(_note(1, "- 卷积共有 48 层。\n- 卷积共有 50 层。")) == []


def test_two_far_places_of_one_file_may_contradict_each_other():
    entry, first = _note(1, "卷积共有 48 层。")
    text = "卷积共有 50 层。"
    second = Chunk("d", first.file, first.entry, first.aliases, first.path, 900, 900 + len(text), 60, 60, text)

    found = contradictions([first, second], TermIndex.from_entries([entry], [first, second]))

    assert [(f.one.line_start, f.other.line_start, f.other.start) for f in found] == [(1, 60, 900)]


def test_progress_is_told_and_can_stop_it():
    told = []
    notes = [_note(n, "云杉网络共有 48 层。") for n in range(3)]
    entries, chunks = zip(*notes, strict=True)
    contradictions(chunks, TermIndex.from_entries(entries, chunks), lambda done, total: told.append((done, total)))

    assert told[0] == (0, 3)
    assert all(done <= total for done, total in told)


def test_no_notes_have_no_contradiction():
    assert contradictions([], TermIndex.from_entries([], [])) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("共有 48 层", [("层", 48, 48)]),
        ("四层卷积和两个头", [("层", 4, 4), ("个", 2, 2)]),
        ("2015 年 3 月", [("年", 2015, 2015), ("月", 3, 3)]),
        ("10~20 个", [("个", 10, 20)]),
        ("three layers", [("layer", 3, 3)]),
        ("学习率为 0.5", [("=习率", 0.45, 0.55)]),
        ("GPT-3 和图 2、第 3 层", []),
        ("没有数字", []),
    ],
)
def test_amounts_are_read_with_their_slot(text, expected):
    assert [(q.slot, pytest.approx(q.low), pytest.approx(q.high)) for q in quantities(text)] == expected


@example("1-0%")
@given(st.text("0123456789.,%-~ 层个年万约第(=a、二ｋ㎏繁", max_size=40))
def test_every_amount_lies_in_its_text(text):
    for quantity in quantities(text):
        assert 0 <= quantity.start < quantity.end <= len(text)
        assert quantity.low <= quantity.high
