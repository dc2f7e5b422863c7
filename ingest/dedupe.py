"""Merge chunks that say the same, so that one text takes one place in the results. Adapter of datasketch.

Candidates come from MinHash LSH over character shingles (Broder, 1997; Leskovec et al., Mining of Massive
Datasets, ch. 3) and are verified by their true Jaccard similarity. Chunks that differ in a number or in a
negation are never merged, however alike they look: they contradict each other, and the reader must see both.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.evidence import features
from rag.text import fold
from rag.types import Chunk, SourceSpan

SHINGLE_CHARS = 4
PERMUTATIONS = 64
# Below this two chunks state different things too often to hide one of them.
MIN_JACCARD = 0.9
# The LSH must not miss what verification would accept, so it looks a little lower.
LSH_THRESHOLD = 0.8
MIN_LINE_CHARS = 20
_BLANK = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """What was found: chunk ids that were merged into another, equal documents, lines of several chunks."""

    merged: dict[str, str]
    documents: tuple[tuple[str, ...], ...]
    lines: dict[str, tuple[str, ...]]


def merge(chunks: Sequence[Chunk], threshold: float = MIN_JACCARD) -> tuple[list[Chunk], DuplicateReport]:
    """Fold duplicates into one chunk each; the others become its ``also_at``.

    The longest of a group stays (ties: the first). The order of the chunks that stay is kept.

    Args:
        chunks: in the order of their files.
        threshold: the least Jaccard similarity of shingle sets, 0 to 1.
    """
    texts = [_BLANK.sub("", fold(chunk.text)) for chunk in chunks]
    groups = _groups(texts, threshold)
    places: dict[int, list[SourceSpan]] = defaultdict(list)
    merged: dict[str, str] = {}
    for group in groups:
        kept = max(group, key=lambda i: (len(texts[i]), -i))
        for i in group:
            if i != kept:
                places[kept].append(_place(chunks[i]))
                merged[chunks[i].chunk_id] = chunks[kept].chunk_id
    result = [
        replace(chunk, also_at=tuple(places[i])) if i in places else chunk
        for i, chunk in enumerate(chunks)
        if chunk.chunk_id not in merged
    ]
    return result, DuplicateReport(merged, _equal_documents(chunks, texts), _repeated_lines(chunks))


def _groups(texts: Sequence[str], threshold: float) -> list[list[int]]:
    """Groups of two or more texts that are duplicates of their first."""
    leader: dict[int, int] = {}
    for first, second in _pairs(texts, threshold):
        leader[second] = leader.get(first, first)
    groups: dict[int, list[int]] = defaultdict(list)
    for member, head in leader.items():
        groups[head].append(member)
    return [[head, *members] for head, members in sorted(groups.items())]


def _pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int]]:
    """(earlier, later) duplicates; every later text is named at most once."""
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=LSH_THRESHOLD, num_perm=PERMUTATIONS)
    exact: dict[str, int] = {}
    for i, text in enumerate(texts):
        if text in exact:
            yield exact[text], i
            continue
        exact[text] = i
        shingles = _shingles(text)
        sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update_batch([shingle.encode() for shingle in shingles])
        for j in sorted(lsh.query(sketch)):
            if _jaccard(shingles, _shingles(texts[j])) >= threshold and _agree(text, texts[j]):
                yield j, i
                break
        else:
            lsh.insert(i, sketch)


def _shingles(text: str) -> frozenset[str]:
    return frozenset(text[i : i + SHINGLE_CHARS] for i in range(max(1, len(text) - SHINGLE_CHARS + 1)))


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b)


def _agree(a: str, b: str) -> bool:
    one, other = features(a), features(b)
    return one.numbers == other.numbers and one.negated == other.negated


def _place(chunk: Chunk) -> SourceSpan:
    return SourceSpan(chunk.file, chunk.start, chunk.end, chunk.line_start, chunk.line_end)


def _equal_documents(chunks: Sequence[Chunk], texts: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of documents whose chunks hold the same text."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for chunk, text in zip(chunks, texts, strict=True):
        by_file[chunk.file].append(text)
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for file, parts in by_file.items():
        groups[tuple(parts)].append(file)
    return tuple(tuple(files) for files in groups.values() if len(files) > 1)


def _repeated_lines(chunks: Sequence[Chunk]) -> dict[str, tuple[str, ...]]:
    """Lines of some length that stand in several chunks, with the ids of these chunks."""
    places: dict[str, list[str]] = defaultdict(list)
    for chunk in chunks:
        for line in {_BLANK.sub("", fold(line)) for line in chunk.text.splitlines()}:
            if len(line) >= MIN_LINE_CHARS:
                places[line].append(chunk.chunk_id)
    return {line: tuple(ids) for line, ids in places.items() if len(ids) > 1}
