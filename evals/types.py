"""The nouns of the eval harness: cases, their evidence, and scores."""

from dataclasses import dataclass
from enum import StrEnum


class CaseType(StrEnum):
    """The nine kinds of question."""

    DEFINITION = "definition"
    PARAPHRASE = "paraphrase"
    DETAIL = "detail"
    COMPARISON = "comparison"
    MULTI_HOP = "multi_hop"
    CROSSLINGUAL = "crosslingual"
    NOISY = "noisy"
    FALSE_PREMISE = "false_premise"
    UNANSWERABLE = "unanswerable"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A verbatim quote from one line of ``file``; ``heading`` is for people, never for matching."""

    file: str
    heading: str
    quote: str


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """Where a quote stands: ``text_of(file)[start:end] == quote``, characters."""

    file: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Case:
    """One question with its gold. ``key_facts``: every fact is a tuple of accepted surface forms."""

    id: str
    question: str
    lang: str
    type: CaseType
    answerable: bool
    answer: str
    key_facts: tuple[tuple[str, ...], ...]
    evidence: tuple[Evidence, ...]

    @property
    def needs_all_evidence(self) -> bool:
        """Comparison and multi-hop questions need every evidence; the others are served by one."""
        return self.type in (CaseType.COMPARISON, CaseType.MULTI_HOP)


@dataclass(frozen=True, slots=True)
class Score:
    """A metric on one case. ``value`` is None where it is undefined, and ``reason`` says why."""

    metric: str
    value: float | None
    reason: str = ""
