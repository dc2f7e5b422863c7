"""The nouns of a scored run: a row per case and condition, a figure per condition, slice and metric.

A condition is what was done: a leg for retrieval (``hybrid``), a mode for answers (``rcg``), or a
mode and a rung (``rcg/gold``). A slice is ``all`` or one value of a property (``type=detail``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.cases import LocatedCase
from evals.failures import Failure
from evals.metrics.faithfulness import Judged
from evals.metrics.statistics import Estimate, Floats
from evals.runs import Answered, Header, Retrieval
from evals.types import Score
from rag.types import Mode

ALL = "all"
LOWER_IS_BETTER = frozenset(
    {
        "wrong",
        "over_refusal",
        "hallucination",
        "false_support",
        "new_numbers",
        "new_terms",
        "bigram_novelty",
        "repetition",
    }
)
COMPOSITES = {"rcg_score": ("accuracy", "refusal_recall")}
"""Figures that are the mean of several metrics' means; every other figure is the mean of one metric."""


@dataclass(frozen=True, slots=True)
class Row:
    """The scores of one case under one condition. An ``error`` means that they are the worst values."""

    case_id: str
    condition: str
    slices: Mapping[str, str]
    scores: Mapping[str, Score]
    error: str = ""

    def value(self, metric: str) -> float | None:
        """The value of a metric, None where it is undefined or not measured."""
        score = self.scores.get(metric)
        return None if score is None else score.value

    def is_in(self, slice_name: str) -> bool:
        """Whether the row belongs to ``all`` or to ``property=value``."""
        name, _, value = slice_name.partition("=")
        return slice_name == ALL or self.slices.get(name) == value


@dataclass(frozen=True, slots=True)
class Figure:
    """An aggregate of a report."""

    condition: str
    slice: str
    metric: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Scored:
    """A scored run. ``failures`` and ``judged`` are keyed by case id and condition."""

    header: Header
    judge: str
    unparsed: int
    cases: Mapping[str, LocatedCase]
    retrievals: Mapping[str, Retrieval]
    answers: Mapping[tuple[str, str], Answered]
    rows: Sequence[Row]
    figures: Sequence[Figure]
    failures: Mapping[tuple[str, str], Failure]
    judged: Mapping[tuple[str, str], Sequence[Judged]]
    cost: Mapping[str, Mapping[str, float | None]]

    @property
    def conditions(self) -> list[str]:
        """Every condition, in the order in which it was scored."""
        return list(dict.fromkeys(row.condition for row in self.rows))

    @property
    def errors(self) -> list[tuple[str, str, str]]:
        """(case id, "retrieval" or condition, message) of every search and answer that failed."""
        searched = [(record.case_id, "retrieval", record.error) for record in self.retrievals.values()]
        answered = [(case_id, condition, record.error) for (case_id, condition), record in self.answers.items()]
        return [failed for failed in (*searched, *answered) if failed[2]]

    @property
    def error_rate(self) -> float:
        """The share of searches and answers that failed."""
        return len(self.errors) / max(1, len(self.retrievals) + len(self.answers))

    def of(self, condition: str, slice_name: str = ALL) -> list[Row]:
        """The rows of a condition and a slice."""
        return [row for row in self.rows if row.condition == condition and row.is_in(slice_name)]

    def figure(self, condition: str, metric: str, slice_name: str = ALL) -> Estimate | None:
        """One figure, None where nothing of the kind was measured."""
        for figure in self.figures:
            if (figure.condition, figure.slice, figure.metric) == (condition, slice_name, metric):
                return figure.estimate
        return None


def condition_of(mode: Mode, variant: str) -> str:
    """The condition of an answer."""
    return f"{mode}/{variant}" if variant else str(mode)


def column(rows: Sequence[Row], metric: str) -> Floats:
    """A metric of the rows as an array."""
    return as_array([row.value(metric) for row in rows])


def as_array(values: Sequence[float | None]) -> Floats:
    """Values as an array; NaN marks undefined and never leaves ``evals.aggregate``."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def slice_names(rows: Sequence[Row]) -> Iterator[str]:
    """``all`` and every ``property=value`` that occurs, sorted within the property."""
    yield ALL
    for name in dict.fromkeys(key for row in rows for key in row.slices):
        for value in sorted({row.slices[name] for row in rows if name in row.slices}):
            yield f"{name}={value}"


def terms(rows: Sequence[Row], metric: str) -> list[Floats]:
    """What ``evals.aggregate`` needs for a figure: one column, or the columns of a composite."""
    return [column(rows, part) for part in COMPOSITES.get(metric, (metric,))]
