"""What a judge is: it says how probable it is that given passages support a claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

THRESHOLD = 0.5
"""At this probability and above a claim counts as supported."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The probability (0..1) that the passages support the claim, and what in the judge decided it."""

    p_supported: float
    source: str

    @property
    def is_supported(self) -> bool:
        """Whether the claim counts as supported."""
        return self.p_supported >= THRESHOLD


class Judge(Protocol):
    """Decides whether a claim follows from passages. Equal arguments give equal verdicts."""

    @property
    def name(self) -> str:
        """How reports call the judge."""

    def verdict(self, claim: str, passages: Sequence[str], *, question: str = "", lang: str = "zh") -> Verdict:
        """Judge one claim against the passages together; without passages nothing is supported.

        Args:
            claim: one statement, without citation markers.
            passages: the texts that were in the prompt, or that the claim cites.
            question: what was asked, for judges that read it; it is never evidence.
            lang: language of the claim, ``zh`` or ``en``.

        Raises:
            EngineError: a model behind the judge failed.
        """
