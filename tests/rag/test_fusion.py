import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fusion import COSINE_FLOOR, convex, normalised, rrf

ROWS = st.lists(st.integers(0, 30), unique=True, max_size=12)
WEIGHTS = st.floats(0.01, 5)


@st.composite
def rankings(draw):
    rows = draw(ROWS)
    scores = sorted(draw(st.lists(st.integers(-50, 50), min_size=len(rows), max_size=len(rows))), reverse=True)
    return list(zip(rows, map(float, scores), strict=True))


def ranked(*rows):
    return [(row, -float(place)) for place, row in enumerate(rows)]


def test_rrf_by_hand():
    # 1/(60+1) + 1/(60+3), 1/(60+2) + 1/(60+1), 1/(60+3) + 1/(60+2)
    fused = rrf([ranked(1, 2, 3), ranked(2, 3, 1)])
    assert [row for row, _ in fused] == [2, 1, 3]
    assert [score for _, score in fused] == pytest.approx([0.0325224748, 0.0322664584, 0.0320020481])


def test_rrf_rank_starts_at_one():
    assert rrf([ranked(7)]) == [(7, pytest.approx(1 / 61))]


def test_rrf_places_below_count_almost_as_much():
    """Found by two systems at place 3 beats found by one at place 1: what the constant 60 is for."""
    fused = dict(rrf([ranked(1, 2, 9), ranked(3, 4, 9)]))
    assert fused[9] > fused[1]
    fused = dict(rrf([ranked(1, 2, 9), ranked(3, 4, 9)], constant=0))
    assert fused[9] < fused[1]


def test_rrf_weights():
    assert [row for row, _ in rrf([ranked(1, 2), ranked(2, 1)], weights=[3, 1])] == [1, 2]
    assert [row for row, _ in rrf([ranked(1, 2), ranked(2, 1)], weights=[1, 3])] == [2, 1]


def test_convex_by_hand():
    dense = [(1, 0.9), (2, 0.7), (3, 0.5)]
    lexical = [(2, 12.0), (4, 2.0)]
    # dense scaled: 1, 0.5, 0; lexical scaled: 1, 0
    assert convex([dense, lexical], [0.7, 0.3]) == [
        (1, pytest.approx(0.7)),
        (2, pytest.approx(0.65)),
        (3, 0.0),
        (4, 0.0),
    ]


def test_convex_with_theoretical_floors():
    dense = [(1, 1.0), (2, 0.0)]
    lexical = [(2, 10.0), (3, 4.0)]
    # (cosine + 1) / 2 with the best at 1; BM25 / 10
    fused = dict(convex([dense, lexical], [0.5, 0.5], floors=[COSINE_FLOOR, 0.0]))
    assert fused == {1: pytest.approx(0.5), 2: pytest.approx(0.75), 3: pytest.approx(0.2)}


def test_a_score_below_its_floor_becomes_the_floor():
    assert normalised([(1, 1.0), (2, -3.0)], floor=0.0) == {1: 1.0, 2: 0.0}


def test_equal_scores_are_all_the_best():
    assert normalised([(1, 2.0), (2, 2.0)]) == {1: 1.0, 2: 1.0}
    assert normalised([(1, 0.0)], floor=0.0) == {1: 1.0}


def test_a_row_given_twice_counts_once_at_its_best_place():
    assert rrf([[(1, 3.0), (1, 2.0), (2, 1.0)]]) == rrf([[(1, 3.0), (2, 1.0)]])
    assert normalised([(1, 3.0), (2, 1.0), (1, 1.0)]) == {1: 1.0, 2: 0.0}


def test_ties_by_row():
    assert [row for row, _ in rrf([ranked(9, 4), ranked(4, 9)])] == [4, 9]
    assert [row for row, _ in convex([[(9, 1.0), (4, 1.0)]], [1.0])] == [4, 9]


def test_nothing_in_nothing_out():
    assert rrf([]) == rrf([[], []]) == []
    assert convex([], []) == convex([[], []], [1, 1]) == []


@pytest.mark.parametrize("weights", [[1.0], [1.0, 1.0, 1.0]])
def test_weights_and_lists_must_fit(weights):
    with pytest.raises(ValueError, match="zip"):
        rrf([[], []], weights=weights)
    with pytest.raises(ValueError, match="zip"):
        convex([[], []], weights)


@given(rankings())
def test_a_single_list_keeps_its_order(ranking):
    assert [row for row, _ in rrf([ranking])] == [row for row, _ in ranking]
    scores = dict(ranking)
    assert [scores[row] for row, _ in convex([ranking], [1.0])] == [score for _, score in ranking]


@given(st.lists(st.tuples(rankings(), WEIGHTS), max_size=4), st.randoms())
def test_the_order_of_lists_does_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    for fuse in (lambda p: rrf([r for r, _ in p], weights=[w for _, w in p]), lambda p: convex(*zip(*p, strict=True))):
        if pairs:
            assert dict(fuse(pairs)) == pytest.approx(dict(fuse(shuffled)))


@given(st.lists(rankings(), min_size=1, max_size=4), WEIGHTS)
def test_a_row_gains_from_every_list_that_holds_it(lists, weight):
    before = dict(rrf(lists))
    after = dict(rrf([*lists, ranked(99, *before)], weights=[*[1.0] * len(lists), weight]))
    assert all(after[row] > before[row] for row in before)
    assert set(after) == {*before, 99}


@given(st.lists(rankings(), min_size=1, max_size=4))
def test_convex_stays_within_its_weights(lists):
    share = 1 / len(lists)
    assert all(-1e-9 <= score <= 1 + 1e-9 for _, score in convex(lists, [share] * len(lists)))


@given(rankings(), st.floats(0.5, 10), st.floats(-5, 5))
def test_convex_does_not_depend_on_the_scale_of_a_list(ranking, factor, shift):
    moved = [(row, score * factor + shift) for row, score in ranking]
    assert dict(convex([moved], [1.0])) == pytest.approx(dict(convex([ranking], [1.0])), abs=1e-6)
