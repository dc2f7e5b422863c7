"""What is embedded of a chunk: the whole, and when it is long also its windows (rag/windows.py).

The chunk is what is returned, whichever of its units was met (small to big).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rag.types import Chunk
from rag.windows import windows


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
