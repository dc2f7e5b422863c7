"""From scores per case to a figure with its interval: where every metric is aggregated.

Every figure of a report is a mean over the cases where it is defined, or the mean of several such
means (the RCG score). A mean over defined cases is Σ value / Σ defined, and resampling cases with
replacement is a multinomial weight per case, so one matrix of weights gives the intervals of all
figures, and the same weights on two runs give a paired difference (Efron and Tibshirani, 1993).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from evals.metrics.statistics import Estimate, Floats, wilson

RESAMPLES = 2000
"""Enough that the ends of a 95 % interval move by less than 0.003 between seeds at n = 100."""
FLIPS = 10_000
CONFIDENCE = 0.95


def estimate(terms: Sequence[Floats], confidence: float = CONFIDENCE) -> Estimate:
    """The mean of the terms' means with an interval: Wilson's for a share, percentile bootstrap for the others.

    A share is a single term that is only 0 or 1; of 20 right out of 20 the bootstrap would say "surely 1".

    Args:
        terms: one array per term, the same cases in the same order; NaN marks "undefined for this case".
        confidence: of the two-sided interval.

    ``n`` counts the cases where at least one term is defined.
    """
    n = _cases_defined(terms)
    value, draws = _resampled(terms)
    if value is None:
        return Estimate(None, None, None, n, "no case has a value")
    if n < 2:
        return Estimate(value, None, None, n, "an interval needs two cases")
    if len(terms) == 1 and bool(np.all(np.isnan(terms[0]) | (terms[0] == 0) | (terms[0] == 1))):
        return wilson(round(value * n), n, confidence=confidence)
    low, high = _ends(draws, confidence)
    return Estimate(value, low, high, n)


def difference(before: Sequence[Floats], after: Sequence[Floats], confidence: float = CONFIDENCE) -> Estimate:
    """``after`` − ``before`` over the same cases, with a paired bootstrap interval. Arrays as for ``estimate``.

    Each side keeps its own "defined" cases (an answer that became a refusal has no faithfulness), so the
    value is the difference of the two reported figures; resampling whole cases keeps the pairs together.
    """
    n = _cases_defined([*before, *after])
    (old_value, old_draws), (new_value, new_draws) = _resampled(before), _resampled(after)
    if old_value is None or new_value is None:
        return Estimate(None, None, None, n, "no case has a value in both runs")
    if n < 2:
        return Estimate(new_value - old_value, None, None, n, "an interval needs two cases")
    low, high = _ends(new_draws - old_draws, confidence)
    return Estimate(new_value - old_value, low, high, n)


def sign_flip(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p-value of Fisher's paired randomisation test: how often random signs reach the observed mean."""
    observed = np.asarray(differences, dtype=np.float64)
    if not np.any(observed):
        return 1.0
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(FLIPS, observed.size))
    reached = np.abs(signs @ observed) >= abs(observed.sum()) - 1e-12  # the observed signs are one of the draws
    return float((reached.sum() + 1) / (FLIPS + 1))


def _resampled(terms: Sequence[Floats]) -> tuple[float | None, Floats]:
    values: list[float] = []
    draws = np.zeros(RESAMPLES)
    for term in terms:
        defined = ~np.isnan(term)
        if not defined.any():
            return None, draws
        filled = np.where(defined, term, 0.0)
        values.append(float(filled.sum() / defined.sum()))
        weights = _weights(term.size)
        counts = weights @ defined
        with np.errstate(invalid="ignore", divide="ignore"):  # a draw without a defined case is dropped in _ends
            draws = draws + np.where(counts > 0, (weights @ filled) / counts, np.nan)
    return sum(values) / len(values), draws / len(terms)


@lru_cache(maxsize=8)
def _weights(n: int) -> Floats:
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return draws.astype(np.float64)


def _ends(draws: Floats, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, (tail, 1 - tail))
    return float(low), float(high)


def _cases_defined(terms: Sequence[Floats]) -> int:
    return int(np.any([~np.isnan(term) for term in terms], axis=0).sum())
