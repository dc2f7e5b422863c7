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
from rag.evidence import units_beyond
from rag.names import is_misspelt
from rag.support import Verdict
from rag.text import detect_language, fold
from rag.types import Passage

ENOUGH_ADDED = 4
# A probability of exactly 0 or 1 would outvote everything else.
_CLAMP = 1e-4
_LATIN = re.compile(r"[a-z][a-z0-9]*(?:[-.+_][a-z0-9]+)*")
_ENGLISH_NAME = re.compile(r"[A-Z][A-Za-z0-9-]*[A-Z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known about a drafted answer before it is shown.

    verified: log-odds of its yes to "is this answer backed by the notes, and does it answer the question".
    similarity: cosine of the question and what is nearest to it in the passages, -1 to 1.
    unfilled: share of the asked years, people and numbers that nothing holds which the draft leans on (rag.asked).
    unknown: share of the question's names that no passage holds.
    supported: share of the draft's sentences that words alone find in the notes (rag.support).
    added: how much the draft says beyond the question, 0 to 1, which ENOUGH_ADDED content units reach; 1 when all of
        the asked years, people and numbers are there, however short it is.
    english: 1 for an English question; the model's odds are lower there.
    """

    verified: float
    similarity: float
    unfilled: float
    unknown: float
    supported: float
    added: float
    english: float

    def values(self) -> dict[str, float]:
        """By name, as they stand in the trace."""
        return {name: round(float(value), 4) for name, value in asdict(self).items()}


# Fitted; see the module's docstring.
BIAS = -9.153
WEIGHTS = {
    "verified": 1.692,
    "similarity": 9.008,
    "unfilled": -3.161,
    "unknown": -7.410,
    "supported": 1.875,
    "added": 1.743,
    "english": 1.415,
}


def signals(
    question: str, draft: str, passages: Sequence[Passage], verdicts: Sequence[Verdict], verified: float
) -> Signals:
    """Gather the signals.

    ``verdicts``: on each sentence of the draft (rag.support). ``verified``: the model's probability that the draft is
    backed and answers.
    """
    texts = [" ".join((*passage.path, *passage.aliases, passage.text)) for passage in passages]
    backed = [verdict for verdict in verdicts if verdict.supported or verdict.is_near]
    empty = unfilled(question, [citation.quote for verdict in backed for citation in verdict.citations])
    return Signals(
        verified=log_odds(verified),
        similarity=max((part.score for passage in passages for part in passage.focus), default=0.0),
        unfilled=empty or 0.0,
        unknown=_unknown(question, texts),
        supported=len(backed) / max(len(verdicts), 1),
        added=1.0 if empty == 0.0 else _added(draft, question),
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


def _added(draft: str, question: str) -> float:
    return min(len(units_beyond(draft, question)) / ENOUGH_ADDED, 1.0)
