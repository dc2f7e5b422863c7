"""The term index: which entries does a question name, and where are their chunks."""

import json
import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate, groupby, pairwise
from pathlib import Path

from rag.errors import DamagedIndexError
from rag.manifest import REBUILD
from rag.names import Match, Names, key_of
from rag.text import fold, fold_with_map
from rag.tokens import FUNCTION_WORDS
from rag.types import Chunk, Entry

# An entry with more chunks is a chapter: its name says little about which of them answers.
MAX_ROWS = 12
FUZZY_FACTOR = 0.7
OTHER_CASE_FACTOR = 0.9
# A name of one character is a common character far more often than that entry.
ONE_CHARACTER_FACTOR = 0.3
# Names below this stand in every other note ("训练", "层"): neither a part of a comparison nor a near entry.
WEAK_SCORE = 0.3
# A name of few pairs of characters must not look near only because it is short.
NEAREST_DAMPING = 2

_COMPARED = re.compile(
    r"区别|不同|差异|差别|差在|对比(?!学习|损失)|比较|相比|比起|异同|优劣|哪[个种一]?更|谁更"
    r"|\b(?:differ|differs|difference|differences|different|compare|compared|comparison|versus|vs|better)\b"
)
_JOINED = re.compile(r"\s*(?:和|与|跟|同|及|以及|还是|或|或者|对|比|、|/|&|,|，|vs\.?|versus|and|or|from|with|to)\s*")


@dataclass(frozen=True, slots=True)
class Term:
    """An entry as the term index knows it: its names and the rows of the chunks that hold it."""

    title: str
    names: tuple[str, ...]
    file: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TermHit:
    """A term that a question names.

    ``question[start:end]`` is where; ``name`` is what it matched, folded; ``exact`` when it is written letter by
    letter as the entry writes it. ``score`` is 0 to 1: how rare the name is in the notes, less for another case
    and for a misspelt name.
    """

    term: int
    name: str
    start: int
    end: int
    exact: bool
    score: float


class TermIndex:
    """All names of all entries. Several entries may share a name; then all of them are found."""

    def __init__(self, terms: Sequence[Term], rarity: Mapping[str, float]) -> None:
        self.terms = tuple(terms)
        self._rarity = dict(rarity)
        self._by_key: dict[str, list[int]] = defaultdict(list)
        folded = [dict.fromkeys(filter(str.strip, map(fold, term.names))) for term in self.terms]
        for number, names in enumerate(folded):
            for key in dict.fromkeys(map(key_of, names)):
                self._by_key[key].append(number)
        self._names = Names(name for names in folded for name in names)

    @classmethod
    def from_entries(cls, entries: Sequence[Entry], chunks: Sequence[Chunk]) -> "TermIndex":
        """Index ``entries``; ``chunks`` are in row order and tell where an entry is and how common its names are."""
        places: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for row, chunk in enumerate(chunks):
            places[chunk.file].append((chunk.start, chunk.end, row))
            for other in chunk.also_at:
                places[other.file].append((other.start, other.end, row))
        spans = {file: _Places(sorted(found)) for file, found in places.items()}
        nowhere = _Places([])
        terms = [
            Term(
                entry.title,
                tuple(dict.fromkeys((entry.title, *entry.aliases))),
                entry.file,
                spans.get(entry.file, nowhere).rows(entry.start, entry.end),
            )
            for entry in entries
        ]
        bare = cls(terms, {})
        return cls(terms, bare._rarities([chunk.text for chunk in chunks]))

    def names(self) -> list[str]:
        """Every name as it is written, without repetition."""
        return list(dict.fromkeys(name for term in self.terms for name in term.names))

    def rows(self, hit: TermHit) -> Sequence[int]:
        """The rows of the entry that was found; none for a whole chapter and for an empty entry."""
        rows = self.terms[hit.term].rows
        return rows if len(rows) <= MAX_ROWS else ()

    def lookup(self, question: str, limit: int = 20) -> list[TermHit]:
        """The terms that a text names, surest first.

        The longest names win and do not overlap. A Latin name must stand free of other Latin letters. A name in
        exactly the asked case goes before the same letters in another case. Words of a question that match no name
        may be misspelt ones. Empty for ``limit <= 0``.
        """
        folded, sources = fold_with_map(question)
        matches = self._names.longest(folded)
        hits = [hit for match in matches for hit in self._hits(match, question, sources)]
        known = {hit.term for hit in hits}
        for match in self._names.misspelt(folded, matches):
            hits += [hit for hit in self._hits(match, question, sources) if hit.term not in known]
        return sorted(hits, key=lambda hit: (-hit.score, hit.start, hit.term))[: max(limit, 0)]

    def parts(self, question: str) -> list[tuple[TermHit, ...]]:
        """The things that a question compares, in the order of the question, each with all its readings.

        Names that are joined ("A 和 B", "A vs B") are the parts; without any, all names of a question that speaks
        of a difference. Empty when the question compares nothing or names fewer than two different entries. Very
        common names are no parts.
        """
        found = [hit for hit in self.lookup(question, limit=len(self.terms)) if hit.score >= WEAK_SCORE]
        hits = sorted(found, key=lambda hit: (hit.start, -hit.score))
        groups = [tuple(group) for _, group in groupby(hits, key=lambda hit: (hit.start, hit.end))]
        joined = [
            _JOINED.fullmatch(fold(question[left[0].end : right[0].start])) is not None
            for left, right in pairwise(groups)
        ]
        if any(joined):
            kept = [a or b for a, b in zip([False, *joined], [*joined, False], strict=True)]
            groups = [group for group, is_joined in zip(groups, kept, strict=True) if is_joined]
        elif not _COMPARED.search(fold(question)):
            return []
        distinct = {frozenset(hit.term for hit in group): group for group in reversed(groups)}
        return list(reversed(distinct.values())) if len(distinct) > 1 else []

    def nearest(self, question: str, n: int = 3) -> list[str]:
        """Titles of the entries that come closest to a question, best first, at most ``n``, none twice.

        Entries that it names go first, then those whose names share most pairs of neighbouring characters with it.
        """
        near: dict[int, float] = defaultdict(float)
        near |= {hit.term: 1 + hit.score for hit in self.lookup(question) if hit.score >= WEAK_SCORE}
        shared = Counter(name for pair in _pairs(fold(question)) for name in self._by_pair.get(pair, ()))
        for (number, size), count in shared.items():
            near[number] = max(near[number], count / (size + NEAREST_DAMPING))
        best = sorted(near, key=lambda number: (-near[number], number))
        return list(dict.fromkeys(self.terms[number].title for number in best))[: max(n, 0)]

    def save(self, file: Path) -> None:
        """Write the index as JSON."""
        tree = {"terms": [asdict(term) for term in self.terms], "rarity": self._rarity}
        file.write_text(json.dumps(tree, ensure_ascii=True), encoding="ascii")

    @classmethod
    def load(cls, file: Path) -> "TermIndex":
        """Read a saved index.

        Raises:
            DamagedIndexError: the file is missing or no term index.
        """
        try:
            tree = json.loads(file.read_text(encoding="utf-8"))
            terms = [Term(t["title"], tuple(t["names"]), t["file"], tuple(t["rows"])) for t in tree["terms"]]
            return cls(terms, {key_of(name): float(rarity) for name, rarity in tree["rarity"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedIndexError(f"The term index {file} cannot be read ({error}). {REBUILD}") from error

    @cached_property
    def _by_pair(self) -> dict[str, list[tuple[int, int]]]:
        """For each pair of characters the names that hold it, as (term, number of pairs in the name)."""
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, term in enumerate(self.terms):
            for pairs in dict.fromkeys(frozenset(_pairs(fold(name))) for name in term.names):
                for pair in sorted(pairs):
                    found[pair].append((number, len(pairs)))
        return found

    def _hits(self, match: Match, question: str, sources: Sequence[int]) -> Iterator[TermHit]:
        start = sources[match.start]
        end = sources[match.end] if match.end < len(sources) else len(question)
        asked = question[start:end].strip()
        if match.key in FUNCTION_WORDS and asked == asked.casefold():
            return  # "can" is the verb, "CAN" may be an entry
        numbers = self._by_key[match.key]
        written = [asked in self.terms[number].names for number in numbers]
        score = self._rarity.get(match.key, 1.0)
        score *= FUZZY_FACTOR * match.similarity if match.similarity < 1 else 1.0
        score *= ONE_CHARACTER_FACTOR if len(match.key) == 1 else 1.0
        for number, exact in zip(numbers, written, strict=True):
            factor = 1.0 if exact or not any(written) else OTHER_CASE_FACTOR
            yield TermHit(number, match.key, start, start + len(question[start:end].rstrip()), exact, factor * score)

    def _rarities(self, texts: Sequence[str]) -> dict[str, float]:
        """For each name 1 when no text holds it, down to 0 when all do (a scaled inverse document frequency)."""
        holders = Counter(key for text in texts for key in {match.key for match in self._names.every(fold(text))})
        total = math.log(1 + len(texts)) or 1.0
        return {key: round(1 - math.log(1 + count) / total, 4) for key, count in sorted(holders.items())}


class _Places:
    """Spans of chunks in one file, by start."""

    def __init__(self, spans: Sequence[tuple[int, int, int]]) -> None:
        self._spans = spans
        self._starts = [start for start, _, _ in spans]
        self._furthest = list(accumulate((end for _, end, _ in spans), max))

    def rows(self, start: int, end: int) -> tuple[int, ...]:
        """Rows of the chunks that overlap a span, in the order of the file."""
        possible = self._spans[bisect_right(self._furthest, start) : bisect_left(self._starts, end)]
        return tuple(dict.fromkeys(row for _, chunk_end, row in possible if chunk_end > start))


def _pairs(folded: str) -> set[str]:
    return {folded[at : at + 2] for at in range(len(folded) - 1) if folded[at : at + 2].isalnum()}
