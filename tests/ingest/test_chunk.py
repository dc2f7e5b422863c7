import hashlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunk import chunk
from ingest.cut import QUOTE_CHARS, UNCUT_FACTOR
from ingest.readers import detect, outline
from rag.settings import ChunkSettings
from rag.types import Chunk, Document

SENTENCE = "火星车在平原上缓慢地前进，它每天只走几十米，然后停下来给电池充电。"


def chunks(text: str, flavour: str = "markdown", **sizes: int) -> tuple[Chunk, ...]:
    document = Document("mars.md", text, "", flavour)
    return chunk(document, outline(document), ChunkSettings(**sizes))


def texts(*args, **kwargs) -> list[str]:
    return [c.text for c in chunks(*args, **kwargs)]


def test_a_chunk_knows_its_place():
    text = "\r\n# 火星\r\n## 火星车(rover)\r\n会走。\r\n\r\n它很慢。 \r\n\r\n"
    (found,) = chunks(text)
    assert found.text == "## 火星车(rover)\r\n会走。\r\n\r\n它很慢。"
    assert text[found.start : found.end] == found.text
    assert (found.line_start, found.line_end) == (3, 6)
    assert (found.entry, found.path) == ("火星车", ("火星", "火星车"))
    assert "rover" in found.aliases
    assert found.chunk_id == hashlib.sha256(f"mars.md\0{found.start}\0{found.text}".encode()).hexdigest()[:16]


def test_an_entry_that_fits_is_one_chunk_and_siblings_are_never_mixed():
    text = "### 甲\n    短。\n### 乙\n    短。\n    也短。\n### 丙\n    短。\n"
    assert texts(text, "glossary") == ["### 甲\n    短。", "### 乙\n    短。\n    也短。", "### 丙\n    短。"]


def test_an_entry_of_exactly_the_greatest_size_is_one_chunk():
    text = "# a\n" + "字" * 696
    assert texts(text) == [text]
    assert all(len(part) <= 700 for part in texts(text + "字"))


def test_headings_with_nothing_below_them_are_no_evidence():
    assert texts("# a\n\n## b\n\n# c\ntext\n") == ["# c\ntext"]
    assert texts("") == texts("# only\n") == texts("---\n\n- \n") == []


def test_the_first_chunk_of_a_long_entry_starts_with_its_heading():
    for body in (SENTENCE * 40, "\n".join([SENTENCE] * 40), "- " + "\n- ".join([SENTENCE * 8] * 5), "字" * 699):
        parts = chunks(f"# 火星\n## 火星车(rover)\n{body}\n")
        assert parts[0].text.startswith("## 火星车(rover)\n" + body[:5])
        assert len(parts) > 1
        assert all(len(part.text) <= 700 for part in parts)
        assert {part.path for part in parts} == {("火星", "火星车")}


def test_lines_are_packed_near_the_target():
    sizes = [
        len(part)
        for part in texts(
            "### 甲\n" + "\n".join(["    " + SENTENCE] * 60) + "\n### 乙\n    x\n### 丙\n    y", "glossary"
        )
    ]
    assert all(400 <= size <= 500 for size in sizes[:-3])


def test_items_of_some_size_are_topics_and_small_ones_are_packed():
    big, small = "- " + SENTENCE * 7, "- 小事一件，记一下。"
    parts = texts("# a\n" + "\n".join([small] * 6 + [big, big] + [small] * 7 + [big]) + "\n")
    assert [part.count("\n- ") + part.startswith("- ") for part in parts] == [6, 1, 1, 7, 1]


def test_a_single_word_joins_its_neighbour():
    big = "- " + SENTENCE * 7
    parts = texts("# a\n" + "\n".join([big, "- 词", big, big]) + "\n")
    assert len(parts) == 3
    assert "- 词" in parts[0]


def test_fences_and_tables_stay_whole_and_near_what_they_explain():
    code = "```python\n" + "\n".join(f"x{i} = {i}  # comment" for i in range(20)) + "\n```"
    table = "| a | b |\n|---|---|\n" + "\n".join(f"| {i} | cell |" for i in range(20))
    parts = texts(f"# a\n{SENTENCE * 10}\n\nrun:\n\n{code}\n\n{SENTENCE * 10}\n\n{table}\n")
    assert sum(code in part for part in parts) == 1
    assert sum(table in part for part in parts) == 1
    assert any("run:" in part and code in part for part in parts)


def test_code_lines_are_never_cut_unless_hopeless():
    line = "value = compute(" + ", ".join(f"argument_{i}" for i in range(60)) + ")"
    assert 700 < len(line) < 1400
    assert any(part.strip() == line for part in texts(f"# a\n```\n{line}\nx = 1\n```\n"))
    assert all(len(part) <= 1400 for part in texts(f"# a\n```\n{line * 3}\n```\n"))


def test_a_facet_is_in_the_path_of_the_chunks_inside_it():
    body = "\n".join(["- " + SENTENCE * 3] * 3)
    text = "".join(f"# model{i}\n## Usage\n{body}\n## Limits\n{body}\n## Notes\n{body}\n" for i in range(3))
    found = chunks(text)
    assert {c.entry for c in found} == {"model0", "model1", "model2"}
    assert ("model1", "Limits") in {c.path for c in found}
    assert chunks("".join(f"# m{i}\n## Usage\nx\n## Limits\ny\n" for i in range(3)))[0].path == ("m0",)


def test_an_outline_is_packed_by_its_subtrees():
    wheel = "\t- 轮子\n" + "".join(f"\t\t- 第{i}个轮子可以单独转向和抬起，遇到石头也不怕\n" for i in range(16))
    mast = "\t- 桅杆\n" + "".join(f"\t\t- 第{i}台相机可以看到很远的地方，还能拍全景照片\n" for i in range(16))
    text = "- 火星车\n" + wheel + "\t- 天线\n" + mast + "- 小词\n\t- 一句话\n"
    found = chunks(text, "logseq")
    assert [c.path for c in found] == [("火星车",), ("火星车", "桅杆"), ("小词",)]
    assert found[0].text.startswith("- 火星车\n\t- 轮子")
    assert found[0].text.endswith("- 天线")
    assert found[2].text == "- 小词\n\t- 一句话"


def test_too_large_a_subtree_names_its_parents():
    leaves = "".join(f"\t\t- 第{i}个轮子可以单独转向和抬起，遇到石头也不怕\n" for i in range(60))
    found = chunks("- 火星车\n\t- 轮子\n" + leaves, "logseq")
    assert len(found) > 2
    assert {c.path for c in found} == {("火星车", "轮子")}
    assert {c.entry for c in found} == {"轮子"}


def test_entries_with_equal_titles_have_chunks_of_their_own():
    found = chunks("### 标记(mark)\n    一。\n### 标记(mark)\n    二。\n### 丙\n    三。\n", "glossary")
    assert [c.entry for c in found] == ["标记", "标记", "丙"]
    assert len({c.chunk_id for c in found}) == 3


LINES = st.lists(
    st.sampled_from(
        [
            "# 火星",
            "## 火星车(rover)",
            "### Usage",
            "##### deep",
            "",
            "",
            "    ",
            "---",
            "```",
            "~~~py",
            "- ",
            "- 词",
            "\t- 深词",
            "\t\t- 更深的词：解释",
            "  collapsed:: true",
            "1、" + SENTENCE,
            "2_1、短",
            "    标签：",
            "        " + SENTENCE,
            "    # 注释",
            SENTENCE,
            SENTENCE * 9,
            "- " + SENTENCE * 7,
            "rover " * 150,
            "x" * 900,
            "字" * 900,
            "| a | b |",
            "|---|---|",
            "    x = f(a, b)",
            "===",
            "　　全角缩进",
            "\x0b\u2028odd",
            "a" * 250 + "：",
        ]
    ),
    max_size=40,
)
SIZES = st.builds(
    ChunkSettings,
    max_chars=st.integers(100, 900),
    target_chars=st.integers(50, 900),
    overlap_sentences=st.integers(0, 3),
)


@settings(max_examples=300, deadline=None)
@given(
    LINES,
    st.sampled_from(["\n", "\r\n"]),
    SIZES,
    st.sampled_from(["", "markdown", "glossary", "logseq", "text", "jekyll", "pdf"]),
)
def test_any_text_is_cut_into_exact_ordered_slices_that_cover_it(lines, newline, sizes, flavour):
    text = newline.join(lines)
    document = Document("d.md", text, "", flavour or detect(text, is_markdown=True))
    result = outline(document)
    found = chunk(document, result, sizes)
    assert len({c.chunk_id for c in found}) == len(found)
    for c in found:
        assert text[c.start : c.end] == c.text
        assert c.text.strip()
        assert c.text[-1:].strip()
        assert c.line_start == text.count("\n", 0, c.start) + 1
        assert c.line_end == text.count("\n", 0, c.end - 1) + 1
        if len(c.text) > sizes.max_chars:
            assert c.line_start == c.line_end
            assert len(c.text) <= UNCUT_FACTOR * sizes.max_chars
    for before, after in pairwise(found):
        assert before.start < after.start
        assert before.end < after.end
        if after.start < before.end:
            assert sizes.overlap_sentences > 0
            assert before.line_end == after.line_start
    covered = {i for c in found for i in range(c.start, c.end)}
    with_body = {block.section for block in result.blocks if block.kind != "heading"}
    for block in result.blocks:
        if block.section in with_body:
            assert all(i in covered or text[i].isspace() for i in range(block.start, block.end))


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_blocks_are_ordered_inside_their_entries_and_entries_nest(lines):
    text = "\n".join(lines)
    document = Document("d.md", text, "", detect(text, is_markdown=True))
    result = outline(document)
    for before, after in zip(result.blocks, result.blocks[1:], strict=False):
        assert before.end <= after.start
        assert before.section <= after.section
    for block in result.blocks:
        assert text[block.start : block.end].strip()
        assert result.entries[block.entry].start <= block.start < block.end <= result.entries[block.entry].end
    assert [entry.start for entry in result.entries] == sorted(entry.start for entry in result.entries)
    for entry in result.entries:
        assert entry.start <= entry.body_start <= entry.end <= len(text)
        assert entry.path[-1] == entry.title
        inside = [b for b in result.blocks if entry.start <= b.start < entry.end and b.kind != "heading"]
        assert entry.is_empty == (not inside)


@pytest.mark.parametrize("flavour", ["markdown", "glossary", "text"])
def test_a_short_quote_from_any_line_lies_in_one_chunk(flavour):
    body = [SENTENCE * n for n in (1, 30, 2, 25, 1, 1, 40)]
    text = "".join(f"### 词{i}\n" + "".join(f"    {line}\n" for line in body) for i in range(3))
    found = chunks(text, flavour)
    for line in set(body):
        for at in range(0, len(line) - QUOTE_CHARS, 7):
            quote = line[at : at + QUOTE_CHARS]
            assert any(quote in c.text for c in found)
