"""Duplicates: what is merged, what must never be, and that it stays fast."""

import random
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.dedupe import LINE_CHARS, find_duplicates, merge
from rag.text import fold
from rag.types import Chunk, SourceSpan

NOTES = Path(__file__).parents[2].parent / "shared" / "notes"

PARAGRAPH = (
    "残差连接把一层的输入直接加到它的输出上，梯度因此可以绕过这一层。没有它，很深的网络难以训练。"
    "后来的模型几乎都用了这个办法，包括所有以注意力为主的结构。它几乎不增加计算量，也不引入新的参数。"
    "如果两边的通道数不同，就先用一个卷积把输入变成需要的形状，然后再相加。"
)
OTHER = "词嵌入把每个词变成一个稠密的向量，意思相近的词离得也近。这些向量通常随模型一起训练，也可以预先算好再固定下来。"

_numbers = count()


def chunk(text, file="a.md", *, path=("笔记", "残差"), start=0, line=1):
    return Chunk(
        chunk_id=f"id{next(_numbers)}",
        file=file,
        entry=path[-1],
        aliases=(),
        path=path,
        start=start,
        end=start + len(text),
        line_start=line,
        line_end=line + text.count("\n"),
        text=text,
    )


def span(one):
    return SourceSpan(one.file, one.start, one.end, one.line_start, one.line_end)


def test_the_same_text_in_two_files_is_kept_once_with_both_places():
    chunks = [chunk(OTHER), chunk(PARAGRAPH, start=99, line=7), chunk(PARAGRAPH, "b.md", line=3)]
    kept, report = merge(chunks)
    assert [one.chunk_id for one in kept] == [chunks[0].chunk_id, chunks[1].chunk_id]
    assert kept[1].also_at == (span(chunks[2]),)
    assert kept[1] == replace(chunks[1], also_at=kept[1].also_at)
    assert [(one.kept, one.dropped, one.similarity) for one in report.merges] == [(chunks[1], chunks[2], 1.0)]


@pytest.mark.parametrize(
    "copy",
    [
        PARAGRAPH.replace("残差连接", "殘差連接").replace("输入", "輸入").replace("训练", "訓練"),
        PARAGRAPH.replace("，", ", ").replace("。", "。\n    "),
        "\n" + PARAGRAPH + " \u3000\n",
    ],
    ids=["traditional", "blanks", "margins"],
)
def test_script_and_blanks_do_not_matter(copy):
    _, report = merge([chunk(PARAGRAPH), chunk(copy, "b.md")])
    assert [one.similarity for one in report.merges] == [1.0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("因此可以绕过", "因此，可以绕过"),
        ("难以训练。", "难以训练！"),
        ("也不引入", "不引入"),
        ("包括所有以", "包括了所有以"),
    ],
)
def test_marks_and_particles_make_near_duplicates(old, new):
    assert old in PARAGRAPH
    merges = find_duplicates([chunk(PARAGRAPH), chunk(PARAGRAPH.replace(old, new), "b.md")])
    assert len(merges) == 1
    assert 0.9 <= merges[0].similarity < 1.0


def test_a_list_number_makes_a_near_duplicate():
    merges = find_duplicates([chunk("3. " + PARAGRAPH), chunk("12、" + PARAGRAPH, "b.md")])
    assert len(merges) == 1


def test_the_longest_of_a_set_is_kept_and_equally_long_ones_in_order():
    longest = chunk(PARAGRAPH + "这很常见。", "c.md")
    chunks = [chunk(PARAGRAPH, "a.md"), chunk(PARAGRAPH, "b.md"), longest, chunk(PARAGRAPH, "d.md")]
    kept, report = merge(chunks)
    assert [one.chunk_id for one in kept] == [longest.chunk_id]
    assert kept[0].also_at == tuple(span(chunks[i]) for i in (0, 1, 3))
    assert all(one.kept == longest for one in report.merges)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GPT-3有1700亿个参数。", "GPT-3有1750亿个参数。"),
        ("大模型有3亿个参数。", "大模型有3.4亿个参数。"),
        ("嵌入要乘以根号d。", "嵌入要除以根号d。"),
        ("它需要偏置项。", "它不需要偏置项。"),
        ("This layer is normalised.", "This layer is not normalised."),
        ("The loss is convex there.", "The loss isn't convex there."),
        ("编码器读取整句。", "解码器读取整句。"),
        ("这是监督学习的例子。", "这是半监督学习的例子。"),
        ("输出是x+1。", "输出是x-1。"),
        ("参数一共有三亿个。", "参数一共有四亿个。"),
    ],
)
def test_contradictions_survive(one, other):
    chunks = [chunk(PARAGRAPH * 2 + one), chunk(PARAGRAPH * 2 + other, "b.md")]
    kept, report = merge(chunks)
    assert kept == chunks
    assert report.merges == ()


def test_swapped_numbers_survive():
    texts = [PARAGRAPH * 2 + f"训练用{a}，推理用{b}。" for a, b in ((8, 16), (16, 8))]
    assert find_duplicates([chunk(text) for text in texts]) == []


def test_a_longer_chunk_does_not_swallow_a_number_of_its_own():
    assert find_duplicates([chunk(PARAGRAPH * 2), chunk(PARAGRAPH * 2 + "共152层。", "b.md")]) == []


def test_a_short_text_is_equal_only_below_the_same_heading():
    text = "优点：快。缺点：占内存。"
    chunks = [chunk(text, path=("A", "特点")), chunk(text, "b.md", path=("B", "特点")), chunk(text, path=("A", "特点"))]
    kept, report = merge(chunks)
    assert [one.chunk_id for one in kept] == [chunks[0].chunk_id, chunks[1].chunk_id]
    assert report.merges[0].dropped == chunks[2]


def test_places_that_were_known_before_are_kept():
    known = SourceSpan("old.md", 1, 2, 3, 4)
    chunks = [replace(chunk(PARAGRAPH), also_at=(known,)), replace(chunk(PARAGRAPH, "b.md"), also_at=(known,))]
    assert merge(chunks)[0][0].also_at == (known, span(chunks[1]))


@pytest.mark.parametrize("chunks", [[], [chunk(PARAGRAPH)], [chunk("x"), chunk("y")]])
def test_nothing_to_merge(chunks):
    kept, report = merge(chunks)
    assert kept == chunks
    assert (report.merges, report.documents, report.lines) == ((), (), ())


def test_a_lower_threshold_finds_more():
    tail = "它还使训练更稳定，调参更容易。"
    chunks = [chunk(PARAGRAPH), chunk(PARAGRAPH + tail + OTHER, "b.md")]
    assert find_duplicates(chunks) == []
    assert [one.dropped for one in find_duplicates(chunks, 0.6)] == [chunks[0]]


def test_near_equal_documents_are_reported_not_removed():
    def document(file, last):
        return [chunk(PARAGRAPH, file, start=0), chunk(OTHER * 2, file, start=500), chunk(last, file, start=900)]

    chunks = [*document("a.md", "最后一句是甲。"), *document("b.md", "最后一句是乙。"), chunk("别的内容" * 30, "c.md")]
    kept, report = merge(chunks)
    assert [(pair.file, pair.other) for pair in report.documents] in ([("a.md", "b.md")], [("b.md", "a.md")])
    assert 0.9 <= report.documents[0].similarity < 1
    assert [one.text for one in kept] == [PARAGRAPH, OTHER * 2, "最后一句是甲。", "最后一句是乙。", "别的内容" * 30]


def test_repeated_lines_are_reported_with_exact_places():
    line = "model = load(path, device='cpu', strict=True)"
    first = chunk(f"甲\n    {line}\n乙", start=10, line=5)
    second = chunk(f"{line.upper()}\n丙丙丙", "b.md", start=0, line=1)
    short = "x" * (LINE_CHARS - 1)
    _, report = merge([first, second, chunk(short, "c.md"), chunk(short, "d.md", path=("别的",))])
    assert [found.text for found in report.lines] == [line]
    start = 10 + len("甲\n    ")
    assert report.lines[0].places == (
        SourceSpan("a.md", start, start + len(line), 6, 6),
        SourceSpan("b.md", 0, len(line), 1, 1),
    )


def test_an_overlap_of_chunks_is_no_repeated_line():
    line = "这一句同时属于两个相邻的片段，因为它们有重叠的部分。"
    chunks = [chunk("前文\n" + line, start=0, line=1), chunk(line + "\n后文", start=3, line=2)]
    assert merge(chunks)[1].lines == ()


def test_the_result_is_the_same_every_time():
    chunks = _many(60, seed=3)
    assert merge(chunks) == merge(chunks)


texts = st.lists(st.text(alphabet="残差连接1不 \nab。", max_size=40), max_size=8)


@given(texts)
def test_every_chunk_is_kept_or_stands_with_one_that_is(parts):
    chunks = [chunk(text, f"{n}.md") for n, text in enumerate(parts)]
    kept, report = merge(chunks)
    assert [one.chunk_id for one in kept] == [c.chunk_id for c in chunks if c.chunk_id in {k.chunk_id for k in kept}]
    places = {(k.file, k.start) for k in kept} | {(s.file, s.start) for k in kept for s in k.also_at}
    assert places == {(c.file, c.start) for c in chunks}
    assert {one.kept.chunk_id for one in report.merges} <= {one.chunk_id for one in kept}
    assert len(kept) + len(report.merges) == len(chunks)


@given(st.text())
def test_folding_keeps_line_breaks(text):
    """Lines are found by their number in the folded text."""
    assert fold(text).count("\n") == text.count("\n")


def _many(size, seed):
    generator = random.Random(seed)
    words = [
        "网络",
        "训练",
        "梯度",
        "卷积",
        "模型",
        "参数",
        "向量",
        "层",
        "不",
        "输入",
        "输出",
        "，",
        "。",
        "是",
        "的",
        "12",
    ]
    made = []
    for number in range(size):
        if number % 10 == 9:
            made.append(chunk(made[-5].text, f"{number % 7}.md", start=number * 1000))
        else:
            text = "".join(chr(0x4E00 + generator.randrange(3000)) + generator.choice(words) for _ in range(130))
            made.append(chunk(text, f"{number % 7}.md", start=number * 1000))
    return made


def test_four_hundred_chunks_take_a_third_of_a_second():
    chunks = _many(400, seed=1)
    merge(chunks[:20])  # opencc and datasketch are imported and their tables built
    best = min(_cpu_seconds(chunks) for _ in range(3))
    assert best < 0.3


def _cpu_seconds(chunks):
    started = time.process_time()
    kept, _ = merge(chunks)
    assert len(kept) == 360
    return time.process_time() - started


@pytest.mark.slow
def test_time_grows_with_the_number_of_chunks():
    merge(_many(20, seed=1))
    small, large = (_time_of(_many(size, seed=2)) for size in (1000, 8000))
    assert large < 8 * small * 2


def _time_of(chunks):
    started = time.process_time()
    merge(chunks)
    return time.process_time() - started


@pytest.mark.slow
def test_filled_in_forms_do_not_take_time_by_the_square():
    form = PARAGRAPH * 2
    chunks = [chunk(form + f"负责人{chr(0x4E00 + n)}{chr(0x5E00 + n)}。", f"{n % 9}.md") for n in range(1500)]
    merge(chunks[:20])
    few, many = (_time_of(chunks[:size]) for size in (300, 1500))
    assert many < 5 * few * 2


def test_the_real_notes_lose_nothing_to_merging():
    if not NOTES.is_dir():
        pytest.skip("the user's real notes are not on this machine")
    from ingest.chunk import chunk as cut
    from ingest.discover import discover
    from ingest.readers import outline, read
    from rag.settings import ChunkSettings

    documents = [document for found in discover([NOTES])[0] for document in read(found)[0]]
    chunks = [one for document in documents for one in cut(document, outline(document), ChunkSettings())]
    kept, report = merge(chunks)
    assert len(kept) + len(report.merges) == len(chunks)
    texts = {document.file: document.text for document in documents}
    for found in report.lines:
        for place in found.places:
            line = texts[place.file][place.start : place.end]
            assert fold(line).split() == fold(found.text).split()
            assert texts[place.file].count("\n", 0, place.start) + 1 == place.line_start
