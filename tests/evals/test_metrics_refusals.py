import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_fakes import REFUSAL, make_answer, make_case, sentence

from evals.metrics import refusals as r
from evals.types import CaseType

DECISIONS = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.booleans()).map(
        lambda t: r.Decision(t[0], t[1], t[0] and not t[1] and t[2])
    ),
    max_size=30,
)
CURVE = st.lists(st.tuples(st.sampled_from([0.1, 0.4, 0.7, 0.9]), st.booleans()), min_size=1, max_size=30)


def decisions(right, wrong, over, silent, invented):
    return (
        [r.Decision(True, False, True)] * right
        + [r.Decision(True, False, False)] * wrong
        + [r.Decision(True, True, False)] * over
        + [r.Decision(False, True, False)] * silent
        + [r.Decision(False, False, False)] * invented
    )


def test_by_hand():
    found = {s.metric: s.value for s in r.refusal_scores(decisions(6, 2, 2, 3, 1))}
    assert found == pytest.approx(
        {
            "accuracy": 0.6,
            "refusal_precision": 0.6,
            "refusal_recall": 0.75,
            "over_refusal": 0.2,
            "rcg_score": 0.675,
        }
    )


def test_undefined_has_a_reason():
    assert all(s.value is None and s.reason for s in r.refusal_scores([]))
    only = {s.metric: s for s in r.refusal_scores(decisions(1, 0, 0, 0, 0))}
    assert only["accuracy"].value == 1.0
    assert only["rcg_score"].value is None and only["rcg_score"].reason == "no unanswerable case"
    assert only["refusal_precision"].value is None


def test_no_constant_policy_wins():
    assert r.rcg_score(decisions(0, 0, 80, 20, 0)).value == 0.5
    assert r.rcg_score(decisions(80, 0, 0, 0, 20)).value == 0.5
    assert r.rcg_score(decisions(80, 0, 0, 20, 0)).value == 1.0


@given(DECISIONS, st.randoms())
def test_shares_whatever_the_order(made, random):
    found = r.refusal_scores(made)
    assert found == r.refusal_scores(random.sample(made, len(made)))
    assert all(s.value is None or 0 <= s.value <= 1 for s in found)


def test_decide():
    assert r.decide(make_case(), make_answer(sentence("12"))) == r.Decision(True, False, True)
    assert r.decide(make_case(CaseType.UNANSWERABLE), REFUSAL) == r.Decision(False, True, False)
    assert r.decide(make_case(), None) == r.Decision(True, False, False)


def test_risk_coverage_by_hand():
    points = r.risk_coverage([0.9, 0.8, 0.8, 0.1], [True, True, False, False])
    assert [p.coverage for p in points] == [0.25, 0.75, 1.0]
    assert [p.risk for p in points] == pytest.approx([0.0, 1 / 3, 0.5])
    assert r.area_under_risk(points).value == pytest.approx(0.5 / 3 + 0.25 * 0.5)
    assert r.area_under_risk([]).value is None


@given(CURVE)
def test_the_curve_ends_at_all_cases(pairs):
    points = r.risk_coverage([c for c, _ in pairs], [ok for _, ok in pairs])
    assert points[-1].coverage == 1.0
    assert points[-1].risk == pytest.approx(sum(not ok for _, ok in pairs) / len(pairs))
    assert [p.coverage for p in points] == sorted({p.coverage for p in points})


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_knowing_what_is_right_has_the_least_risk(right):
    knowing = r.area_under_risk(r.risk_coverage([float(ok) for ok in right], right)).value
    wrong_way = r.area_under_risk(r.risk_coverage([-float(ok) for ok in right], right)).value
    blind = r.area_under_risk(r.risk_coverage([0.5] * len(right), right)).value
    assert knowing <= blind + 1e-12 <= wrong_way + 2e-12
