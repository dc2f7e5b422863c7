"""What is gathered while one question is answered."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.types import Sentence, Span


@dataclass(slots=True)
class Draftbook:
    """What was gathered so far while one question is answered.

    ``asked`` is the question as the model gets it, where that says more than the question as it was asked. ``told``
    are the earlier (question, answer) pairs that the model gets, oldest first.
    """

    asked: str = ""
    told: Sequence[tuple[str, str]] = ()
    sentences: list[Sentence] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)

    def time(self, name: str, started: float, **notes: object) -> None:
        """Record a finished stage."""
        seconds = time.perf_counter() - started
        self.timings[name] = seconds
        self.spans.append(Span(name, seconds, notes))
