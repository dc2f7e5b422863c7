"""Compare two scored runs case by case: is the change real, and which cases made it?

A difference has a paired bootstrap interval. Its p-value is exact McNemar for metrics that are only 0
or 1, else Fisher's paired randomisation test. ``FAMILY`` was declared before any comparison; Holm
adjusts the p-values within it. Everything else is shown without a claim of significance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evals.aggregate import difference, estimate, sign_flip
from evals.metrics.statistics import Estimate, holm, mcnemar
from evals.scored import COMPOSITES, LOWER_IS_BETTER, Row, Scored, terms
from evals.tables import Table, signed, with_interval
from rag.errors import UsageError

FAMILY = (
    ("hybrid", "evidence_recall@5"),
    ("hybrid", "ndcg@10"),
    ("rcg", "right"),
    ("rcg", "faithfulness"),
    ("rcg", "citation_precision"),
    ("rcg", "citation_recall"),
)
"""The claims that a comparison may make: (condition, metric)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One metric under one condition in two runs, over the cases that both have.

    ``p`` is None for a composite. ``adjusted`` is None outside the declared family.
    """

    condition: str
    metric: str
    before: float | None
    after: float | None
    difference: Estimate
    p: float | None
    adjusted: float | None
    wins: tuple[str, ...]
    losses: tuple[str, ...]


def compare(before: Scored, after: Scored) -> list[Change]:
    """Every metric that both runs have, in the order of ``after``.

    Raises:
        UsageError: the runs share no case under any condition, or a shared case is not the same question.
    """
    _check_same_cases(before, after)
    changes: list[Change] = []
    for condition in after.conditions:
        old_rows, new_rows = _paired(before.of(condition), after.of(condition))
        changes += [_change(condition, metric, old_rows, new_rows) for metric in _metrics(old_rows, new_rows)]
    if not changes:
        raise UsageError("The two runs share no case under the same condition. Compare runs over the same questions.")
    family = {f"{c.condition} {c.metric}": c.p for c in changes if (c.condition, c.metric) in FAMILY}
    adjusted = holm({name: p for name, p in family.items() if p is not None})
    return [replace(change, adjusted=adjusted.get(f"{change.condition} {change.metric}")) for change in changes]


def comparison_tables(changes: Sequence[Change]) -> list[Table]:
    """The declared family first, then everything that moved, then the cases that changed sides."""
    columns = ("condition", "metric", "before", "after", "difference [95 % CI]", "wins", "losses", "p", "p (Holm)")
    family = [change for change in changes if (change.condition, change.metric) in FAMILY]
    moved = [change for change in changes if change not in family and (change.wins or change.losses)]
    cases = [
        (change.condition, change.metric, ", ".join(change.wins) or "–", ", ".join(change.losses) or "–")
        for change in [*family, *moved]
        if change.wins or change.losses
    ]
    return [
        Table("Declared family", columns, [_cells(change) for change in family]),
        Table("Everything else that moved", columns, [_cells(change) for change in moved]),
        Table("Cases", ("condition", "metric", "better", "worse"), cases),
    ]


def _change(condition: str, metric: str, old_rows: Sequence[Row], new_rows: Sequence[Row]) -> Change:
    old, new = terms(old_rows, metric), terms(new_rows, metric)
    both = [] if metric in COMPOSITES else _both(metric, old_rows, new_rows)
    sign = -1 if metric in LOWER_IS_BETTER else 1
    wins = tuple(case for case, b, a in both if sign * (a - b) > 0)
    losses = tuple(case for case, b, a in both if sign * (a - b) < 0)
    moved = difference(old, new)
    return Change(
        condition=condition,
        metric=metric,
        before=_mean(old_rows, metric),
        after=_mean(new_rows, metric),
        difference=moved,
        p=_p_value(both) if both else None,
        adjusted=None,
        wins=wins,
        losses=losses,
    )


def _p_value(both: Sequence[tuple[str, float, float]]) -> float:
    if all(value in (0.0, 1.0) for _, b, a in both for value in (b, a)):
        return mcnemar(sum(a > b for _, b, a in both), sum(a < b for _, b, a in both))
    return sign_flip([a - b for _, b, a in both])


def _both(metric: str, old_rows: Sequence[Row], new_rows: Sequence[Row]) -> list[tuple[str, float, float]]:
    pairs = ((row.case_id, row.value(metric), new.value(metric)) for row, new in zip(old_rows, new_rows, strict=True))
    return [(case, b, a) for case, b, a in pairs if b is not None and a is not None]


def _mean(rows: Sequence[Row], metric: str) -> float | None:
    return estimate(terms(rows, metric)).value


def _paired(before: Sequence[Row], after: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    old = {row.case_id: row for row in before}
    new = [row for row in after if row.case_id in old]
    return [old[row.case_id] for row in new], new


def _metrics(old_rows: Sequence[Row], new_rows: Sequence[Row]) -> list[str]:
    measured = dict.fromkeys(name for row in new_rows for name in row.scores)
    known = {name for row in old_rows for name in row.scores}
    names = [name for name in measured if name in known]
    return names + [name for name, parts in COMPOSITES.items() if set(parts) <= set(names)]


def _check_same_cases(before: Scored, after: Scored) -> None:
    for case_id in before.cases.keys() & after.cases.keys():
        if before.cases[case_id].case.question != after.cases[case_id].case.question:
            raise UsageError(
                f"Case {case_id} asks different things in the two runs. Compare runs over the same questions."
            )


def _cells(change: Change) -> tuple[str, ...]:
    return (
        change.condition,
        change.metric,
        with_interval(change.before),
        with_interval(change.after),
        signed(change.difference),
        str(len(change.wins)),
        str(len(change.losses)),
        "–" if change.p is None else f"{change.p:.3f}",
        "–" if change.adjusted is None else f"{change.adjusted:.3f}",
    )
