"""The combined judge: a logistic combination of the lexical and the LLM verdict.

The weights are fitted on the dev split of the check set and committed with their provenance; they belong to one
model and one pair of prompts, and ``CombinedJudge`` says so when it is given others.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from evals.judges.base import Judge, Verdict
from evals.judges.calibration import log_odds, logistic, sigmoid
from rag.errors import UsageError


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
                f"The combined weights were fitted for {fitted_for}, not {model.name}. "
                "Use the model they belong to, or fit them with evals.judge_check.fit_combined."
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
    return sigmoid(weights.bias + weights.lexical * log_odds(p_lexical) + weights.model * log_odds(p_model))


def fit(
    p_lexical: Sequence[float], p_model: Sequence[float], labels: Sequence[bool], *, provenance: dict[str, str]
) -> Weights:
    """Fit the weights; both classes weigh the same. Raises ValueError where there is only one class."""
    features = [[log_odds(a), log_odds(b)] for a, b in zip(p_lexical, p_model, strict=True)]
    bias, lexical, model = logistic(features, labels)
    return Weights(bias, lexical, model, dict(provenance))


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
            f"The judge weights {source} cannot be read: {error!r}. Fit them with evals.judge_check.fit_combined"
        ) from error


def save_weights(weights: Weights, path: Path) -> None:
    """Write weights as JSON."""
    path.write_text(json.dumps(asdict(weights), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
