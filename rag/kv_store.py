"""KV states of prompt beginnings, kept outside the context: what one prompt read, any later one can take over.

A state is cut into blocks of ``BLOCK`` tokens. The key of a block hashes the key before it and its tokens, so the
keys form a tree: prompts share the blocks of their common beginning (system prompt, passages, earlier turns) and
branch after it. A key also covers everything that the bits of a state depend on (the root), so a wrong block cannot
be taken. Sources: automatic prefix caching in vLLM (Kwon et al., 2023), RAGCache (Jin et al., 2024).
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# Tokens of a block. A beginning is reused in whole blocks, so 8 tokens are read twice on average; a block of the
# 1.5B model is 0.46 MB and takes 0.2 ms to store or to load.
BLOCK = 16

State = NDArray[np.uint8]


class Tier(Protocol):
    """A slower, larger place for blocks."""

    def __contains__(self, key: bytes) -> bool:
        """Whether a block is there; ``get`` may still find it damaged."""

    def get(self, key: bytes) -> State | None:
        """The block, or None when it is not there or damaged."""

    def put(self, key: bytes, state: State) -> None:
        """Keep a block as long as there is room."""


def chain(root: bytes, tokens: Sequence[int]) -> Iterator[bytes]:
    """The keys of the whole blocks of ``tokens``, in order."""
    key = root
    for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
        key = hashlib.sha256(key + np.asarray(tokens[start : start + BLOCK], dtype=np.int32).tobytes()).digest()
        yield key


class KVStore:
    """Blocks within a budget of bytes; the least recently used go first, the ends of branches before their stems.

    Owned by one thread.

    Args:
        budget: bytes; 0 keeps nothing.
        root: everything besides the tokens that the bits of a state depend on.
        below: where blocks are kept, too, beyond this process.
    """

    def __init__(self, budget: int, *, root: bytes = b"", below: Tier | None = None) -> None:
        self._budget = budget
        self._root = root
        self._below = below
        self._blocks: OrderedDict[bytes, State] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return self._size

    def keys(self, tokens: Sequence[int]) -> list[bytes]:
        """The keys of the whole blocks of ``tokens``, in order."""
        return list(chain(self._root, tokens)) if self._budget or self._below else []

    def piece_key(self, context: Sequence[int], own: Sequence[int]) -> bytes:
        """The key of the state of ``own`` tokens alone, computed behind ``context``."""
        numbers = np.asarray([len(context), *context, *own], dtype=np.int32)
        return hashlib.sha256(b"piece" + self._root + numbers.tobytes()).digest()

    def held(self, keys: Sequence[bytes]) -> int:
        """How many of the first ``keys`` are there, without a gap."""
        return sum(1 for _ in takewhile(self.__contains__, keys))

    def __contains__(self, key: bytes) -> bool:
        return key in self._blocks or (self._below is not None and key in self._below)

    def get(self, key: bytes) -> State | None:
        """A block; None when it is not there (any more)."""
        state = self._blocks.get(key)
        if state is None and self._below is not None and (state := self._below.get(key)) is not None:
            self._hold(key, state)
        return state

    def put(self, key: bytes, state: State) -> None:
        """Keep a block."""
        self._hold(key, state)
        if self._below is not None and key not in self._below:
            self._below.put(key, state)

    def touch(self, keys: Sequence[bytes]) -> None:
        """Mark a branch as used just now; its stem counts as used after its end, so ends go first."""
        for key in reversed(keys):
            if key in self._blocks:
                self._blocks.move_to_end(key)

    def _hold(self, key: bytes, state: State) -> None:
        if key in self._blocks or state.nbytes > self._budget:
            return
        self._blocks[key] = state
        self._size += state.nbytes
        while self._size > self._budget:
            _, dropped = self._blocks.popitem(last=False)
            self._size -= dropped.nbytes
