import time

from hypothesis import given
from hypothesis import strategies as st

from rag.blocks import blocks
from rag.drafts import draft_sentences

DRAFT = "这样写：\n```python\nx = a[1]\n\n    y = 2\n```\n公式：\n$$\na = b. c\n$$\n还有 \\[ d = e \\]。完。"


def _inner(text):
    return [(one.kind, text[one.inner_start : one.inner_end].strip("\n")) for one in blocks(text)]


def test_code_and_displayed_formulas_are_blocks():
    assert _inner(DRAFT) == [("code", "x = a[1]\n\n    y = 2"), ("formula", "a = b. c"), ("formula", " d = e ")]


def test_code_without_an_end_reaches_to_the_end_and_a_formula_without_one_is_none():
    assert _inner("~~~\nx = 1\n") == [("code", "x = 1")]
    assert _inner("$$ a = b") == []
    assert _inner("\\[ a = b") == []


def test_a_draft_keeps_its_blocks_whole_and_as_they_are():
    assert draft_sentences(DRAFT, "怎么写？") == [
        "这样写：",
        "```python\nx = a[1]\n\n    y = 2\n```",
        "公式：",
        "$$\na = b. c\n$$",
        "还有 \\[ d = e \\]。",
        "完。",
    ]


@given(st.text(alphabet="a$\\[]`~\n ", max_size=80))
def test_blocks_are_in_order_and_inside_the_text(text):
    position = 0
    for one in blocks(text):
        assert position <= one.start <= one.inner_start <= one.inner_end <= one.end <= len(text)
        assert one.end > one.start
        position = one.end


def test_a_hostile_text_of_openings_is_read_in_time():
    started = time.monotonic()
    for piece in ("\\[", "$$ ", "$", "```\n", "`", "$$\\["):
        blocks(piece * 20_000)
    assert time.monotonic() - started < 20
