import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics import statistics as s

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
JUDGED = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


def test_mean_skips_what_is_undefined():
    assert s.mean([1.0, None, 0.0]).value == 0.5
    assert s.mean([None]).value is None and s.mean([]).reason


@given(SHARES)
def test_the_interval_holds_the_mean(values):
    found = s.bootstrap(values, resamples=200)
    assert min(values) - 1e-9 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= max(values) + 1e-9


def test_bootstrap_is_seeded_and_close_to_theory():
    values = [1.0] * 60 + [0.0] * 40
    found = s.bootstrap(values)
    assert found == s.bootstrap(values)
    half = 1.96 * math.sqrt(0.6 * 0.4 / 100)
    assert found.low == pytest.approx(0.6 - half, abs=0.015) and found.high == pytest.approx(0.6 + half, abs=0.015)


def test_no_cases_is_undefined_not_zero():
    for found in (s.bootstrap([]), s.paired_bootstrap([], []), s.wilson(0, 0)):
        assert found.value is None and found.low is None and found.reason


def test_paired_differences():
    better = s.paired_bootstrap([1.0] * 30, [0.0] * 20 + [1.0] * 10)
    assert better.value == pytest.approx(2 / 3) and better.low > 0
    same = s.paired_bootstrap([0.0, 1.0] * 20, [0.0, 1.0] * 20)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="equal length"):
        s.paired_bootstrap([1.0], [])


@given(SHARES, st.data())
def test_swapping_the_sides_mirrors_the_interval(ours, data):
    theirs = data.draw(st.lists(st.floats(0, 1), min_size=len(ours), max_size=len(ours)))
    there, back = s.paired_bootstrap(ours, theirs, resamples=200), s.paired_bootstrap(theirs, ours, resamples=200)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high) and there.high == pytest.approx(-back.low)


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (1, 0, 1.0), (6, 0, 2 / 64), (0, 6, 2 / 64), (8, 1, 2 * 10 / 512), (3, 1, 10 / 16)],
)
def test_mcnemar_by_hand(wins, losses, p):
    assert s.mcnemar(wins, losses) == pytest.approx(p)


def test_mcnemar_of_very_many_pairs_does_not_overflow():
    assert s.mcnemar(3000, 100) == pytest.approx(0.0, abs=1e-100)


def test_holm_by_hand():
    assert s.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert s.holm({}) == {}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8))
def test_holm_never_lowers_and_keeps_the_order(p_values):
    adjusted = s.holm(p_values)
    assert list(adjusted) == list(p_values)
    assert all(p - 1e-12 <= adjusted[name] <= 1 for name, p in p_values.items())
    ordered = [adjusted[name] for name, _ in sorted(p_values.items(), key=lambda item: item[1])]
    assert ordered == sorted(ordered)


def test_wilson_by_hand():
    found = s.wilson(8, 10)
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-3)
    assert s.wilson(10, 10).high == 1.0 and s.wilson(0, 10).low == 0.0


def test_auroc_by_hand():
    assert s.auroc([0.9, 0.8, 0.3, 0.2], [True, False, True, False]).value == 0.75
    assert s.auroc([0.5, 0.5], [True, False]).value == 0.5
    assert s.auroc([0.1, 0.9], [False, True]).value == 1.0
    assert s.auroc([0.1, 0.9], [True, True]).value is None


@given(JUDGED)
def test_auroc_counts_pairs(judged):
    scores, labels = [p for p, _ in judged], [y for _, y in judged]
    pairs = [(a > b) + (a == b) / 2 for a, x in judged if x for b, y in judged if not y]
    found = s.auroc(scores, labels)
    assert found.value is None if not pairs else found.value == pytest.approx(sum(pairs) / len(pairs))


def test_balanced_accuracy_by_hand():
    assert s.balanced_accuracy([0.5, 0.4, 0.1], [True, True, False]).value == 0.75
    always = s.balanced_accuracy([1.0] * 10, [True] * 9 + [False])
    assert always.value == 0.5
    assert s.balanced_accuracy([0.3], [True]).value is None


def test_calibration_by_hand():
    assert s.calibration_error([0.8] * 10, [True] * 8 + [False] * 2).value == pytest.approx(0.0)
    assert s.calibration_error([0.05, 0.95], [True, True]).value == pytest.approx((0.95 + 0.05) / 2)
    assert s.calibration_error([1.0], [True]).value == 0.0
    assert s.calibration_error([], []).value is None


def test_brier_by_hand():
    assert s.brier([1.0, 0.5], [True, False]).value == 0.125
    assert s.brier([], []).value is None


@given(JUDGED, st.randoms())
def test_qualities_are_shares_and_ignore_the_order(judged, random):
    shuffled = random.sample(judged, len(judged))
    for measure in (s.auroc, s.balanced_accuracy, s.calibration_error, s.brier):
        one = measure([p for p, _ in judged], [y for _, y in judged]).value
        other = measure([p for p, _ in shuffled], [y for _, y in shuffled]).value
        assert one is None if other is None else one == pytest.approx(other)
        assert one is None or -1e-12 <= one <= 1 + 1e-12


def test_shuffled_labels_fall_to_chance():
    random = np.random.default_rng(1)
    labels = random.random(2000) < 0.3
    scores = np.where(labels, 0.8, 0.2) + random.normal(0, 0.1, 2000)
    assert s.auroc(scores.tolist(), labels.tolist()).value > 0.99
    shuffled = random.permutation(labels).tolist()
    assert s.auroc(scores.tolist(), shuffled).value == pytest.approx(0.5, abs=0.05)
    assert s.balanced_accuracy(scores.tolist(), shuffled).value == pytest.approx(0.5, abs=0.05)


def test_percentiles():
    assert s.percentile([3.0, 1.0, 2.0], 0.5).value == 2.0
    assert s.percentile([0.0, 1.0], 0.95).value == pytest.approx(0.95)
    assert s.percentile([], 0.5).value is None
