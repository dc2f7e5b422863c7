"""Is every part of a sentence carried by what it cites?

Small models build a false sentence from true words: of a note's two halves one is given the other's part, or the
question's assumption is repeated as if it were a finding. Over the whole sentence the shares look well; in one of its
clauses they do not. So each clause is held against the cited sentences on its own, the words of the question included.
"""

import re
from collections.abc import Iterator, Sequence

from rag.evidence import EvidenceSentence, features, units_beyond
from rag.text import fold

# Clauses with fewer units say too little for a share.
MIN_UNITS = 4
MIN_NEW_UNITS = 2

_BORDERS = re.compile(
    r"(?<=[，；：。])\s*|(?<=[,;:])\s+|(?=是因为|因为|所以|因此|从而|而是|但是)"
    r"|(?=\b(?:because|so that|therefore|but)\b)"
)
# "训练后": a content word and where in its course something happens.
_POSITION = re.compile(r"(?=([\u3400-\u9fff]{2})之?([前后中]))")


def least_carried(text: str, question: str, cited: Sequence[EvidenceSentence]) -> float:
    """The smallest share, 0 to 1, of a clause that is carried.

    Of all that a clause says, what the cited sentences hold together; of what it adds to the question, what one of
    them holds alone: an addition put together from two sentences may join what the notes keep apart.
    """
    return min(_shares(text, question, cited), default=1.0)


def _shares(text: str, question: str, cited: Sequence[EvidenceSentence]) -> Iterator[float]:
    held = frozenset().union(*(sentence.units for sentence in cited))
    for clause in filter(str.strip, _BORDERS.split(text)):
        said, added = features(clause).units, units_beyond(clause, question)
        if len(said) >= MIN_UNITS:
            yield len(said & held) / len(said)
        if len(added) >= MIN_NEW_UNITS:
            yield max((len(added & sentence.units) / len(added) for sentence in cited), default=0.0)


def misplaced(text: str, cited: Sequence[EvidenceSentence]) -> frozenset[str]:
    """Where the sentence says "after" or "before" something and the notes say "during", and the like."""
    said = set(_POSITION.findall(fold(text)))
    known = {pair for sentence in cited for pair in _POSITION.findall(fold(sentence.text))}
    placed = {word for word, _ in known}
    return frozenset(word + place for word, place in said - known if word in placed)
