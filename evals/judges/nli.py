"""A cross-encoder trained on natural language inference as judge, for machines that have one.

No weights of this kind could be reached where this was written: the adapter is tested with a stand-in model, and
nothing is claimed about a real one. Run ``judge-check`` with it before believing its verdicts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evals.judges.base import Verdict
from rag.errors import ModelMissingError

ENTAILMENT = 1
"""Place of "entailment" among the labels of sentence-transformers' NLI cross-encoders."""


class PairScorer(Protocol):
    """What is used of a cross-encoder."""

    def predict(self, pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
        """Logits, shape (pairs, labels)."""


class NLIJudge:
    """Softmax probability of entailment, premise first; the best over the passages and their concatenation."""

    def __init__(self, scorer: PairScorer, *, name: str = "nli", entailment: int = ENTAILMENT) -> None:
        """Judge with a loaded model whose label number ``entailment`` means that the premise entails the claim."""
        self._scorer = scorer
        self._entailment = entailment
        self.name = name

    def verdict(self, claim: str, passages: Sequence[str], *, question: str = "", lang: str = "zh") -> Verdict:
        """See :class:`evals.judges.base.Judge`. Question and language are not read."""
        if not passages:
            return Verdict(0.0, f"{self.name}: no passages")
        premises = [*passages, "\n".join(passages)] if len(passages) > 1 else list(passages)
        logits = np.asarray(self._scorer.predict([(p, claim) for p in premises]), dtype=np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = powers[:, self._entailment] / powers.sum(axis=1)
        return Verdict(float(probabilities.max()), self.name)


def load_nli_judge(folder: Path, *, entailment: int = ENTAILMENT) -> NLIJudge:
    """Load a cross-encoder from a local folder; nothing is downloaded.

    Raises:
        ModelMissingError: the folder is not there.
    """
    if not folder.is_dir():
        raise ModelMissingError(f"No cross-encoder at {folder}. Put a sentence-transformers NLI model there.")
    from sentence_transformers import CrossEncoder

    return NLIJudge(CrossEncoder(str(folder), local_files_only=True), name=f"nli:{folder.name}", entailment=entailment)
