"""Cut documents into chunks along their outline, with exact offsets."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import groupby

from ingest.cut import UNCUT_FACTOR, CutLimits, cut
from ingest.outline import Block, BlockKind, LineNumbers, Outline, split_lines
from rag.settings import ChunkSettings
from rag.types import Chunk, Document, Entry

# A list item or a group of this size is a topic of its own: it starts a chunk, and what follows starts another.
_TOPIC_CHARS = 200
# A chunk below this size says too little alone and joins a neighbour.
_MIN_CHARS = 60
_ID_DIGITS = 16
# The rest of an entry that was cut for its size alone joins what is before it below this share of the target.
_MIN_REST_SHARE = 1 / 3
# Fences hold prose, too; a line with such marks is no code and may be cut like any other.
_PROSE = re.compile(r"[。，；！？]")
# A line that ends like this is continued by the next one.
_UNFINISHED = re.compile(r"[:：,，、]\s*$")


class _Seam(IntEnum):
    """How much speaks for a new chunk before an atom."""

    WEAK = 0
    SOFT = 1
    HARD = 2


@dataclass(frozen=True, slots=True)
class _Atom:
    """What is never cut: one or more blocks, or a piece of one. ``entry`` is that of its first block."""

    start: int
    end: int
    path: tuple[str, ...]
    entry: int
    kind: BlockKind
    seam: _Seam = _Seam.SOFT
    is_topic: bool = False
    is_group: bool = False

    @property
    def is_heading(self) -> bool:
        """Whether it is a lone heading, which leads what follows."""
        return self.kind == "heading" and not self.is_group


def chunk(document: Document, outline: Outline, settings: ChunkSettings) -> tuple[Chunk, ...]:
    """Cut a document into chunks.

    What fits ``max_chars`` stays whole: an entry, else a part of it below one heading or label, else a block. Longer
    ones are packed from their blocks up to about ``target_chars``; only single lines are cut, with an overlap.
    A chunk is longer than ``max_chars`` only where one word or line of code is.

    Returns:
        Chunks in order; each is an exact slice of ``document.text``. Headings with nothing below them are in none.
    """
    cutter = _Cutter(document.text, settings)
    parents = _parents(outline.entries)
    numbers = LineNumbers(document.text)
    chunks: list[Chunk] = []
    for _, section in groupby(outline.blocks, key=lambda block: block.section):
        blocks = list(section)
        if all(block.kind == "heading" for block in blocks):
            continue
        for atoms in cutter.pack(blocks):
            entry = _entry_of(atoms, outline.entries, parents)
            chunks.append(_chunk(document, atoms, entry=entry, numbers=numbers))
    return tuple(chunks)


def _chunk(document: Document, atoms: Sequence[_Atom], *, entry: Entry, numbers: LineNumbers) -> Chunk:
    start, end = atoms[0].start, atoms[-1].end
    text = document.text[start:end]
    digest = hashlib.sha256(f"{document.file}\0{start}\0{text}".encode()).hexdigest()
    return Chunk(
        chunk_id=digest[:_ID_DIGITS],
        file=document.file,
        entry=entry.title,
        aliases=entry.aliases,
        path=_common_path(atom.path for atom in _body(atoms)) or entry.path,
        start=start,
        end=end,
        line_start=numbers.at(start),
        line_end=numbers.at(end - 1),
        text=text,
    )


def _body(atoms: Sequence[_Atom]) -> Sequence[_Atom]:
    """The atoms that are no lone headings, or all where there are no others."""
    return [atom for atom in atoms if not atom.is_heading] or atoms


def _common_path(paths: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    common: tuple[str, ...] | None = None
    for path in paths:
        if common is None:
            common = path
            continue
        same = next(
            (i for i, (a, b) in enumerate(zip(common, path, strict=False)) if a != b), min(len(common), len(path))
        )
        common = common[:same]
    return common or ()


def _parents(entries: Sequence[Entry]) -> list[int]:
    """For each entry the index of the innermost one around it, or its own."""
    parents: list[int] = []
    stack: list[int] = []
    for index, entry in enumerate(entries):
        while stack and entries[stack[-1]].end <= entry.start:
            stack.pop()
        parents.append(stack[-1] if stack else index)
        stack.append(index)
    return parents


def _entry_of(atoms: Sequence[_Atom], entries: Sequence[Entry], parents: Sequence[int]) -> Entry:
    """The innermost entry that holds all of ``atoms``."""
    body = _body(atoms)
    index = body[0].entry
    while entries[index].end < body[-1].end and parents[index] != index:
        index = parents[index]
    return entries[index]


class _Cutter:
    """Packs the blocks of one section into chunks."""

    def __init__(self, text: str, settings: ChunkSettings) -> None:
        self._text = text
        self._max = settings.max_chars
        self._target = min(settings.target_chars, settings.max_chars)
        self._overlap = settings.overlap_sentences

    def pack(self, blocks: Sequence[Block]) -> list[list[_Atom]]:
        """Chunks of one section, each as its atoms."""
        if blocks[-1].end - blocks[0].start <= self._max:
            return [[self._atom(block) for block in blocks]]
        packed: list[list[_Atom]] = []
        for atom in self._atoms(blocks, lead=None):
            if not packed:
                packed.append([atom])
            elif self._breaks(packed[-1], atom):
                packed.append([*self._take_lead_in(packed[-1], atom), atom])
            else:
                packed[-1].append(atom)
        return self._join_small(packed)

    def _atom(self, block: Block) -> _Atom:
        is_topic = block.kind == "item" and block.end - block.start >= _TOPIC_CHARS
        seam = _Seam.WEAK if block.kind in ("code", "table") else _Seam.SOFT
        return _Atom(block.start, block.end, block.path, block.entry, block.kind, seam, is_topic)

    def _atoms(self, blocks: Sequence[Block], lead: int | None) -> list[_Atom]:
        """Atoms of a run of blocks. ``lead`` is where the headings begin that stand directly before it."""
        atoms: list[_Atom] = []
        seam: _Seam | None = None
        for unit in _units(blocks):
            first, last = unit[0], unit[-1]
            if last.end - (first.start if lead is None else lead) <= self._max:
                inner = [self._unit_atom(unit)]
            elif len(unit) > 1:
                begin = first.start if lead is None else lead
                heading = self._line_atoms(first, lead)
                inner = [replace(heading[0], seam=_Seam.HARD), *heading[1:], *self._atoms(unit[1:], begin)]
            else:
                inner = self._line_atoms(first, lead)
            if seam is not None:
                inner[0] = replace(inner[0], seam=seam)
            # What follows a group that was taken apart does not belong to the group.
            seam = _Seam.HARD if len(inner) > 1 and (len(unit) > 1 or inner[0].seam is _Seam.HARD) else None
            lead = (first.start if lead is None else lead) if inner[-1].is_heading else None
            atoms.extend(inner)
        return atoms

    def _unit_atom(self, unit: Sequence[Block]) -> _Atom:
        first, last = unit[0], unit[-1]
        if len(unit) == 1:
            return self._atom(first)
        is_topic = last.end - first.start >= _TOPIC_CHARS
        return replace(self._atom(first), end=last.end, is_topic=is_topic, is_group=True)

    def _line_atoms(self, block: Block, lead: int | None) -> list[_Atom]:
        """Atoms of a block that is too long: its lines, and pieces of lines that are too long themselves."""
        whole = self._atom(block)
        atoms: list[_Atom] = []
        for line in split_lines(self._text, block.start, block.end):
            if line.is_blank:
                continue
            room = self._max - (block.start - lead if lead is not None and not atoms else 0)
            # Beside a heading that fills most of a chunk there is no room; it stays alone.
            room = room if room >= self._target // 2 else self._max
            pieces = self._line_pieces(self._text[line.start : line.trimmed_end], room, is_code=block.kind == "code")
            for number, (start, end) in enumerate(pieces):
                seam = _Seam.HARD if number or (whole.is_topic and not atoms) else _Seam.SOFT
                is_topic = whole.is_topic and len(pieces) > 1
                atom = replace(whole, start=line.start + start, end=line.start + end, seam=seam, is_topic=is_topic)
                atoms.append(atom)
        return atoms

    def _line_pieces(self, line: str, room: int, *, is_code: bool) -> list[tuple[int, int]]:
        uncut = self._max * UNCUT_FACTOR if is_code and not _PROSE.search(line) else room
        if len(line) <= uncut:
            return [(0, len(line))]
        return cut(line, CutLimits(self._target, self._max, room, self._overlap))

    def _breaks(self, current: Sequence[_Atom], atom: _Atom) -> bool:
        """Whether a new chunk starts before ``atom``."""
        begin, end = current[0].start, current[-1].end
        if atom.end - begin > self._max:
            return True
        if all(part.is_heading for part in current):
            return False
        if atom.seam is _Seam.HARD:
            return True
        if atom.seam is _Seam.WEAK or self._continues(current[-1], atom):
            return False
        if atom.is_topic or any(part.is_topic for part in current):
            return True
        return atom.end - begin > self._target and end - begin >= self._target // 2

    def _take_lead_in(self, current: list[_Atom], atom: _Atom) -> list[_Atom]:
        """Take the line that announces ``atom`` (``An example:``) away from ``current`` when there is room."""
        last = current[-1]
        is_short = last.end - last.start < _MIN_CHARS and atom.end - last.start <= self._max
        if not is_short or atom.seam is _Seam.HARD or not self._continues(last, atom) or len(_body(current)) < 2:
            return []
        return [current.pop()]

    def _continues(self, before: _Atom, atom: _Atom) -> bool:
        """Whether a sentence or a list goes on from ``before`` into ``atom``, or ``atom`` is only marks."""
        if _UNFINISHED.search(self._text, max(before.start, before.end - 2), before.end):
            return True
        head = self._text[atom.start : atom.end][:_MIN_CHARS]
        if not any(character.isalnum() for character in head):
            return True
        return self._text[before.end - 1].islower() and head.lstrip()[:1].islower()

    def _join_small(self, packed: list[list[_Atom]]) -> list[list[_Atom]]:
        """Join chunks that say too little to a neighbour below the same parent."""
        joined: list[list[_Atom]] = []
        for atoms in packed:
            if joined and (self._is_joinable(atoms, joined[-1]) or self._is_joinable(joined[-1], atoms)):
                joined[-1].extend(atoms)
            else:
                joined.append(atoms)
        return joined

    def _is_joinable(self, small: Sequence[_Atom], other: Sequence[_Atom]) -> bool:
        """Whether ``small`` is small and loses nothing beside ``other``, which must say itself what it is about."""
        is_plain = not any(atom.is_topic for atom in (*small, *other))
        if max(small[-1].end, other[-1].end) - min(small[0].start, other[0].start) > self._max:
            return False
        path = _common_path(atom.path for atom in _body(small))
        if all(atom.is_heading for atom in small):
            path = path[:-1]
        theirs = _common_path(atom.path for atom in _body(other))
        names_itself = other[0].is_heading or other[0].is_group
        size = small[-1].end - small[0].start
        if theirs == path:
            return size < (self._target * _MIN_REST_SHARE if is_plain else _MIN_CHARS)
        return size < _MIN_CHARS and names_itself and theirs[: len(path)] == path


def _units(blocks: Sequence[Block]) -> Iterator[Sequence[Block]]:
    """Blocks that belong together: a heading with all that stands below it, else a single block."""
    index = 0
    while index < len(blocks):
        first = blocks[index]
        end = index + 1
        if first.kind == "heading":
            depth = len(first.path)
            while end < len(blocks) and len(blocks[end].path) >= depth + (blocks[end].kind == "heading"):
                end += 1
        yield blocks[index:end]
        index = end
