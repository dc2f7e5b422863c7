import itertools

from hypothesis import given
from hypothesis import strategies as st

from ingest.units import units
from rag.types import Chunk
from rag.windows import MIN_CHUNK_CHARS, windows

LONG = "".join(f"第{i}句讲的是第{i}件很重要的事情，它有{i}个参数。" for i in range(30))


def chunk(text):
    return Chunk("c", "a.md", "词条", (), ("甲", "词条"), 0, len(text), 1, 1, text)


def test_a_short_chunk_is_one_unit():
    (unit,) = units([chunk("短。")])
    assert (unit.row, unit.title, unit.text) == (0, "甲 > 词条", "短。")


def test_a_long_chunk_comes_first_as_a_whole_then_in_windows():
    found = units([chunk("短。"), chunk(LONG)])
    assert [unit.row for unit in found] == [0] + [1] * (len(found) - 1)
    assert found[1].text == LONG
    assert len(found) > 4
    assert all(len(unit.text) < 200 for unit in found[2:])


@given(st.text(alphabet="甲乙丙，。；\n ab1", max_size=600))
def test_windows_are_ordered_slices_of_whole_sentences(text):
    spans = windows(text)
    assert spans == sorted(spans)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert not spans or len(text) > MIN_CHUNK_CHARS
