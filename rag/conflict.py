"""Find where the notes disagree: two places that say the same of the same thing, with different numbers.

A disagreement is only reported when it is plain: both sentences name the same subject, share most of their other
words, count the same unit, and have no number of that unit in common. Two sources that merely differ in
detail are no conflict.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from rag.evidence import EvidenceSentence
from rag.text import fold

# The shorter sentence must have at least this share of its words (numbers aside) in the other one.
MIN_SHARED = 0.5
MIN_SHARED_UNITS = 3
MIN_NAME_CHARS = 2
# A number with what it counts: the character or word behind it.
_COUNTED = re.compile(r"(\d+(?:[.,]\d+)*)\s*(%|[a-z]+|[\u3400-\u9fff]{1,2})")


def conflicts(
    cited: Iterable[EvidenceSentence], evidence: Sequence[EvidenceSentence]
) -> Iterator[tuple[EvidenceSentence, EvidenceSentence]]:
    """Pairs of a cited sentence and another one, from another chunk, that contradicts it in a number."""
    for sentence in cited:
        for other in evidence:
            if other.passage.chunk_id != sentence.passage.chunk_id and _disagree(sentence, other):
                yield sentence, other


def _same_subject(a: EvidenceSentence, b: EvidenceSentence) -> bool:
    """Whether the entry of one is named in the other's sentence or headings."""
    return _names(a, b) or _names(b, a)


def _names(a: EvidenceSentence, b: EvidenceSentence) -> bool:
    where = fold("\n".join((b.text, b.passage.entry, *b.passage.path, *b.passage.aliases)))
    names = (fold(name) for name in (a.passage.entry, *a.passage.aliases))
    return any(len(name) >= MIN_NAME_CHARS and name in where for name in names)


def _disagree(a: EvidenceSentence, b: EvidenceSentence) -> bool:
    if not _same_subject(a, b):
        return False
    counted_a, counted_b = _counted(a.text), _counted(b.text)
    units = counted_a.keys() & counted_b.keys()
    if not units or any(counted_a[unit] & counted_b[unit] for unit in units):
        return False
    words_a, words_b = a.units - a.features.numbers, b.units - b.features.numbers
    shared = words_a & words_b
    smaller = min(len(a.features.units - a.features.numbers), len(b.features.units - b.features.numbers))
    return len(shared) >= max(MIN_SHARED_UNITS, MIN_SHARED * smaller)


def _counted(text: str) -> dict[str, set[str]]:
    """The numbers of a sentence by what they count."""
    found: dict[str, set[str]] = {}
    for number, unit in _COUNTED.findall(fold(text)):
        found.setdefault(unit, set()).add(number.replace(",", ""))
    return found
