import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.outline import LineNumbers, split_lines, stem
from rag.types import Document


def test_lines_keep_offsets_over_all_line_breaks():
    text = "a\r\n\tb \rc\n\n　d\x0be\u2028f"
    lines = split_lines(text)
    assert [line.text for line in lines] == ["a", "\tb ", "c", "", "　d\x0be\u2028f"]
    assert [line.indent for line in lines] == [0, 4, 0, 0, 1]
    assert lines[1].trimmed_end == text.index("b") + 1
    assert lines[3].is_blank


def test_a_part_of_a_text_keeps_the_offsets_of_the_whole():
    text = "one\ntwo\nthree"
    assert [(line.start, line.text) for line in split_lines(text, 4, 7)] == [(4, "two")]


@given(st.text("ab \t\r\n　", max_size=60))
def test_lines_cover_everything_but_line_breaks(text):
    lines = split_lines(text)
    covered = {i for line in lines for i in range(line.start, line.end)}
    assert covered == {i for i, character in enumerate(text) if character not in "\r\n"}
    assert all(text[line.start : line.end] == line.text for line in lines)


@given(st.text("ab\n", min_size=1, max_size=60))
def test_line_numbers_count_line_breaks(text):
    numbers = LineNumbers(text)
    for offset in range(len(text)):
        assert numbers.at(offset) == text.count("\n", 0, offset) + 1


@pytest.mark.parametrize(
    ("file", "name"), [("a/b/note.md", "note"), ("rows.jsonl#id-7", "id-7"), ("c#.md", "c#"), ("README", "README")]
)
def test_a_document_without_a_title_is_called_by_its_file_or_row(file, name):
    assert stem(Document(file, "", "", "text")) == name
