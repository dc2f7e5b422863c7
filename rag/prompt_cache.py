"""Which part of the last prompt is still in the KV cache, and how the rest is evaluated.

Reuse must not change an answer. llama.cpp's CPU kernels give each row of a batch the same bits in any
batch of at least 64 rows, but other bits in smaller ones (flash attention switches from tiles of 64
queries to single rows; measured on two Qwen2.5 models, with repacked weights only multiples of 4 rows
agree). So every row of a prompt is evaluated in a batch of at least 64, and tokens that were
decoded one by one are not reused: a warm prompt then equals a cold one bit by bit.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from rag.errors import EngineError

# Below this many rows the attention kernel takes another path (see above).
MIN_ROWS = 64
# A CPU prefills 128 rows a call as fast as 512 (measured), and a cancel waits for one call only.
# Twice MIN_ROWS, so that equal batches never fall below it.
CPU_ROWS = 2 * MIN_ROWS


class Decoder(Protocol):
    """One sequence in a KV cache."""

    def decode(self, tokens: Sequence[int], position: int) -> None:
        """Evaluate tokens at ``position``; the logits of the last one can be read after it."""

    def forget(self, position: int) -> None:
        """Drop all tokens from ``position`` on."""


class PromptCache:
    """The tokens of the last prompt as they stand in the cache of ``decoder``; owned by one thread.

    ``rows`` is the most that one batch may hold; less than 128 counts as 128.
    """

    def __init__(self, decoder: Decoder, *, rows: int) -> None:
        self._decoder = decoder
        self._rows = max(rows, CPU_ROWS)
        self._tokens: list[int] = []

    def prefill(self, tokens: Sequence[int], is_cancelled: Callable[[], bool]) -> int | None:
        """Bring exactly ``tokens`` into the cache and evaluate the last one.

        Returns:
            How many tokens were reused, or None when it was cancelled between two batches.

        Raises:
            EngineError: llama.cpp could not evaluate a batch; the cache is empty then.
        """
        reused = self._reusable(tokens)
        self._tokens = []
        self._decoder.forget(reused)
        position = reused
        for size in batch_sizes(len(tokens) - reused, self._rows):
            if is_cancelled():
                self._keep(tokens[:position])
                return None
            try:
                self._decoder.decode(tokens[position : position + size], position)
            except EngineError:
                self._decoder.forget(0)
                raise
            position += size
        self._keep(tokens)
        return reused

    def _reusable(self, tokens: Sequence[int]) -> int:
        common = next(
            (i for i, (old, new) in enumerate(zip(self._tokens, tokens, strict=False)) if old != new),
            min(len(self._tokens), len(tokens)),
        )
        return max(0, min(common, len(tokens) - MIN_ROWS))

    def _keep(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens) if len(tokens) >= MIN_ROWS else []


def batch_sizes(count: int, rows: int) -> list[int]:
    """Cut ``count`` tokens into as few batches of at most ``rows`` as possible, all within one token of equal."""
    batches = -(-count // rows)
    return [count // batches + (i < count % batches) for i in range(batches)]
