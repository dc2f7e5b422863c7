"""Platt scaling (Platt, 1999): a raw probability made honest by a slope and a bias on its log-odds.

Small models lean towards yes whatever they are asked, so their raw one-token probability ranks well and decides
badly at one half. Slope and bias are fitted on the dev split of the check set, for one model and one language, and
committed with their provenance in ``calibration.json``. A model that is not in the file is used as it is.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import UsageError

_EDGE = 0.01  # probabilities are kept this far from 0 and 1: a log-odds of ±4.6 is as sure as one judge may be
_RIDGE = 1.0  # strength of the penalty on the weights, in cases; keeps separable data finite
_STEPS = 50  # Newton's method converges in fewer than 10 on these problems


@dataclass(frozen=True, slots=True)
class Calibration:
    """``p = σ(bias + slope · logit(raw))``."""

    bias: float = 0.0
    slope: float = 1.0

    def apply(self, raw: float) -> float:
        """The calibrated probability."""
        return sigmoid(self.bias + self.slope * log_odds(raw))


def fit_calibration(raw: Sequence[float], labels: Sequence[bool]) -> Calibration:
    """Fit slope and bias. Raises ValueError as ``logistic`` does."""
    bias, slope = logistic([[log_odds(p)] for p in raw], labels)
    return Calibration(bias, slope)


def logistic(features: Sequence[Sequence[float]], labels: Sequence[bool]) -> list[float]:
    """Ridge logistic regression by Newton's method, both classes weighing the same: the bias, then a weight a feature.

    Raises:
        ValueError: the labels are all equal, or not one per row.
    """
    y = np.asarray(labels, dtype=np.float64)
    if len(y) != len(features) or y.min(initial=1.0) == y.max(initial=0.0):
        raise ValueError(f"fitting needs positives and negatives, got {len(y)} labels for {len(features)} rows")
    x = np.column_stack([np.ones(len(y)), np.asarray(features, dtype=np.float64)])
    balance = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    penalty = _RIDGE * np.diag([0.0] + [1.0] * (x.shape[1] - 1))
    w: NDArray[np.float64] = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (balance * (p - y)) + penalty @ w
        hessian = (x * (balance * p * (1 - p))[:, None]).T @ x + penalty
        w = w - np.linalg.solve(hessian, gradient)
    return [float(value) for value in w]


def log_odds(p: float) -> float:
    """ln(p / (1 - p)), kept finite."""
    p = min(1 - _EDGE, max(_EDGE, p))
    return math.log(p / (1 - p))


def sigmoid(z: float) -> float:
    """The inverse of ``log_odds``."""
    return 1 / (1 + math.exp(-z))


def load_calibrations(model_id: str, path: Path | None = None) -> dict[str, Calibration]:
    """The calibrations of a model by language, from the committed file or another; empty for an unknown model.

    Raises:
        UsageError: the file cannot be read.
    """
    source = path or resources.files("evals.judges").joinpath("calibration.json")
    try:
        row = json.loads(source.read_text(encoding="utf-8")).get(model_id, {}).get("languages", {})
        return {lang: Calibration(float(c["bias"]), float(c["slope"])) for lang, c in row.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"The calibration {source} cannot be read: {error!r}. Restore the committed file.") from error


def save_calibrations(
    model_id: str, found: Mapping[str, Calibration], path: Path, *, provenance: Mapping[str, str]
) -> None:
    """Put a model's calibrations into the file, beside those of other models."""
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    languages = {lang: asdict(calibration) for lang, calibration in found.items()}
    rows[model_id] = {"languages": languages, "provenance": dict(provenance)}
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
