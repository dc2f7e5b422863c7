from hypothesis import given
from hypothesis import strategies as st

from ingest.outline import Outline, split_lines
from ingest.readers import logseq, outline
from rag.types import Document

PAGE = """- 孤词
- 火星车
  collapsed:: true
\t- 轮子：六个，钛合金
\t  id:: 6614-aa
\t\t- 前轮
\t\t- 后轮
\t\t  第二行说明
\t\t-
\t- 桅杆
\t\t- 相机
\t\t\t- 这是一条很长很长的说明文字，它下面还有别的内容
\t\t\t\t- 细节
\t\t\t- 镜头
\t\t\t\t- 焦距
- TODO 着陆
\t- 气囊
"""


def read(text: str) -> Outline:
    return outline(Document("mars.md", text, "", "logseq"))


def block(text: str, result: Outline, words: str):
    return next(b for b in result.blocks if words in text[b.start : b.end])


def test_outlines_are_recognised():
    assert logseq.is_logseq(split_lines(PAGE))
    assert not logseq.is_logseq(split_lines("# heading\n- a\n\t- b\n"))
    assert not logseq.is_logseq(split_lines("- flat\n- list\n"))
    assert not logseq.is_logseq(split_lines("prose\nmore prose\nmore\n- a\n  - b\n"))
    assert not logseq.is_logseq(split_lines("std::vector<int> v;\nint a;\n"))


def test_a_leaf_has_its_parents_in_its_path():
    result = read(PAGE)
    leaf = block(PAGE, result, "前轮")
    assert leaf.path == ("火星车", "轮子")
    assert leaf.kind == "item"
    assert block(PAGE, result, "- 轮子").path == ("火星车", "轮子")
    assert block(PAGE, result, "- 轮子").kind == "heading"


def test_properties_and_empty_bullets_are_left_out_and_continuations_kept():
    result = read(PAGE)
    assert not any("::" in PAGE[b.start : b.end] for b in result.blocks)
    assert PAGE[slice(*(lambda b: (b.start, b.end))(block(PAGE, result, "后轮")))] == "\t\t- 后轮\n\t\t  第二行说明"
    assert all(PAGE[b.start : b.end].strip(" \t-") for b in result.blocks)


def test_bullets_with_children_are_entries_down_to_depth_two_and_short_ones_below():
    entries = {entry.title: entry for entry in read(PAGE).entries}
    assert list(entries) == ["孤词", "火星车", "轮子", "桅杆", "相机", "镜头", "着陆"]
    assert entries["镜头"].path == ("火星车", "桅杆", "相机", "镜头")
    assert PAGE[entries["轮子"].start : entries["轮子"].end].endswith("第二行说明")


def test_a_bare_name_between_explained_terms_is_an_empty_entry():
    assert [entry.is_empty for entry in read(PAGE).entries] == [True] + [False] * 6


def test_outermost_facts_stand_below_the_page():
    text = "- 今天风大。\n- 火星车停了\n- 轮子\n\t- 前轮卡住\n"
    result = read(text)
    assert result.entries[0].title == "mars"
    assert [b.path for b in result.blocks] == [("mars",), ("mars",), ("轮子",), ("轮子",)]
    assert len({b.section for b in result.blocks}) == 2


def test_code_in_a_bullet_is_one_block():
    text = "- 代码\n\t- ```python\n\t  - not a bullet\n\t  key:: value\n\t  ```\n\t- 之后\n"
    result = read(text)
    code = block(text, result, "python")
    assert "key:: value" in text[code.start : code.end]
    assert len(result.blocks) == 3


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["词", "", "a：b", "key:: v", "长" * 60])), max_size=40))
def test_any_outline_nests(bullets):
    text = "".join("\t" * depth + f"- {name}\n" for depth, name in bullets)
    result = read(text)
    assert sum(bool(name) and "::" not in name for _, name in bullets) == len(result.blocks)
    for b in result.blocks:
        entry = result.entries[b.entry]
        assert entry.start <= b.start < b.end <= entry.end
        assert b.path[: len(entry.path)] == entry.path
        assert len(b.path) <= 18
