import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.spans import find_span, span_name

BODY = "第一句。第二句话。第一句。末尾。"


def test_a_span_is_found_where_it_stood():
    assert find_span(span_name(104, "第二句话。"), BODY, 100) == (4, 9)


def test_a_span_that_moved_is_found_at_the_nearest_place():
    assert find_span(span_name(100, "第二句话。"), BODY, 100) == (4, 9)
    assert find_span(span_name(111, "第一句。"), BODY, 100) == (9, 13)
    assert find_span(span_name(3, "第一句。"), BODY, 100) == (0, 4)


@pytest.mark.parametrize(
    "name",
    ["", "4-9", "9-4-0123456789ab", "4-9-<script>", "4-9-0123456789ab", "x" * 99, "0-999999999-0123456789ab", "²-³-0"],
)
def test_what_is_no_name_or_says_other_words_is_not_found(name):
    assert find_span(name, BODY, 0) is None


@given(st.text(min_size=1, max_size=60), st.integers(0, 50), st.integers(1, 60), st.integers(0, 9))
def test_every_span_of_a_text_is_found_at_its_own_place(body, first, length, start):
    first = min(first, len(body) - 1)
    quote = body[first : first + length]
    assert find_span(span_name(start + first, quote), body, start) == (first, first + len(quote))
