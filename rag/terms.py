"""Names of entries inside a question: exact, whatever the case and script, or nearly right."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rapidfuzz import fuzz, process

from rag.errors import DamagedIndexError
from rag.manifest import REBUILD
from rag.text import HAN, fold
from rag.types import Chunk, Entry

# An entry with more chunks is a chapter: its name says little about which of them answers.
MAX_ROWS = 12
MIN_NAME_CHARS = 2
# Shorter words have too many neighbours to guess from.
MIN_FUZZY_LATIN = 5
MIN_FUZZY_HAN = 5
MIN_SIMILARITY = 85.0
FUZZY_FACTOR = 0.7
OTHER_CASE_FACTOR = 0.9
_WORD = re.compile(r"[^\W_\u2e80-\U000323af](?:[\w.+/-]*[^\W_\u2e80-\U000323af])?")
_LATIN = re.compile(r"[^\W_\u2e80-\U000323af]")


@dataclass(frozen=True, slots=True)
class Term:
    """An entry as the term index knows it: its names and the rows of the chunks that hold it."""

    title: str
    names: tuple[str, ...]
    file: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TermHit:
    """A term that was found in a question: which name, where (span in the folded question), how surely (0 to 1)."""

    term: int
    name: str
    start: int
    end: int
    exact: bool
    score: float


class TermIndex:
    """All names of all entries. Several entries may share a name; then all of them are found."""

    def __init__(self, terms: Sequence[Term], rarity: dict[str, float]) -> None:
        self.terms = tuple(terms)
        self._rarity = rarity
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for number, term in enumerate(self.terms):
            for name in dict.fromkeys(fold(name) for name in term.names):
                if len(name) >= MIN_NAME_CHARS:
                    self._by_name[name].append(number)
        self._longest = max(map(len, self._by_name), default=0)
        self._latin = [n for n in self._by_name if len(n) >= MIN_FUZZY_LATIN and not HAN.search(n)]
        self._han = [n for n in self._by_name if len(n) >= MIN_FUZZY_HAN and HAN.search(n)]

    @classmethod
    def from_entries(cls, entries: Sequence[Entry], chunks: Sequence[Chunk]) -> "TermIndex":
        """Index ``entries``; ``chunks`` are in row order and tell where an entry is and how common its names are."""
        places: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for row, chunk in enumerate(chunks):
            places[chunk.file].append((chunk.start, chunk.end, row))
            for other in chunk.also_at:
                places[other.file].append((other.start, other.end, row))
        terms = []
        for entry in entries:
            rows = [row for start, end, row in places[entry.file] if start < entry.end and end > entry.start]
            terms.append(Term(entry.title, (entry.title, *entry.aliases), entry.file, tuple(dict.fromkeys(rows))))
        return cls(terms, _rarity(terms, chunks))

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
        exactly the asked case goes before the same letters in another case. Words that match no name may be
        misspelt ones.
        """
        folded = fold(question)
        hits: list[TermHit] = []
        taken = [False] * len(folded)
        for start, end in self._spans(folded):
            if not any(taken[start:end]):
                taken[start:end] = [True] * (end - start)
                hits += self._hits(folded[start:end], question, (start, end))
        rest = "".join(" " if used else character for used, character in zip(taken, folded, strict=True))
        hits += self._misspelt(rest, {hit.term for hit in hits})
        return sorted(hits, key=lambda hit: (-hit.score, hit.start, hit.term))[:limit]

    def save(self, file: Path) -> None:
        """Write the index as JSON."""
        tree = {"terms": [asdict(term) for term in self.terms], "rarity": self._rarity}
        file.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> "TermIndex":
        """Read a saved index.

        Raises:
            DamagedIndexError: the file is missing or no term index.
        """
        try:
            tree = json.loads(file.read_text(encoding="utf-8"))
            terms = [Term(t["title"], tuple(t["names"]), t["file"], tuple(t["rows"])) for t in tree["terms"]]
            return cls(terms, tree["rarity"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedIndexError(f"The term index {file} cannot be read ({error}). {REBUILD}") from error

    def _spans(self, folded: str) -> list[tuple[int, int]]:
        """Where names stand in a folded text, longest first."""
        found = [
            (start, end)
            for start in range(len(folded))
            for end in range(start + MIN_NAME_CHARS, min(len(folded), start + self._longest) + 1)
            if folded[start:end] in self._by_name and _stands_free(folded, start, end)
        ]
        return sorted(found, key=lambda span: (span[0] - span[1], span[0]))

    def _hits(self, name: str, question: str, span: tuple[int, int]) -> Iterator[TermHit]:
        written = [any(n in question for n in self.terms[t].names if fold(n) == name) for t in self._by_name[name]]
        for number, exact in zip(self._by_name[name], written, strict=True):
            factor = 1.0 if exact or not any(written) else OTHER_CASE_FACTOR
            yield TermHit(number, name, *span, exact, factor * self._rarity.get(name, 1.0))

    def _misspelt(self, rest: str, known: set[int]) -> Iterator[TermHit]:
        guesses = [(m.group(), m.span(), self._latin, fuzz.ratio) for m in _WORD.finditer(rest)]
        guesses = [guess for guess in guesses if len(guess[0]) >= MIN_FUZZY_LATIN]
        guesses += [(run, (0, 0), self._han, fuzz.partial_ratio) for run in rest.split() if len(run) >= MIN_FUZZY_HAN]
        for text, span, names, scorer in guesses:
            best = process.extractOne(text, names, scorer=scorer, score_cutoff=MIN_SIMILARITY)
            # People rarely miss the first letter; ordinary English words that resemble a name often differ in it.
            if not best or (names is self._latin and best[0][0] != text[0]):
                continue
            for number in self._by_name[best[0]]:
                if number not in known:
                    known.add(number)
                    score = FUZZY_FACTOR * best[1] / 100 * self._rarity.get(best[0], 1.0)
                    yield TermHit(number, best[0], *span, False, score)


def _stands_free(text: str, start: int, end: int) -> bool:
    """Whether no Latin letter or digit continues a Latin name on either side."""
    before = start > 0 and _LATIN.match(text[start]) and _LATIN.match(text[start - 1])
    after = end < len(text) and _LATIN.match(text[end - 1]) and _LATIN.match(text[end])
    return not before and not after


def _rarity(terms: Sequence[Term], chunks: Sequence[Chunk]) -> dict[str, float]:
    """For each name 1 when no other chunk holds it, down to 0 when all do (a scaled inverse document frequency)."""
    texts = [fold(chunk.text) for chunk in chunks]
    total = math.log(1 + len(texts)) or 1.0
    names = dict.fromkeys(fold(name) for term in terms for name in term.names)
    return {name: round(1 - math.log(1 + sum(name in text for text in texts)) / total, 4) for name in names}
