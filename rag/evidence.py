"""What a sentence claims and how much of it a piece of evidence holds, without a model.

A text is reduced to content units: bigrams of Chinese characters, whole Latin words, and numbers, all
after folding (NFKC, case, script). Coverage is the share of the claim's units that the evidence holds
too, the containment measure of Broder (1997). Numbers, names and negations are compared on their own,
because one changed digit leaves coverage almost untouched and turns the statement wrong.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from rag.orders import gives_orders
from rag.text import detect_language, fold, split_sentences
from rag.types import Citation, Passage

_CJK_RUN = re.compile(r"[\u3400-\u9fff]+")
_LATIN = re.compile(r"[a-z][a-z0-9_]*(?:[-.+/][a-z0-9]+)*")
_NUMBER = re.compile(r"±?\d+(?:[.,]\d+)*%?")
_NEGATED = re.compile(r"(?:不是|不|没有|没|無|无|未|非|并非|不能|不会|无法)([\u3400-\u9fff]{2})")
# Characters that carry grammar, not content: a bigram with one of them mostly joins two words.
_FUNCTION = frozenset("的了是在和与及或而也就都被把对为以于其这那有个之所会能可到从将并但则即如叫称作它吗呢什么哪")
_STOP_WORDS = frozenset(
    "a an the is are was were be been being of in on at to for from by with as and or but not no it its this that "
    "these those which what who how why when where do does did can could may might will would shall should has have "
    "had than then so such there their they them you your we our i he she his her into about between both each more "
    "most other some any only also".split()
)


MIN_REPEAT_CHARS = 2


@dataclass(frozen=True, slots=True)
class Features:
    """The content units of a text, and its numbers, Latin words and negated words on their own."""

    units: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    latin: frozenset[str] = frozenset()
    negated: frozenset[str] = frozenset()


@lru_cache(maxsize=8192)
def features(text: str) -> Features:
    """The features of a text."""
    folded = fold(text)
    numbers = frozenset(number.replace(",", "").rstrip(".") for number in _NUMBER.findall(folded))
    latin = frozenset(word for word in _LATIN.findall(folded) if word not in _STOP_WORDS)
    bigrams = {
        run[i : i + 2]
        for run in _CJK_RUN.findall(folded)
        for i in range(len(run) - 1)
        if not {*run[i : i + 2]} & _FUNCTION
    }
    return Features(frozenset(bigrams | latin | numbers), numbers, latin, frozenset(_NEGATED.findall(folded)))


def without_repeats(text: str, known: str) -> str:
    """What ``text`` says beyond ``known``: folded, without the runs of characters that stand in ``known`` too."""
    folded, source = fold(text), fold(known)
    kept: list[str] = []
    position = 0
    while position < len(folded):
        end = position
        while end < len(folded) and folded[position : end + 1] in source:
            end += 1
        repeated = end - position >= MIN_REPEAT_CHARS and _ends_cleanly(folded, position, end)
        kept.append(" " if repeated else folded[position])
        position = end if repeated else position + 1
    return "".join(kept)


def units_beyond(text: str, known: str) -> frozenset[str]:
    """The content units that ``text`` says beyond ``known``, neither as the same characters nor as the same units."""
    return features(without_repeats(text, known)).units - features(known).units


def _ends_cleanly(text: str, start: int, end: int) -> bool:
    """Whether cutting here leaves no half of a Latin word or of a number behind."""
    before = start > 0 and text[start - 1].isascii() and text[start - 1].isalnum() and text[start].isascii()
    after = end < len(text) and text[end].isascii() and text[end].isalnum() and text[end - 1].isascii()
    return not (before and text[start].isalnum()) and not (after and text[end - 1].isalnum())


def union(parts: Iterable[Features]) -> Features:
    """The features of several texts together."""
    listed = list(parts)
    return Features(
        frozenset().union(*(p.units for p in listed)),
        frozenset().union(*(p.numbers for p in listed)),
        frozenset().union(*(p.latin for p in listed)),
        frozenset().union(*(p.negated for p in listed)),
    )


@dataclass(frozen=True, slots=True)
class EvidenceSentence:
    """A sentence of a passage: its text, its span in the document and its features.

    ``title`` are the features of the headings above it: a note below "Dropout" need not repeat the word.
    """

    passage: Passage
    start: int
    end: int
    text: str
    features: Features = field(repr=False)
    title: Features = field(repr=False, default_factory=Features)

    @property
    def units(self) -> frozenset[str]:
        """The content units of the sentence and of the headings above it."""
        return self.features.units | self.title.units


def evidence_sentences(passages: Sequence[Passage]) -> list[EvidenceSentence]:
    """The sentences of the passages with their document offsets, in order; orders to the assistant are no evidence."""
    found = []
    for passage in passages:
        title = features(" ".join((passage.entry, *passage.path, *passage.aliases)))
        for start, end in split_sentences(passage.text):
            text = passage.text[start:end]
            if gives_orders(text):
                continue
            span = passage.start + start, passage.start + end
            found.append(EvidenceSentence(passage, *span, text, features(text), title))
    return found


def is_foreign(text: str, notes: Iterable[str]) -> bool:
    """Whether an English text stands over notes that are not all in English, with which it shares few words."""
    return detect_language(text) == "en" and any(detect_language(note) == "zh" for note in notes)


def to_citation(sentence: EvidenceSentence) -> Citation:
    """A citation of exactly this sentence."""
    return cite(sentence.passage, sentence.start, sentence.end)


def cite(passage: Passage, start: int, end: int) -> Citation:
    """A citation of the span ``start:end`` (document offsets). The line numbers are counted inside the passage."""
    quote = passage.text[start - passage.start : end - passage.start]
    line = passage.line_start + passage.text.count("\n", 0, start - passage.start)
    return Citation(
        marker=passage.rank,
        chunk_id=passage.chunk_id,
        file=passage.file,
        entry=passage.entry,
        line_start=line,
        line_end=line + quote.count("\n"),
        start=start,
        end=end,
        quote=quote,
    )
