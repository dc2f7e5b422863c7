"""Fit the weights of ``rag.sufficiency`` on a run: logistic regression, held out by source section.

Every RCG answer of a run has its signals in its trace, whatever the weights were when it was made. Cases of one
section of the notes (the file and heading of their evidence, else of the best passage) stay in one of five folds,
so that a figure never comes from a model that saw the section. The operating point is the threshold with the best
mean RCG score over the held-out folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from evals.cases import LocatedCase
from evals.metrics.answers import key_fact_recall, said
from evals.runs import Answered, Run
from evals.tables import Table
from rag.errors import UsageError
from rag.sufficiency import WEIGHTS
from rag.types import Answer, Mode

Floats = NDArray[np.float64]

FOLDS = 5
# Ridge penalty on standardised signals; chosen once, the folds differ little between 0.3 and 3.
PENALTY = 1.0
STEPS = 50
THRESHOLDS = tuple(round(0.2 + 0.05 * i, 2) for i in range(14))


@dataclass(frozen=True, slots=True)
class Example:
    """One answered question: its signals, its fold, whether the notes hold the answer, whether the text was right."""

    signals: tuple[float, ...]
    fold: int
    is_answerable: bool
    is_right: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights in the order of ``rag.sufficiency.WEIGHTS``, the bias, and the held-out probability of every example."""

    weights: tuple[float, ...]
    bias: float
    held_out: Floats


def examples(run: Run) -> list[Example]:
    """The RCG answers of a run.

    Raises:
        UsageError: the run holds no RCG answer with signals, or only answerable or only unanswerable questions.
    """
    records = [a for a in run.answers if a.mode is Mode.RCG and not a.variant and a.answer is not None]
    found = [one for record in records if (one := _example(run.cases[record.case_id], record)) is not None]
    if len({one.is_answerable for one in found}) < 2:
        raise UsageError("The gate is fitted on a run with answers to answerable and unanswerable questions in RCG.")
    return found


def fit(found: Sequence[Example]) -> Fit:
    """Fit on all examples, and on each four fifths for the held-out probabilities."""
    x = np.array([one.signals for one in found], dtype=np.float64)
    y = np.array([one.is_answerable for one in found], dtype=np.float64)
    folds = np.array([one.fold for one in found])
    held_out = np.zeros(len(found))
    for fold in range(FOLDS):
        rest = folds != fold
        weights, bias = _logistic(x[rest], y[rest])
        held_out[~rest] = _probability(x[~rest], weights, bias)
    weights, bias = _logistic(x, y)
    return Fit(tuple(float(w) for w in weights), bias, held_out)


def operating_points(found: Sequence[Example], fitted: Fit) -> Table:
    """Refusals and the RCG score at each threshold, held out."""
    rows = []
    for threshold in THRESHOLDS:
        refused = fitted.held_out < threshold
        answerable = np.array([one.is_answerable for one in found])
        right = np.array([one.is_right for one in found]) & ~refused
        recall, over = refused[~answerable].mean(), refused[answerable].mean()
        accuracy = right[answerable].mean()
        figures = (threshold, (accuracy + recall) / 2, accuracy, recall, over)
        rows.append([f"{figure:.3f}" for figure in figures])
    columns = ["threshold", "RCG score", "accuracy", "refusal recall", "over-refusal"]
    return Table("Operating points, held out by section", columns, rows)


def weights_table(fitted: Fit) -> Table:
    """The weights as they belong into rag/sufficiency.py."""
    rows = [[name, f"{weight:.3f}"] for name, weight in zip(WEIGHTS, fitted.weights, strict=True)]
    return Table("Weights", ["signal", "weight"], [*rows, ["bias", f"{fitted.bias:.3f}"]])


def _example(located: LocatedCase, record: Answered) -> Example | None:
    answer = record.answer
    notes = next((span.notes for span in answer.trace if span.name == "judge"), None) if answer else None
    if answer is None or notes is None:
        return None
    case = located.case
    written = "\n".join([said(answer), *_drafts(answer)])
    section = f"{case.evidence[0].file}|{case.evidence[0].heading}" if case.evidence else _best_place(answer)
    return Example(
        signals=tuple(float(str(notes[name])) for name in WEIGHTS),
        fold=int(sha256(section.encode()).hexdigest(), 16) % FOLDS,
        is_answerable=case.answerable,
        is_right=case.answerable and key_fact_recall(case, written).value == 1.0,
    )


def _drafts(answer: Answer) -> list[str]:
    """What a refused answer would have shown cannot be known any more; its draft stands for it."""
    return [str(span.notes.get("text", "")) for span in answer.trace if span.name == "write" and not answer.sentences]


def _best_place(answer: Answer) -> str:
    return f"{answer.passages[0].file}|{answer.passages[0].entry}" if answer.passages else ""


def _logistic(x: Floats, y: Floats) -> tuple[Floats, float]:
    """Newton's method with a ridge penalty; both classes weigh the same, as in the RCG score."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.c_[(x - mean) / scale, np.ones(len(x))]
    share = y.mean()
    balance = np.where(y == 1, 0.5 / share, 0.5 / (1 - share))
    ridge = np.eye(z.shape[1]) * PENALTY
    ridge[-1, -1] = 0.0
    w = np.zeros(z.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-z @ w))
        gradient = z.T @ (balance * (p - y)) + ridge @ w
        w -= np.linalg.solve((z * (balance * p * (1 - p))[:, None]).T @ z + ridge, gradient)
    weights = w[:-1] / scale
    return weights, float(w[-1] - mean @ weights)


def _probability(x: Floats, weights: Floats, bias: float) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(x @ weights + bias))))
