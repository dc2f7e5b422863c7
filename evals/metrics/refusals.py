"""Refusals: silence where the notes hold no answer, and only there.

The headline is the RCG score, (accuracy on answerable + refusal recall on unanswerable) / 2: a system that always
answers, or always refuses, gets at most one half.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.metrics.answers import outcome
from evals.types import Case, Score
from rag.types import Answer


@dataclass(frozen=True, slots=True)
class Decision:
    """What was asked and what happened. ``is_correct`` matters for answerable cases only."""

    is_answerable: bool
    is_refused: bool
    is_correct: bool


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a risk–coverage curve: answering the ``coverage`` surest cases goes wrong at the rate ``risk``."""

    coverage: float
    risk: float
    confidence: float


def decide(case: Case, answer: Answer | None) -> Decision:
    """The decision behind an answer; a failed answer (None) is a wrong answer."""
    result = outcome(case, answer)
    return Decision(case.answerable, result == "refused", result == "correct")


def accuracy(decisions: Sequence[Decision]) -> Score:
    """|correct| / |answerable|."""
    answerable = [d for d in decisions if d.is_answerable]
    return _share("accuracy", sum(d.is_correct for d in answerable), len(answerable), "no answerable case")


def refusal_precision(decisions: Sequence[Decision]) -> Score:
    """|unanswerable and refused| / |refused|."""
    refused = [d for d in decisions if d.is_refused]
    return _share("refusal_precision", sum(not d.is_answerable for d in refused), len(refused), "nothing was refused")


def refusal_recall(decisions: Sequence[Decision]) -> Score:
    """|unanswerable and refused| / |unanswerable|."""
    unanswerable = [d for d in decisions if not d.is_answerable]
    refused = sum(d.is_refused for d in unanswerable)
    return _share("refusal_recall", refused, len(unanswerable), "no unanswerable case")


def over_refusal(decisions: Sequence[Decision]) -> Score:
    """|answerable and refused| / |answerable|; lower is better."""
    answerable = [d for d in decisions if d.is_answerable]
    return _share("over_refusal", sum(d.is_refused for d in answerable), len(answerable), "no answerable case")


def rcg_score(decisions: Sequence[Decision]) -> Score:
    """(accuracy + refusal recall) / 2, undefined unless both are defined."""
    right, silent = accuracy(decisions), refusal_recall(decisions)
    if right.value is None or silent.value is None:
        return Score("rcg_score", None, right.reason or silent.reason)
    return Score("rcg_score", (right.value + silent.value) / 2)


def refusal_scores(decisions: Sequence[Decision]) -> list[Score]:
    """All refusal measures of a set of cases."""
    measures = (accuracy, refusal_precision, refusal_recall, over_refusal, rcg_score)
    return [measure(decisions) for measure in measures]


def risk_coverage(confidences: Sequence[float], is_right: Sequence[bool]) -> list[Point]:
    """The curve of selective answering (El-Yaniv and Wiener, 2010), from the surest case to all; ties move together.

    ``is_right[i]``: whether answering case i would be right (never for an unanswerable case).
    """
    ordered = sorted(zip(confidences, is_right, strict=True), key=lambda pair: -pair[0])
    points, errors = [], 0
    for i, (confidence, right) in enumerate(ordered, start=1):
        errors += not right
        if i == len(ordered) or ordered[i][0] != confidence:
            points.append(Point(i / len(ordered), errors / i, confidence))
    return points


def area_under_risk(points: Sequence[Point]) -> Score:
    """The mean risk over coverage (AURC); lower is better."""
    if not points:
        return Score("aurc", None, "no cases")
    covered = [0.0, *(p.coverage for p in points)]
    return Score("aurc", sum((p.coverage - before) * p.risk for p, before in zip(points, covered, strict=False)))


def _share(metric: str, part: int, whole: int, reason: str) -> Score:
    return Score(metric, part / whole) if whole else Score(metric, None, reason)
