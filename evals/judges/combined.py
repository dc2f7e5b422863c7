"""The combined judge: a logistic combination of the lexical and the LLM verdict.

The weights are fitted on the dev split of the check set and committed with their provenance; they belong to one
model and one pair of prompts, and ``CombinedJudge`` says so when it is given others.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals.judges.base import Judge, Verdict
from rag.errors import UsageError

_EDGE = 0.01  # probabilities are kept this far from 0 and 1: a log-odds of ±4.6 is as sure as one judge may be
_RIDGE = 1.0  # strength of the penalty on the weights, in cases; keeps separable data finite
_STEPS = 50  # Newton's method converges in fewer than 10 on this problem


@dataclass(frozen=True, slots=True)
class Weights:
    """``p = σ(bias + lexical · logit(p_lexical) + model · logit(p_model))``, and where the three come from."""

    bias: float
    lexical: float
    model: float
    provenance: dict[str, str]


class CombinedJudge:
    """Asks both judges and combines their log-odds."""

    def __init__(self, lexical: Judge, model: Judge, weights: Weights) -> None:
        """Combine two judges with fitted weights.

        Raises:
            UsageError: the weights were fitted for another model judge.
        """
        fitted_for = weights.provenance.get("judge", model.name)
        if fitted_for != model.name:
            raise UsageError(
                f"The combined weights were fitted for {fitted_for}, not {model.name}. Fit them: judge-check --fit"
            )
        self._lexical, self._model, self._weights = lexical, model, weights
        self.name = f"combined:{model.name}"

    def verdict(self, claim: str, passages: Sequence[str], *, question: str = "", lang: str = "zh") -> Verdict:
        """See :class:`evals.judges.base.Judge`."""
        if not passages:
            return Verdict(0.0, f"{self.name}: no passages")
        one = self._lexical.verdict(claim, passages, question=question, lang=lang)
        two = self._model.verdict(claim, passages, question=question, lang=lang)
        p = combine(self._weights, one.p_supported, two.p_supported)
        return Verdict(p, f"{self.name} ({one.p_supported:.2f} {one.source}; {two.p_supported:.2f} {two.source})")


def combine(weights: Weights, p_lexical: float, p_model: float) -> float:
    """The combined probability of two probabilities."""
    z = weights.bias + weights.lexical * _log_odds(p_lexical) + weights.model * _log_odds(p_model)
    return 1 / (1 + math.exp(-z))


def fit(
    p_lexical: Sequence[float], p_model: Sequence[float], labels: Sequence[bool], *, provenance: dict[str, str]
) -> Weights:
    """Ridge logistic regression by Newton's method; both classes weigh the same, whatever their numbers.

    Raises:
        ValueError: the labels are all equal, or the lengths differ.
    """
    x = np.array([[1.0, _log_odds(a), _log_odds(b)] for a, b in zip(p_lexical, p_model, strict=True)])
    y = np.asarray(labels, dtype=np.float64)
    if len(y) != len(x) or y.min(initial=1.0) == y.max(initial=0.0):
        raise ValueError(f"fitting needs positives and negatives, got {len(y)} labels of one kind")
    balance = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    penalty = _RIDGE * np.diag([0.0, 1.0, 1.0])
    w: NDArray[np.float64] = np.zeros(3)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (balance * (p - y)) + penalty @ w
        hessian = (x * (balance * p * (1 - p))[:, None]).T @ x + penalty
        w = w - np.linalg.solve(hessian, gradient)
    return Weights(float(w[0]), float(w[1]), float(w[2]), dict(provenance))


def load_weights(path: Path | None = None) -> Weights:
    """The committed weights, or those of a file.

    Raises:
        UsageError: the file cannot be read or lacks a field.
    """
    source = path or resources.files("evals.judges").joinpath("combined.json")
    try:
        row = json.loads(source.read_text(encoding="utf-8"))
        return Weights(float(row["bias"]), float(row["lexical"]), float(row["model"]), dict(row["provenance"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"The judge weights {source} cannot be read: {error!r}. Fit them: judge-check --fit"
        ) from error


def save_weights(weights: Weights, path: Path) -> None:
    """Write weights as JSON."""
    path.write_text(json.dumps(asdict(weights), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _log_odds(p: float) -> float:
    p = min(1 - _EDGE, max(_EDGE, p))
    return math.log(p / (1 - p))
