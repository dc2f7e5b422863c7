import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics import retrieval as r
from evals.types import Case, CaseType, GoldSpan
from rag.types import Passage, SourceSpan

HITS = st.lists(st.frozensets(st.integers(0, 3)), max_size=12)
N = 4


def passage(start, end, file="a.md", also_at=()):
    return Passage(1, f"{file}:{start}", file, "", start, end, 1.0, {}, "x" * (end - start), also_at=also_at)


def case(kind):
    return Case("c", "?", "zh", kind, True, "", (), ())


def hits(*sets):
    return [frozenset(s) for s in sets]


def test_a_passage_must_hold_the_whole_span_in_the_same_file():
    gold = [[GoldSpan("a.md", 10, 20)]]
    places = [passage(10, 20), passage(0, 19), passage(11, 30), passage(0, 30, file="b.md"), passage(0, 30)]
    assert r.evidence_hits(places, gold) == hits({0}, (), (), (), {0})


def test_an_evidence_may_stand_at_several_places():
    gold = [[GoldSpan("a.md", 10, 20), GoldSpan("b.md", 0, 5)], [GoldSpan("a.md", 40, 50)]]
    twin = passage(60, 70, also_at=(SourceSpan("a.md", 35, 55, 1, 1),))
    assert r.evidence_hits([passage(0, 9, file="b.md"), twin], gold) == hits({0}, {1})


def test_by_hand():
    ranked = hits((), {0}, {0}, {1})
    assert [r.success_at(ranked, k) for k in (1, 2, 3)] == [0.0, 1.0, 1.0]
    assert [r.recall_at(ranked, 2, k) for k in (1, 2, 4)] == [0.0, 0.5, 1.0]
    assert [r.precision_at(ranked, k) for k in (1, 2, 4, 8)] == [0.0, 0.5, 0.75, 0.375]
    assert [r.all_evidence_at(ranked, 2, k) for k in (3, 4)] == [0.0, 1.0]
    assert r.reciprocal_rank(ranked) == 0.5
    assert r.reciprocal_rank(hits(*[()] * 10, {0})) == 0.0


def test_ndcg_by_hand_and_a_duplicate_adds_nothing():
    ideal = 1 + 1 / math.log2(3)
    assert r.ndcg(hits((), {0}, {0}, {1}), 2) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert r.ndcg(hits({0}, {0}, {0}), 2) == pytest.approx(1 / ideal)
    assert r.ndcg(hits({0, 1}), 2) == pytest.approx(1.0)
    assert r.ndcg(hits((), {0, 1}), 2) == pytest.approx(r.ndcg(hits((), {0}, {1}), 2))


def test_budget_takes_passages_in_order_until_one_does_not_fit():
    ranked = hits({0}, (), {1})
    assert r.recall_at_budget(ranked, 2, [100, 100, 50], 200) == 0.5
    assert r.recall_at_budget(ranked, 2, [100, 100, 50], 250) == 1.0
    assert r.recall_at_budget(ranked, 2, [300, 1, 1], 299) == 0.0


@given(HITS)
def test_bounds_and_monotony_in_k(ranked):
    for k in range(1, 14):
        values = [r.success_at(ranked, k), r.recall_at(ranked, N, k), r.all_evidence_at(ranked, N, k)]
        later = [r.success_at(ranked, k + 1), r.recall_at(ranked, N, k + 1), r.all_evidence_at(ranked, N, k + 1)]
        assert all(0 <= a <= b <= 1 for a, b in zip(values, later, strict=True))
        assert values[2] <= values[1] <= values[0]
        assert 0 <= r.precision_at(ranked, k) <= 1
        assert r.ndcg(ranked, N, k) <= r.ndcg(ranked, N, k + 1) + 1e-12 <= 1 + 2e-12


@given(HITS, st.randoms())
def test_order_within_k_matters_only_to_ranked_measures(ranked, shuffler):
    k = len(ranked)
    other = shuffler.sample(ranked, k)
    for measure in (r.success_at, lambda h, c: r.recall_at(h, N, c), r.precision_at if k else r.success_at):
        assert measure(ranked, k) == measure(other, k)
    best = sorted(ranked, key=lambda h: -len(h))
    assert r.reciprocal_rank(best) >= r.reciprocal_rank(other)


@given(st.integers(1, 8), HITS)
def test_a_perfect_list_scores_one(n, rest):
    ranked = [frozenset({i}) for i in range(n)] + [h & frozenset(range(n)) for h in rest]
    assert r.ndcg(ranked, n) == pytest.approx(1.0)
    assert r.reciprocal_rank(ranked) == r.recall_at(ranked, n, n) == r.precision_at(ranked, n) == 1.0


@given(HITS, st.integers(0, 3))
def test_moving_a_hit_up_never_lowers_ndcg(ranked, which):
    first = next((i for i, h in enumerate(ranked) if which in h), 0)
    if first:
        moved = list(ranked)
        moved[first] = moved[first] - {which}
        moved[first - 1] = moved[first - 1] | {which}
        assert r.ndcg(moved, N) >= r.ndcg(ranked, N) - 1e-12


def test_evidence_recall_depends_on_the_kind_of_question():
    gold = [[GoldSpan("a.md", 0, 5)], [GoldSpan("a.md", 50, 55)]]
    for kind, expected in ((CaseType.DETAIL, 1.0), (CaseType.COMPARISON, 0.0), (CaseType.MULTI_HOP, 0.0)):
        scores = {s.metric: s.value for s in r.retrieval_scores(case(kind), [passage(0, 10)], gold)}
        assert scores["evidence_recall@5"] == expected
        assert scores["all_evidence@5"] == 0.0 and scores["recall@5"] == 0.5


def test_names_are_complete_and_no_gold_is_undefined():
    none = r.retrieval_scores(case(CaseType.UNANSWERABLE), [passage(0, 10)], [])
    some = r.retrieval_scores(case(CaseType.DETAIL), [], [[GoldSpan("a.md", 0, 5)]])
    assert [s.metric for s in none] == [s.metric for s in some] == r.metric_names()
    assert all(s.value is None and s.reason for s in none)
    assert all(s.value == 0.0 for s in some)
    assert [s.value for s in r.budget_scores([], [], [], [700])] == [None]


def test_shuffled_gold_falls_to_chance():
    """50 files with one passage each, perfect ranks; with the gold of another case only chance is left."""
    shuffler = np.random.default_rng(0)
    ranked = [[passage(0, 10, file=f"{(i + j) % 50}.md") for j in range(10)] for i in range(50)]
    gold = [[[GoldSpan(f"{i}.md", 0, 5)]] for i in range(50)]
    right = [r.reciprocal_rank(r.evidence_hits(p, g)) for p, g in zip(ranked, gold, strict=True)]
    other = [r.success_at(r.evidence_hits(p, gold[shuffler.integers(50)]), 5) for p in ranked for _ in range(40)]
    assert right == [1.0] * 50
    assert sum(other) / len(other) == pytest.approx(5 / 50, abs=0.03)
