"""The entries of one index, for browsing: find by name, read, see what is related, and what is there twice.

Everything comes from the index; no model is loaded.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.index import VECTORS, Index
from rag.retrieval import VECTORS_PER_CHUNK
from rag.text import fold
from rag.types import Chunk, Entry

# Names are looked up in so much of an entry: reading a whole book takes seconds.
_READ_CHARS = 6000
_LINKS_READ = 60
# More common names stand in too many entries to say that two of them are related.
_MIN_RARITY = 0.6
_MIN_NAME_CHARS = 2
_KEY_CHARS = 12
_LATIN = r"[^\W\u2e80-\U000323af]"


@dataclass(frozen=True, slots=True)
class Related:
    """Entry numbers by how they are related: named in the entry, naming it, and near it in meaning; none twice."""

    mentions: tuple[int, ...]
    mentioned_by: tuple[int, ...]
    similar: tuple[int, ...]


class Shelf:
    """The entries of an index, numbered from 0 in their order. Safe to share between threads."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.entries: tuple[Entry, ...] = tuple(index.store.entries())
        self._related = lru_cache(maxsize=256)(self._find_related)

    def number(self, key: str) -> int | None:
        """The entry of a key; None when there is none."""
        return self._numbers.get(key)

    def key(self, number: int) -> str:
        """A short name of an entry that survives an ingest: a hash of its file and its place in the outline."""
        return self._keys[number]

    def holding(self, file: str, position: int) -> int | None:
        """The innermost entry that holds a character of a document; None where none does."""
        spans = [
            (e.end - e.start, n) for n, e in enumerate(self.entries) if e.file == file and e.start <= position < e.end
        ]
        return min(spans)[1] if spans else None

    def find(self, words: str) -> list[int]:
        """Entries whose names hold all these words: equal names first, then names that begin so, then the others.

        All entries, in the order of the notes, when there are no words.
        """
        wanted = fold(words).split()
        if not wanted:
            return list(range(len(self.entries)))
        whole = " ".join(wanted)
        ranked = []
        for number, names in enumerate(self._folded_names):
            if any(all(word in name for word in wanted) for name in names):
                place = 0 if whole in names else 1 if any(name.startswith(whole) for name in names) else 2
                ranked.append((place, number))
        return [number for _, number in sorted(ranked)]

    def text(self, number: int) -> str:
        """What an entry says, without its heading; empty for an entry that is only a name."""
        entry = self.entries[number]
        whole = self._index.store.document_text(entry.file) or ""
        return whole[entry.body_start : entry.end].strip("\n")

    def lines(self, number: int) -> tuple[int, int]:
        """The first and the last line of an entry in its file, heading included."""
        entry = self.entries[number]
        whole = self._index.store.document_text(entry.file) or ""
        return whole.count("\n", 0, entry.start) + 1, whole.count("\n", 0, max(entry.start, entry.end - 1)) + 1

    def related(self, number: int, limit: int = 8) -> Related:
        """What is related to an entry, at most ``limit`` of each kind, best first."""
        found = self._related(number)
        return Related(found.mentions[:limit], found.mentioned_by[:limit], found.similar[:limit])

    @cached_property
    def same_name(self) -> list[tuple[int, ...]]:
        """Entries with text that share a name, in groups of two and more, in the order of the notes."""
        groups: dict[str, list[int]] = defaultdict(list)
        for number, entry in enumerate(self.entries):
            if not entry.is_empty:
                groups[fold(entry.title)].append(number)
        return [tuple(group) for group in groups.values() if len(group) > 1]

    @cached_property
    def copies(self) -> list[Chunk]:
        """Chunks whose text stands in other places too (``also_at``), those with most places first."""
        found = [chunk for chunk in self._chunks if chunk.also_at]
        return sorted(found, key=lambda chunk: -len(chunk.also_at))

    def _find_related(self, number: int) -> Related:
        mentions = self._mentions(number)
        mentioned_by = self._mentioned_by(number, {number, *mentions})
        similar = self._similar(number, {number, *mentions, *mentioned_by})
        return Related(tuple(mentions), tuple(mentioned_by), tuple(similar))

    def _mentions(self, number: int) -> list[int]:
        hits = self._index.terms.lookup(self.text(number)[:_READ_CHARS], limit=_LINKS_READ)
        own = set(self._folded_names[number])
        found = (hit.term for hit in hits if hit.exact and hit.score >= _MIN_RARITY and hit.name not in own)
        return self._with_text(found, {number})

    def _mentioned_by(self, number: int, seen: set[int]) -> list[int]:
        entry = self.entries[number]
        names = [name for name in (entry.title, *entry.aliases) if len(name) >= _MIN_NAME_CHARS]
        if not names:
            return []
        pattern = re.compile("|".join(map(_standing_free, sorted(names, key=len, reverse=True))))
        counts = {row: len(pattern.findall(chunk.text)) for row, chunk in enumerate(self._chunks)}
        rows = sorted((row for row, count in counts.items() if count), key=lambda row: -counts[row])
        return self._with_text((self._by_row.get(row, number) for row in rows), seen)

    def _similar(self, number: int, seen: set[int], depth: int = 40) -> list[int]:
        rows = [row for row, owner in self._by_row.items() if owner == number]
        places = np.flatnonzero(np.isin(self._index.vector_rows, rows))[:VECTORS_PER_CHUNK]
        best: dict[int, float] = {}
        for place in places:
            for vector, score in self._index.dense.search(self._vectors[place], depth):
                owner = self._by_row.get(int(self._index.vector_rows[vector]), number)
                best[owner] = max(score, best.get(owner, score))
        return self._with_text(sorted(best, key=lambda owner: -best[owner]), seen)

    def _with_text(self, numbers: Iterable[int], seen: set[int]) -> list[int]:
        return [n for n in dict.fromkeys(numbers) if n not in seen and not self.entries[n].is_empty]

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = np.load(self._index.folder / VECTORS, mmap_mode="r", allow_pickle=False)
        return vectors

    @cached_property
    def _chunks(self) -> Sequence[Chunk]:
        return tuple(self._index.store.chunks())

    @cached_property
    def _by_row(self) -> dict[int, int]:
        """For each row the innermost entry that holds it; terms are numbered as entries are."""
        owners: dict[int, int] = {}
        for number, term in enumerate(self._index.terms.terms):
            entry = self.entries[number]
            for row in term.rows:
                before = self.entries[owners[row]] if row in owners else None
                if before is None or entry.end - entry.start < before.end - before.start:
                    owners[row] = number
        return owners

    @cached_property
    def _folded_names(self) -> list[tuple[str, ...]]:
        return [tuple(dict.fromkeys(map(fold, (entry.title, *entry.aliases)))) for entry in self.entries]

    @cached_property
    def _keys(self) -> list[str]:
        seen: dict[str, int] = defaultdict(int)
        keys = []
        for entry in self.entries:
            place = "\0".join((entry.file, *entry.path))
            seen[place] += 1
            keys.append(hashlib.sha256(f"{place}\0{seen[place]}".encode()).hexdigest()[:_KEY_CHARS])
        return keys

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self._keys)}


def _standing_free(name: str) -> str:
    """A pattern for a name; a Latin one must not be part of a longer word."""
    before = rf"(?<!{_LATIN})" if re.match(_LATIN, name) else ""
    after = rf"(?!{_LATIN})" if re.match(_LATIN, name[-1]) else ""
    return f"{before}{re.escape(name)}{after}"
