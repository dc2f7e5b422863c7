"""Fusing rankings: pure functions over lists of (row, score), best first.

Two ways: reciprocal ranks look only at places (Cormack, Clarke, Büttcher, SIGIR 2009); a convex sum keeps the
distances between scores, brought to one scale (Bruch, Gai, Ingber, ACM TOIS 2023). Both return every row that any list
holds, best first, ties by row. A row that a list holds twice counts once, at its best place.
"""

from collections.abc import Mapping, Sequence

Ranking = Sequence[tuple[int, float]]

# The value of Cormack et al.; it keeps the first places of one list from outvoting agreement between lists.
RRF_CONSTANT = 60
# The least score that a measure can give, for ``floors``: a cosine, and BM25 without negative idf.
COSINE_FLOOR = -1.0
BM25_FLOOR = 0.0


def rrf(
    rankings: Sequence[Ranking], *, constant: float = RRF_CONSTANT, weights: Sequence[float] | None = None
) -> list[tuple[int, float]]:
    """Sum of weight / (constant + rank) over the lists that hold a row; ranks start at 1.

    Args:
        rankings: Lists of (row, score), best first; the scores are not looked at.
        constant: Larger values flatten the difference between places. Must be > -1.
        weights: One for each list; 1 each when not given.

    Returns:
        Every row of any list with its fused score, best first.

    Raises:
        ValueError: there are not as many weights as lists.
    """
    fused: dict[int, float] = {}
    for ranking, weight in zip(rankings, weights if weights is not None else [1.0] * len(rankings), strict=True):
        for rank, row in enumerate(dict.fromkeys(row for row, _ in ranking), 1):
            fused[row] = fused.get(row, 0.0) + weight / (constant + rank)
    return ordered(fused)


def convex(
    scored: Sequence[Ranking], weights: Sequence[float], *, floors: Sequence[float | None] | None = None
) -> list[tuple[int, float]]:
    """Weighted sum of scores that were scaled to 0..1 list by list. A row counts 0 in a list that does not hold it.

    Args:
        scored: Lists of (row, score).
        weights: One for each list; they need not sum to 1.
        floors: For each list the score that becomes 0: the least that its measure can give, or None for the least
            of the list. With a floor the last row of a short list is not worth nothing.

    Returns:
        Every row of any list with its fused score, best first.

    Raises:
        ValueError: there are not as many weights or floors as lists.
    """
    fused: dict[int, float] = {}
    lows = floors if floors is not None else [None] * len(scored)
    for ranking, weight, low in zip(scored, weights, lows, strict=True):
        for row, score in normalised(ranking, floor=low).items():
            fused[row] = fused.get(row, 0.0) + weight * score
    return ordered(fused)


def normalised(ranking: Ranking, *, floor: float | None = None) -> dict[int, float]:
    """Scores scaled so that the best is 1 and ``floor`` (the least score when None) is 0; all 1 when all are equal."""
    best: dict[int, float] = {}
    for row, score in ranking:
        best[row] = max(score, best.get(row, score))
    if not best:
        return {}
    low = min(best.values()) if floor is None else min(floor, *best.values())
    span = max(best.values()) - low
    return {row: (score - low) / span if span > 0 else 1.0 for row, score in best.items()}


def ordered(scores: Mapping[int, float]) -> list[tuple[int, float]]:
    """Rows with their scores, best first, ties by row."""
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
