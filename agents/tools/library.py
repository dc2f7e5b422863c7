"""Entries of a notebook: found by name, opened as passages, and related to each other by outline and by naming."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from rag.notebook import Notebook
from rag.text import fold
from rag.types import Chunk, Entry, Passage

# Names rarer than this in the notes are taken to mean their entry; a common word is not.
MIN_RARITY = 0.3
NAMES_READ = 40
MIN_NAME_CHARS = 2
# A chapter may hold hundreds of chunks; a reader and a prompt need its beginning.
MAX_PASSAGES = 12


class Relation(StrEnum):
    """How an entry is related to another."""

    NAMES = "names"
    NAMED_BY = "named_by"
    ABOVE = "above"
    BELOW = "below"
    BESIDE = "beside"


@dataclass(frozen=True, slots=True)
class Related:
    """An entry that is related to another one."""

    title: str
    relation: Relation


class Library:
    """Looks entries up in one notebook. Reads the entries and chunks once."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    def find(self, name: str) -> Entry | None:
        """The entry with this title or alias (case, width and script folded); one with a body goes first."""
        wanted = fold(name.strip())
        named = [entry for entry in self._entries if wanted in map(fold, (entry.title, *entry.aliases))]
        return min(named, key=lambda entry: entry.is_empty, default=None) or self._looked_up(name)

    def nearest(self, name: str, n: int = 3) -> list[str]:
        """Titles of the entries whose names come closest, best first."""
        return self._notebook.index.terms.nearest(name, n)

    def passages(self, entry: Entry, limit: int = MAX_PASSAGES) -> list[Passage]:
        """The chunks of an entry in the order of the file, ranked from 1, at most ``limit``."""
        inside = [c for c in self._chunks if _holds(entry, c)]
        return [Passage.of(chunk, rank=rank) for rank, chunk in enumerate(inside[:limit], 1)]

    def text(self, entry: Entry) -> str:
        """The body of an entry, verbatim."""
        return self._notebook.document_text(entry.file)[entry.body_start : entry.end].strip()

    def related(self, entry: Entry, limit: int = 12) -> list[Related]:
        """Related entries: those it names, those that name it, then its place in the outline. None twice."""
        found: dict[str, Relation] = {}
        for title, relation in self._relations(entry):
            if title != entry.title:
                found.setdefault(title, relation)
        return [Related(title, relation) for title, relation in found.items()][:limit]

    def _relations(self, entry: Entry) -> Iterator[tuple[str, Relation]]:
        terms = self._notebook.index.terms
        for hit in sorted(terms.lookup(self.text(entry), limit=NAMES_READ), key=lambda hit: hit.start):
            if hit.exact and hit.score >= MIN_RARITY:
                yield terms.terms[hit.term].title, Relation.NAMES
        names = [name for name in map(fold, (entry.title, *entry.aliases)) if len(name) >= MIN_NAME_CHARS]
        for chunk, text in zip(self._chunks, self._folded, strict=True):
            if not _holds(entry, chunk) and any(name in text for name in names):
                yield chunk.entry, Relation.NAMED_BY
        yield from self._outline(entry)

    def _outline(self, entry: Entry) -> Iterator[tuple[str, Relation]]:
        if len(entry.path) > 1:
            yield entry.path[-2], Relation.ABOVE
        for other in self._entries:
            if other.file == entry.file and other.path[:-1] == entry.path:
                yield other.title, Relation.BELOW
        for other in self._entries:
            if other.file == entry.file and len(entry.path) > 1 and other.path[:-1] == entry.path[:-1]:
                yield other.title, Relation.BESIDE

    def _looked_up(self, name: str) -> Entry | None:
        """The entry whose name fills nearly all of ``name``: the term index forgives case, spaces and misspelling."""
        hits = self._notebook.index.terms.lookup(name, limit=1)
        if not hits or hits[0].end - hits[0].start < len(name.strip()) / 2:
            return None
        term = self._notebook.index.terms.terms[hits[0].term]
        named = [entry for entry in self._entries if (entry.title, entry.file) == (term.title, term.file)]
        return min(named, key=lambda entry: entry.is_empty, default=None)

    @cached_property
    def _entries(self) -> Sequence[Entry]:
        return list(self._notebook.entries())

    @cached_property
    def _chunks(self) -> Sequence[Chunk]:
        return list(self._notebook.chunks())

    @cached_property
    def _folded(self) -> Sequence[str]:
        return [fold(chunk.text) for chunk in self._chunks]


def _holds(entry: Entry, chunk: Chunk) -> bool:
    places = [(chunk.file, chunk.start, chunk.end), *((s.file, s.start, s.end) for s in chunk.also_at)]
    return any(file == entry.file and start < entry.end and end > entry.start for file, start, end in places)
