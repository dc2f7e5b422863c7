"""Statistics for paired comparisons: intervals, exact tests and the quality of a probability.

Everything here is a pure function of its arguments; resampling is seeded. What is undefined is ``None`` with a
reason, never NaN.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evals.types import Score

RESAMPLES = 10_000
"""Bootstrap resamples: the 2.5 % tail then rests on 250 of them."""
_BATCH = 500  # resamples drawn at once: 500 × 1,000 cases × 8 bytes is 4 MB
_BINS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its confidence interval over ``n`` cases; all None with a ``reason`` where it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


def mean(values: Sequence[float | None]) -> Score:
    """The mean of the defined values."""
    defined = [v for v in values if v is not None]
    return Score("mean", sum(defined) / len(defined)) if defined else Score("mean", None, "no defined value")


def bootstrap(
    values: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES, confidence: float = 0.95
) -> Estimate:
    """The mean with its percentile bootstrap interval (Efron, 1979), cases resampled with replacement."""
    if not values:
        return Estimate(None, None, None, 0, "no cases")
    data = np.asarray(values, dtype=np.float64)
    means = _resampled_means(data, seed, resamples)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(data.mean()), float(low), float(high), len(values))


def paired_bootstrap(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> Estimate:
    """The mean difference ``ours - theirs`` over the same cases, with its bootstrap interval.

    Raises:
        ValueError: the two are not of equal length.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"paired values must be of equal length, not {len(ours)} and {len(theirs)}")
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    return bootstrap(differences, seed=seed, resamples=resamples, confidence=confidence)


def mcnemar(wins: int, losses: int) -> float:
    """Exact two-sided p-value that ``wins`` against ``losses`` came from a fair coin (McNemar, 1947).

    Without discordant pairs there is no evidence of a difference: 1.0.
    """
    n = wins + losses
    tail = sum(math.comb(n, i) for i in range(min(wins, losses) + 1))
    return min(1.0, float(Fraction(2 * tail, 2**n)))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values adjusted for the family they are declared in (Holm, 1979), in the order given."""
    adjusted: dict[str, float] = {}
    running, m = 0.0, len(p_values)
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (m - i) * p))
        adjusted[name] = running
    return {name: adjusted[name] for name in p_values}


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> Estimate:
    """A share with its score interval (Wilson, 1927), which stays inside 0..1 and works for shares of 0 and 1."""
    if n == 0:
        return Estimate(None, None, None, 0, "no cases")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = centre - half if successes else 0.0  # exactly, where rounding would leave a trace
    return Estimate(share, low, centre + half if successes < n else 1.0, n)


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> Score:
    """The chance that a positive is scored above a negative, ties half (Mann and Whitney, 1947)."""
    positives, negatives = _by_label(scores, labels)
    if not len(positives) or not len(negatives):
        return Score("auroc", None, "needs positives and negatives")
    ranks = _mean_ranks(np.concatenate([positives, negatives]))
    wins = ranks[: len(positives)].sum() - len(positives) * (len(positives) + 1) / 2
    return Score("auroc", float(wins / (len(positives) * len(negatives))))


def balanced_accuracy(scores: Sequence[float], labels: Sequence[bool], *, threshold: float = 0.5) -> Score:
    """The mean of the shares of positives at or above, and of negatives below the threshold; guessing gives 0.5."""
    positives, negatives = _by_label(scores, labels)
    if not len(positives) or not len(negatives):
        return Score("balanced_accuracy", None, "needs positives and negatives")
    recall = float((positives >= threshold).mean())
    return Score("balanced_accuracy", (recall + float((negatives < threshold).mean())) / 2)


def calibration_error(probabilities: Sequence[float], labels: Sequence[bool], *, bins: int = _BINS) -> Score:
    """Expected calibration error (Naeini et al., 2015): Σ |share right - mean probability| · n/N, equal-width bins."""
    if not probabilities:
        return Score("ece", None, "no cases")
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    which = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [abs(y[which == b].mean() - p[which == b].mean()) * (which == b).mean() for b in set(which.tolist())]
    return Score("ece", float(sum(gaps)))


def brier(probabilities: Sequence[float], labels: Sequence[bool]) -> Score:
    """The mean squared error of a probability (Brier, 1950); always saying 0.5 gives 0.25."""
    if not probabilities:
        return Score("brier", None, "no cases")
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    return Score("brier", float(((p - y) ** 2).mean()))


def percentile(values: Sequence[float], share: float) -> Score:
    """The value below which ``share`` of the values lie, linear between neighbours (0.5 is the median)."""
    if not values:
        return Score("percentile", None, "no values")
    return Score("percentile", float(np.quantile(np.asarray(values, dtype=np.float64), share)))


def _resampled_means(data: Floats, seed: int, resamples: int) -> Floats:
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    for at in range(0, resamples, _BATCH):
        size = min(_BATCH, resamples - at)
        means[at : at + size] = data[generator.integers(0, len(data), (size, len(data)))].mean(axis=1)
    return means


def _by_label(scores: Sequence[float], labels: Sequence[bool]) -> tuple[Floats, Floats]:
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    return values[truth], values[~truth]


def _mean_ranks(values: Floats) -> Floats:
    """Ranks from 1, ties share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)
