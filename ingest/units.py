"""What is embedded of a chunk: the whole, and when it is long also windows of its sentences.

A question often meets one sentence of a long chunk; a window of a few sentences lies nearer to it than
the whole does, and the chunk is what is returned (small to big). Measured on the development questions:
docs/decisions/0003-small-to-big.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rag.text import split_sentences
from rag.types import Chunk

# A chunk of at most this many characters is its own window.
MIN_CHUNK_CHARS = 160
WINDOW_CHARS = 140
MIN_WINDOW_CHARS = 15


@dataclass(frozen=True, slots=True)
class Unit:
    """A text that gets one vector, its title, and the row of the chunk that it stands for."""

    row: int
    title: str
    text: str


def units(chunks: Sequence[Chunk]) -> list[Unit]:
    """The units of all chunks; those of one chunk stand together, the whole first."""
    found: list[Unit] = []
    for row, chunk in enumerate(chunks):
        found.append(Unit(row, chunk.breadcrumb, chunk.text))
        found += [Unit(row, chunk.breadcrumb, chunk.text[start:end]) for start, end in windows(chunk.text)]
    return found


def windows(text: str) -> list[tuple[int, int]]:
    """Spans of consecutive sentences of about WINDOW_CHARS; none for a short text."""
    if len(text) <= MIN_CHUNK_CHARS:
        return []
    spans: list[tuple[int, int]] = []
    for start, end in split_sentences(text):
        if spans and end - spans[-1][0] <= WINDOW_CHARS:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return [(start, end) for start, end in spans if end - start >= MIN_WINDOW_CHARS] if len(spans) > 1 else []
