"""Choose the passages that fit a token budget, in the order of their rank."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.types import Passage


def pack(
    passages: Sequence[Passage], budget: int, cost: Callable[[Passage], int]
) -> tuple[list[Passage], list[Passage]]:
    """Split ``passages`` (best first) into those that fit ``budget`` tokens together and those that do not.

    A passage that does not fit is left out and smaller ones after it may still fit. The best passage is
    always packed: the engine refuses a prompt that is too long, so nothing is cut in silence. Packed
    passages are ranked anew from 1, because a citation marker is the rank of its passage.
    """
    packed: list[Passage] = []
    dropped: list[Passage] = []
    left = budget
    for passage in passages:
        tokens = cost(passage)
        if tokens <= left or not packed:
            packed.append(replace(passage, rank=len(packed) + 1))
            left -= tokens
        else:
            dropped.append(passage)
    return packed, dropped
