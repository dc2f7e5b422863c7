"""From a list of headings and blocks to entries: levels that lie, facets, spans."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.headings import parse
from ingest.outline import Block, BlockKind, Outline, stem
from rag.types import Document, Entry

# A level above the first heading's is meant only when at least this share of all headings has it.
_MIN_STRUCTURAL_SHARE = 0.1
# A heading that comes back below this many different parents names a facet of each (特点, 知识点, Usage).
_MIN_FACET_PARENTS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A block before its place in the outline is known.

    ``level`` is that of a heading (1 to 6), 0 for anything else; ``title`` its raw text; ``body_start`` where the
    line below it starts. ``labels`` name what stands above the part inside its section.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    title: str = ""
    body_start: int = 0
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class _Draft:
    """An entry whose end is not known yet."""

    title: str
    aliases: tuple[str, ...]
    path: tuple[str, ...]
    start: int
    body_start: int
    end: int = 0
    is_empty: bool = True


@dataclass(frozen=True, slots=True)
class _Open:
    """A heading that still holds what follows."""

    level: int
    path: tuple[str, ...]
    entry: int
    is_facet: bool


@dataclass(slots=True)
class _Assembly:
    document: Document
    top: tuple[str, ...]
    root: str
    drafts: list[_Draft] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    root_entry: int | None = None
    section: int = -1


def assemble(document: Document, parts: Sequence[Part], *, title: str = "") -> Outline:
    """Nest the parts of a document below its headings.

    Args:
        document: the source of all parts.
        parts: in order, without overlap.
        title: the title of the whole document; it comes first in every path. What stands before the first heading
            belongs to an entry of this name, or of the file's.
    """
    headings = [index for index, part in enumerate(parts) if part.level]
    levels = dict(zip(headings, _levels([parts[index].level for index in headings]), strict=True))
    names = {index: parse(parts[index].title) for index in headings}
    facets = _facets({index: names[index].title for index in headings}, levels)
    is_repeated = bool(headings) and names[headings[0]].title == title
    state = _Assembly(document, (title,) if title and not is_repeated else (), title or stem(document))
    for index, part in enumerate(parts):
        if not part.level:
            _add_body(state, part)
            continue
        _close(state, levels[index], part.start)
        above = state.stack[-1].path if state.stack else state.top
        path = (*above, names[index].title)
        if index in facets:
            entry = state.stack[-1].entry
        else:
            entry = len(state.drafts)
            state.drafts.append(_Draft(names[index].title, names[index].aliases, path, part.start, part.body_start))
        state.stack.append(_Open(levels[index], path, entry, index in facets))
        _add_block(state, part, entry, path)
    _close(state, 0, len(document.text))
    entries = tuple(
        Entry(document.file, d.title, d.aliases, d.path, d.start, d.body_start, d.end, d.is_empty) for d in state.drafts
    )
    return Outline(entries, tuple(state.blocks))


def _levels(raw: Sequence[int]) -> list[int]:
    """Lift stray levels: one above the first heading's that hardly occurs is a slip of the writer."""
    if not raw:
        return []
    base = raw[0]
    counts = Counter(raw)
    strays = {level for level, count in counts.items() if level < base and count < _MIN_STRUCTURAL_SHARE * len(raw)}
    return [base if level in strays else level for level in raw]


def _facets(titles: dict[int, str], levels: dict[int, int]) -> set[int]:
    """Headings whose text comes back below at least three different parents."""
    parents: dict[str, set[int]] = defaultdict(set)
    stack: list[int] = []
    below: dict[int, int] = {}
    for index, title in titles.items():
        while stack and levels[stack[-1]] >= levels[index]:
            stack.pop()
        if stack:
            below[index] = stack[-1]
            parents[title.casefold()].add(stack[-1])
        stack.append(index)
    return {index for index in below if len(parents[titles[index].casefold()]) >= _MIN_FACET_PARENTS}


def _close(state: _Assembly, level: int, end: int) -> None:
    while state.stack and state.stack[-1].level >= level:
        closed = state.stack.pop()
        if not closed.is_facet:
            state.drafts[closed.entry].end = end


def _add_body(state: _Assembly, part: Part) -> None:
    if not state.stack:
        if state.root_entry is None:
            state.root_entry = len(state.drafts)
            size = len(state.document.text)
            state.drafts.append(_Draft(state.root, (), (state.root,), part.start, part.start, size, is_empty=False))
        _add_block(state, part, state.root_entry, (state.root, *part.labels))
        return
    _add_block(state, part, state.stack[-1].entry, (*state.stack[-1].path, *part.labels))
    if part.kind != "heading":
        for heading in state.stack:
            state.drafts[heading.entry].is_empty = False


def _add_block(state: _Assembly, part: Part, entry: int, path: tuple[str, ...]) -> None:
    if not state.blocks or state.blocks[-1].entry != entry:
        state.section += 1
    state.blocks.append(Block(part.start, part.end, part.kind, entry, path, state.section))
