"""What a reader sees in a document: its entries and its blocks, with exact offsets."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from rag.types import Document, Entry

BlockKind = Literal["heading", "paragraph", "item", "code", "table"]

TAB_WIDTH = 4
_LINE = re.compile(r"[^\r\n]*(\r\n|\r|\n|\Z)")


@dataclass(frozen=True, slots=True)
class Block:
    """A slice of a document that can be evidence; blocks are in order and never overlap.

    ``entry`` is the index of the innermost entry that holds it. ``path`` names everything above it, outermost
    first; the path of a ``"heading"`` ends with its own name, and what stands below it has that path or a longer
    one. Blocks of different ``section`` never share a chunk.
    """

    start: int
    end: int
    kind: BlockKind
    entry: int
    path: tuple[str, ...]
    section: int = 0


@dataclass(frozen=True, slots=True)
class Outline:
    """The entries of a document in order of their start, and its blocks.

    Entries nest: the span of one that has others below it holds theirs. An entry is empty when no block but
    headings lies in its span.
    """

    entries: tuple[Entry, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its line break. ``indent`` counts the blank columns before its text, a tab up to four."""

    start: int
    end: int
    text: str
    indent: int

    @property
    def is_blank(self) -> bool:
        """Whether nothing visible stands in the line."""
        return not self.text.strip()

    @property
    def trimmed_end(self) -> int:
        """Where the text of the line ends, blank space behind it left out."""
        return self.start + len(self.text.rstrip())


def split_lines(text: str, start: int = 0, end: int | None = None) -> list[Line]:
    r"""The lines of ``text[start:end]``. A line ends with ``\n``, ``\r\n`` or ``\r``, never with another mark."""
    stop = len(text) if end is None else end
    lines: list[Line] = []
    position = start
    while position < stop:
        match = _LINE.match(text, position, stop)
        if match is None:
            break
        content = text[position : match.start(1)]
        lines.append(Line(position, match.start(1), content, _columns(content)))
        position = match.end()
    return lines


class LineNumbers:
    """Line numbers (from 1) of character offsets."""

    def __init__(self, text: str) -> None:
        self._starts = [line.start for line in split_lines(text)] or [0]

    def at(self, offset: int) -> int:
        """The line that holds the character at ``offset``."""
        return bisect_right(self._starts, offset)


def stem(document: Document) -> str:
    """What a document without a title is called: its row id or its file name without the ending."""
    name = document.file.rpartition("#")[2] if ".jsonl#" in document.file else PurePosixPath(document.file).stem
    return name or document.file


def _columns(content: str) -> int:
    columns = 0
    for character in content:
        if character == "\t":
            columns += TAB_WIDTH - columns % TAB_WIDTH
        elif character.isspace():
            columns += 1
        else:
            break
    return columns
