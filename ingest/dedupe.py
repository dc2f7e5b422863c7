"""Duplicates: the same chunk, line or document in several places. The only module that imports datasketch.

Equal means equal after folding and without blanks. A near duplicate shares at least 0.9 of its character shingles
with the chunk that stands for it (Broder, 1997; candidates from MinHash LSH, each verified), has the same numbers
and negations in the same order, and says nothing that the other does not say: notes that contradict each other must
both be found.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag.text import fold
from rag.types import Chunk, SourceSpan

THRESHOLD = 0.9
# A line of this many characters is rarely equal by chance ("pip install torch" is).
LINE_CHARS = 20
# Below this length a text lives off its heading ("Fast, but needs much memory.") and equals only one below the same.
_OWN_MEANING_CHARS = 60

_SHINGLE = 5
# Ten bands of six values find 99.95 % of the pairs at 0.9 and 15 % of those at 0.5, which the verification drops.
_PERMUTATIONS, _BANDS, _ROWS = 60, 10, 6
_SEED = 1
# A chunk is compared with so many others at most: thousands of filled-in forms would take time by the square.
_MOST_CANDIDATES = 50
# Knuth's multiplicative hashing: odd, so that it permutes the 32-bit numbers.
_HASH_FACTOR = 2654435761

_BLANK = re.compile(r"\s+")
_NUMBER_OR_NEGATION = re.compile(
    r"[+-]?\d+(?:[.,]\d+)*%?|[不没無无非未否勿莫]|\b(?:not?|never|none|neither|nor|without|cannot)\b|n't\b"
)
_LIST_MARKER = re.compile(r"^\s*(?:[-*+•]\s|\d+(?:[、)]|\.(?!\d)))", re.MULTILINE)
_SENTENCE_END = re.compile(r"[。!?;…\n]+|\.(?=\s|$)")
# What two copies of a sentence may differ in: marks, blanks, and particles.
_LIGHT = re.compile(r"[\s，、,.:：“”\"'‘’()《》\[\]【】*`_#>|的地得了着过也就都还又即其之吗呢吧啊]+")

Shingles = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Merge:
    """A chunk that another one stands for. ``similarity`` is the Jaccard index of their shingles; 1.0 when equal."""

    kept: Chunk
    dropped: Chunk
    similarity: float


@dataclass(frozen=True, slots=True)
class DocumentPair:
    """Two documents that are the same or nearly so."""

    file: str
    other: str
    similarity: float


@dataclass(frozen=True, slots=True)
class RepeatedLine:
    """A line that stands in several places; ``text`` as in the first of them."""

    text: str
    places: tuple[SourceSpan, ...]


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """What is there more than once. Only chunks were merged; documents and lines are reported."""

    merges: tuple[Merge, ...]
    documents: tuple[DocumentPair, ...]
    lines: tuple[RepeatedLine, ...]


@dataclass(frozen=True, slots=True)
class _Text:
    """A chunk as it is compared: folded, without blanks, and what the meaning of a short one depends on."""

    number: int
    chunk: Chunk
    folded: str
    bare: str
    heading: str
    shingles: Shingles

    @property
    def plain(self) -> str:
        """The folded text without list markers, which differ between copies."""
        return _LIST_MARKER.sub("", self.folded)


def merge(chunks: Sequence[Chunk]) -> tuple[list[Chunk], DuplicateReport]:
    """Keep one chunk of each set of duplicates, and note on it where the others stand.

    Returns:
        The chunks that stay, in input order, with the places of the others in ``also_at``; and what was found.
    """
    texts = _texts(chunks)
    merges = _find(texts, THRESHOLD)
    places: dict[str, list[SourceSpan]] = defaultdict(list)
    for one in merges:
        places[one.kept.chunk_id] += [_span(one.dropped), *one.dropped.also_at]
    dropped = {one.dropped.chunk_id for one in merges}
    kept = [
        replace(chunk, also_at=tuple(dict.fromkeys([*chunk.also_at, *places[chunk.chunk_id]])))
        if chunk.chunk_id in places
        else chunk
        for chunk in chunks
        if chunk.chunk_id not in dropped
    ]
    return kept, DuplicateReport(tuple(merges), tuple(_documents(texts)), tuple(_lines(texts)))


def find_duplicates(chunks: Sequence[Chunk], threshold: float = THRESHOLD) -> list[Merge]:
    """Pair every duplicate with the chunk that stands for it: the longest of its set, the first of equally long ones.

    ``threshold`` is the least Jaccard index of a near duplicate. In the order of the dropped chunks.
    """
    return _find(_texts(chunks), threshold)


def _texts(chunks: Sequence[Chunk]) -> list[_Text]:
    texts = []
    for number, chunk in enumerate(chunks):
        folded = fold(chunk.text)
        bare = _BLANK.sub("", folded)
        heading = fold(chunk.breadcrumb) if len(bare) < _OWN_MEANING_CHARS else ""
        texts.append(_Text(number, chunk, folded, bare, heading, _shingles(bare)))
    return texts


def _shingles(bare: str) -> Shingles:
    """Hashes of all runs of five characters, each once, sorted; a shorter text is one run."""
    codes = np.frombuffer(bare.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    count = max(1, len(codes) - _SHINGLE + 1)
    hashes = np.zeros(count if len(codes) else 0, dtype=np.uint32)
    for offset in range(min(_SHINGLE, len(codes))):
        hashes = (hashes ^ codes[offset : offset + count]) * np.uint32(_HASH_FACTOR)
        hashes ^= hashes >> np.uint32(15)
    return np.unique(hashes)


def _find(texts: Sequence[_Text], threshold: float) -> list[Merge]:
    firsts: dict[tuple[str, str], _Text] = {}
    same: list[tuple[_Text, _Text]] = []
    groups: dict[tuple[str, ...], list[_Text]] = defaultdict(list)
    for text in texts:
        first = firsts.setdefault((text.bare, text.heading), text)
        if first is text:
            groups[tuple(_NUMBER_OR_NEGATION.findall(text.plain))].append(text)
        else:
            same.append((first, text))
    near = {
        dropped.number: (kept, value) for group in groups.values() for kept, dropped, value in _near(group, threshold)
    }
    found = {text.number: near.get(first.number, (first, 1.0)) for first, text in same} | near
    return [Merge(kept.chunk, texts[number].chunk, value) for number, (kept, value) in sorted(found.items())]


def _near(group: Sequence[_Text], threshold: float) -> Iterator[tuple[_Text, _Text, float]]:
    """Near duplicates among texts with the same numbers and negations: (kept, dropped, similarity)."""
    ordered = sorted(group, key=lambda text: (-len(text.bare), text.number))

    def is_duplicate(longer: int, shorter: int) -> bool:
        return ordered[longer].heading == ordered[shorter].heading and _says_all(ordered[longer], ordered[shorter])

    for longer, shorter, value in _look_alikes([text.shingles for text in ordered], threshold, is_duplicate):
        yield ordered[longer], ordered[shorter], value


def _says_all(longer: _Text, shorter: _Text) -> bool:
    """Whether every sentence of the shorter text stands in the longer one, but for marks and particles."""
    return _sentences(shorter.plain) <= _sentences(longer.plain)


def _sentences(plain: str) -> set[str]:
    return {_LIGHT.sub("", sentence) for sentence in _SENTENCE_END.split(plain)} - {""}


def _look_alikes(
    shingles: Sequence[Shingles], threshold: float, accepts: Callable[[int, int], bool]
) -> Iterator[tuple[int, int, float]]:
    """Pair sets with the first earlier set that is like them, is accepted, and was not paired itself.

    Yields:
        (earlier, later, Jaccard index), at most one for each later set.
    """
    if len(shingles) < 2:
        return
    from datasketch import MinHash, MinHashLSH

    empty = MinHash(num_perm=_PERMUTATIONS, seed=_SEED, hashfunc=int)
    table = MinHashLSH(num_perm=_PERMUTATIONS, params=(_BANDS, _ROWS))
    for later, hashes in enumerate(shingles):
        sketch = empty.copy()
        sketch.update_batch(hashes.tolist())
        candidates = ((one, _jaccard(shingles[one], hashes)) for one in sorted(table.query(sketch))[:_MOST_CANDIDATES])
        pair = next(((one, value) for one, value in candidates if value >= threshold and accepts(one, later)), None)
        if pair is None:
            table.insert(later, sketch)
        else:
            yield pair[0], later, pair[1]


def _jaccard(one: Shingles, other: Shingles) -> float:
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / max(1, len(one) + len(other) - common)


def _documents(texts: Sequence[_Text]) -> Iterator[DocumentPair]:
    by_file: dict[str, list[Shingles]] = defaultdict(list)
    for text in texts:
        by_file[text.chunk.file].append(text.shingles)
    files = list(by_file)
    whole = [np.unique(np.concatenate(parts)) for parts in by_file.values()]
    for one, other, value in _look_alikes(whole, THRESHOLD, lambda _one, _other: True):
        yield DocumentPair(files[one], files[other], value)


def _lines(texts: Sequence[_Text]) -> Iterator[RepeatedLine]:
    """Long lines in several places; where chunks overlap, a place counts once."""
    places: dict[str, dict[tuple[str, int], SourceSpan]] = defaultdict(dict)
    samples: dict[str, str] = {}
    for text in texts:
        start = text.chunk.start
        lines = zip(text.chunk.text.split("\n"), text.folded.split("\n"), strict=True)
        for number, (line, folded) in enumerate(lines, text.chunk.line_start):
            bare = _BLANK.sub("", folded)
            if len(bare) >= LINE_CHARS:
                begin = start + len(line) - len(line.lstrip())
                end = begin + len(line.strip())
                places[bare].setdefault(
                    (text.chunk.file, begin), SourceSpan(text.chunk.file, begin, end, number, number)
                )
                samples.setdefault(bare, line.strip())
            start += len(line) + 1
    for bare, found in places.items():
        if len(found) > 1:
            yield RepeatedLine(samples[bare], tuple(found.values()))


def _span(chunk: Chunk) -> SourceSpan:
    return SourceSpan(chunk.file, chunk.start, chunk.end, chunk.line_start, chunk.line_end)
