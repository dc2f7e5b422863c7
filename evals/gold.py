"""Whether a passage holds the gold: same file, and the gold's characters lie inside the passage's.

Gold is a file and a character span, never a chunk id, so a new chunker is measured by the same rule.
A passage that stands for near-duplicates (``also_at``) holds what any of its places holds.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from evals.types import GoldSpan


class Place(Protocol):
    """A span of a file; ``rag.types.Passage``, ``Citation`` and ``SourceSpan`` all are."""

    @property
    def file(self) -> str:
        """Relative to the ingested root."""

    @property
    def start(self) -> int:
        """First character."""

    @property
    def end(self) -> int:
        """One past the last character."""


def holds(passage: Place, span: GoldSpan) -> bool:
    """Whether the passage, or a place with the same text, contains the whole span."""
    places: tuple[Place, ...] = (passage, *getattr(passage, "also_at", ()))
    return any(place.file == span.file and place.start <= span.start and span.end <= place.end for place in places)


def holds_any(passage: Place, groups: Iterable[Sequence[GoldSpan]]) -> bool:
    """Whether the passage serves at least one evidence (a group of spans that are equally good)."""
    return any(holds(passage, span) for group in groups for span in group)


def served(passages: Iterable[Place], groups: Sequence[Sequence[GoldSpan]]) -> int:
    """How many of the evidences the passages serve together."""
    found = list(passages)
    return sum(any(holds(passage, span) for passage in found for span in group) for group in groups)
