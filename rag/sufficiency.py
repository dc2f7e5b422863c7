"""May this answer be shown? A calibrated probability that the notes hold the answer to the question.

No single signal is enough: the model says yes to near misses, similarity finds the right entry without the asked
year, and an invented number looks like any other. So several signals go into one logistic regression, fitted on
questions with known answers by ``python -m evals fit-gate`` (folds and figures: docs/decisions/0008-sufficiency.md).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rag.asked import unfilled
from rag.evidence import EvidenceSentence, features, is_foreign
from rag.names import is_misspelt
from rag.text import detect_language, fold
from rag.types import Passage

# A probability of exactly 0 or 1 would outvote everything else.
_CLAMP = 1e-4
_LATIN = re.compile(r"[a-z][a-z0-9]*(?:[-.+_][a-z0-9]+)*")
_ENGLISH_NAME = re.compile(r"[A-Z][A-Za-z0-9-]*[A-Z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known about a drafted answer before it is shown.

    verified: log-odds of its yes to "is this answer backed by the notes, and does it answer the question".
    similarity: cosine of the question and what is nearest to it in the passages, -1 to 1.
    unfilled: share of the asked years, people and numbers that no passage holds (rag.asked).
    unknown: share of the question's names that no passage holds.
    covered: share of the draft's content units that two sentences of the notes hold; 0 for an English draft over
        Chinese notes, which share hardly any.
    english: 1 for an English question; the model's odds are lower there.
    """

    verified: float
    similarity: float
    unfilled: float
    unknown: float
    covered: float
    english: float

    def values(self) -> dict[str, float]:
        """By name, as they stand in the trace."""
        return {name: round(float(value), 4) for name, value in asdict(self).items()}


# Fitted; see the module's docstring.
BIAS = -10.435
WEIGHTS = {
    "verified": 2.819,
    "similarity": 7.986,
    "unfilled": -1.968,
    "unknown": -5.998,
    "covered": 1.732,
    "english": 2.366,
}


def signals(
    question: str,
    draft: str,
    passages: Sequence[Passage],
    evidence: Sequence[EvidenceSentence],
    verified: float,
) -> Signals:
    """Gather the signals; ``verified`` is the model's probability that the draft is backed and answers."""
    texts = [" ".join((*passage.path, *passage.aliases, passage.text)) for passage in passages]
    return Signals(
        verified=log_odds(verified),
        similarity=max((part.score for passage in passages for part in passage.focus), default=0.0),
        unfilled=unfilled(question, texts),
        unknown=_unknown(question, texts),
        covered=_covered(draft, evidence),
        english=float(detect_language(question) == "en"),
    )


def probability(found: Signals) -> float:
    """The probability that the notes hold the answer, 0 to 1."""
    odds = BIAS + sum(WEIGHTS[name] * value for name, value in asdict(found).items())
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


def log_odds(probability: float) -> float:
    """The natural log-odds of a probability."""
    clamped = min(max(probability, _CLAMP), 1 - _CLAMP)
    return math.log(clamped / (1 - clamped))


def _unknown(question: str, texts: Sequence[str]) -> float:
    """The share of the Latin names in the question that stand in no text; in English only what is spelt like a name."""
    is_english = detect_language(question) == "en"
    names = (
        {fold(name) for name in _ENGLISH_NAME.findall(question)} if is_english else set(_LATIN.findall(fold(question)))
    )
    names = {name for name in names if len(name) > 1}
    read = fold("\n".join(texts))
    words = sorted(set(_LATIN.findall(read)))
    return sum(name not in read and not is_misspelt(name, words) for name in names) / max(len(names), 1)


def _covered(draft: str, evidence: Sequence[EvidenceSentence]) -> float:
    """The share of the draft's units that its best two sentences of evidence hold, headings included; see Signals."""
    if is_foreign(draft, evidence):
        return 0.0
    units = features(draft).units
    left = units
    for _ in range(2):
        left = left - max(
            (sentence.units for sentence in evidence), key=lambda held: len(left & held), default=frozenset()
        )
    return 1 - len(left) / len(units) if units else 0.0
