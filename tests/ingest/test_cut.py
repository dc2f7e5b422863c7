import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.cut import QUOTE_CHARS, UNCUT_FACTOR, CutLimits, cut

DEFAULT = CutLimits(target=450, maximum=700, first=700, overlap_sentences=1)
SENTENCE = "火星车在平原上缓慢地前进，它每天只走几十米，然后停下来给电池充电。"
LINES = st.lists(
    st.sampled_from(
        [
            "火星车",
            "慢慢走",
            "。",
            "，",
            "；",
            " ",
            "rover ",
            "3.14",
            "f(x, y) = z",
            "https://a.b/c?d=e",
            "（注）",
            "！",
        ]
    ),
    min_size=1,
    max_size=400,
).map("".join)


def pieces(line: str, limits: CutLimits) -> list[str]:
    return [line[start:end] for start, end in cut(line, limits)]


def test_cuts_fall_behind_sentences_and_neighbours_share_whole_sentences():
    parts = pieces(SENTENCE * 40, DEFAULT)
    assert len(parts) > 2
    for before, after in pairwise(parts):
        assert before.endswith("。")
        assert after.startswith("火星车")
        assert before.endswith(after[: 3 * len(SENTENCE)])


def test_without_sentences_cuts_fall_behind_commas_then_at_spaces():
    commas = pieces("火星车在平原上缓慢地前进，" * 80, DEFAULT)
    assert all(part.endswith("，") and part.startswith("火星车") for part in commas)
    words = pieces("rover " * 300, DEFAULT)
    assert all(set(part.split()) == {"rover"} for part in words)


@pytest.mark.parametrize(
    "whole",
    [
        "`a, b; c。d`",
        "$x + y, z$",
        "https://example.org/a,b;c?d=e",
        "(一，二，三)",
        "x = y + 3.14",
        "supercalifragilistic",
    ],
)
def test_code_formulas_addresses_brackets_and_words_stay_whole(whole):
    line = (" " + whole + " 火星车，") * 120
    for start, end in cut(line, DEFAULT):
        piece = " " + line[start:end] + " "
        assert piece.count(whole) == piece.count(whole[:4]) == piece.count(whole[-4:])


def test_a_word_too_long_is_kept_up_to_a_bound_and_then_cut():
    assert pieces("x" * 1400, DEFAULT) == ["x" * 1400]
    assert [len(part) for part in pieces("x" * 1500, DEFAULT)] == [700, 700, 100]


def test_the_first_piece_leaves_room_for_its_heading():
    limits = CutLimits(target=450, maximum=700, first=300, overlap_sentences=1)
    assert len(pieces(SENTENCE * 40, limits)[0]) <= 300


def test_a_line_of_a_million_characters_is_cut_in_seconds():
    before = time.perf_counter()
    assert len(cut("好。" * 200_000, DEFAULT)) > 800
    assert time.perf_counter() - before < 10


@given(LINES, st.integers(50, 400), st.integers(100, 800), st.integers(0, 3))
def test_pieces_cover_the_line_in_order_and_fit(line, target, maximum, overlap):
    limits = CutLimits(min(target, maximum), maximum, maximum, overlap)
    spans = cut(line, limits)
    covered = {i for start, end in spans for i in range(start, end)}
    assert all(i in covered or character.isspace() for i, character in enumerate(line))
    for (start, end), (next_start, next_end) in pairwise(spans):
        assert start < next_start
        assert end < next_end
        assert overlap or next_start >= end
    assert all(0 < end - start <= UNCUT_FACTOR * maximum for start, end in spans)


@given(
    st.lists(
        st.sampled_from([SENTENCE, "它停了。", "电池，", "轮子转动；", "rover stops. "]), min_size=30, max_size=80
    ).map("".join)
)
def test_a_short_quote_lies_whole_in_one_piece(line):
    spans = cut(line, DEFAULT)
    for at in range(len(line.rstrip()) - QUOTE_CHARS):
        begin = at + len(line[at:]) - len(line[at:].lstrip())
        end = at + len(line[at : at + QUOTE_CHARS].rstrip())
        assert any(start <= begin and end <= stop for start, stop in spans)
