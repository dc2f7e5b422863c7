"""Choose the passages that fit a token budget, in the order of their rank."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.types import Passage


@dataclass(frozen=True, slots=True)
class Dropped:
    """A passage that did not fit: the tokens it needs, and those that were left when its turn came."""

    passage: Passage
    tokens: int
    left: int

    def notes(self) -> dict[str, object]:
        """What a trace keeps of it, as plain JSON values."""
        one = self.passage
        return {
            "rank": one.rank,
            "chunk_id": one.chunk_id,
            "file": one.file,
            "entry": one.entry,
            "line_start": one.line_start,
            "line_end": one.line_end,
            "tokens": self.tokens,
            "left": self.left,
        }


def pack(
    passages: Sequence[Passage], budget: int, cost: Callable[[Passage], int]
) -> tuple[list[Passage], list[Dropped]]:
    """Split ``passages`` (best first) into those that fit ``budget`` tokens together and those that do not.

    A passage that does not fit is left out and smaller ones after it may still fit. The best passage is
    always packed: the engine refuses a prompt that is too long, so nothing is cut in silence. Packed
    passages are ranked anew from 1, because a citation marker is the rank of its passage.
    """
    packed: list[Passage] = []
    dropped: list[Dropped] = []
    left = budget
    for passage in passages:
        tokens = cost(passage)
        if tokens <= left or not packed:
            packed.append(replace(passage, rank=len(packed) + 1))
            left -= tokens
        else:
            dropped.append(Dropped(passage, tokens, max(left, 0)))
    return packed, dropped
