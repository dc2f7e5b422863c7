"""Fuse rankings of several legs into one. Pure functions over lists of (row, score), best first.

Both return every row that any leg found, best first; equal scores are ordered by row.
"""

from collections.abc import Sequence

Ranking = Sequence[tuple[int, float]]


def rrf(
    rankings: Sequence[Ranking], constant: int = 60, weights: Sequence[float] | None = None
) -> list[tuple[int, float]]:
    """Reciprocal rank fusion: the sum over rankings of weight / (constant + rank), ranks from 1.

    Source: Cormack, Clarke and Büttcher, Reciprocal Rank Fusion outperforms Condorcet, SIGIR 2009.
    """
    fused: dict[int, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, (row, _) in enumerate(ranking, 1):
            fused[row] = fused.get(row, 0.0) + weight / (constant + rank)
    return ordered(fused)


def convex(rankings: Sequence[Ranking], weights: Sequence[float]) -> list[tuple[int, float]]:
    """Weighted sum of min-max normalised scores; a row that a ranking does not hold gets 0 from it.

    A ranking whose scores are all equal gives 1 to each of its rows. Weights need not sum to 1.
    Source: Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval, TOIS 2023.
    """
    fused: dict[int, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        scores = [score for _, score in ranking]
        low, width = min(scores, default=0.0), max(scores, default=0.0) - min(scores, default=0.0)
        for row, score in ranking:
            fused[row] = fused.get(row, 0.0) + weight * ((score - low) / width if width else 1.0)
    return ordered(fused)


def ordered(scores: dict[int, float]) -> list[tuple[int, float]]:
    """Rows with their scores, best first, ties by row."""
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
