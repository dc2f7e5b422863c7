"""The notes' own words beside the model's: the sentences that carry the question, verbatim, with their citation.

A small model leaves parts of a question out. What it left out usually stands in the windows of the passages that
met the question best, so these are shown too, in the words and with the heading of the note. They are chosen by
similarity and by how many of the question's words they hold, and never repeat what the answer already says.
Measured on the development questions: docs/decisions/0007-quotes.md.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.evidence import Features, cite, features, union
from rag.names import Names, key_of
from rag.orders import is_prose
from rag.text import fold, split_sentences
from rag.types import Citation, Passage, Sentence, Support

_HEADING_MARKS = re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE)
_REFERENCE = re.compile(r"\[(\d{1,3})\]")
# What a window gains when it holds all words of the question, on the scale of cosines.
OVERLAP_WEIGHT = 0.2
# A window of which the answer already says this share is not quoted again.
MAX_SAID = 0.8
# What lies so much further from the question than the best window has little to do with it. On the dev questions
# nothing was lost at 0.3, one answer of 90 at 0.2 and four at 0.1.
MAX_BEHIND = 0.3
# Shorter pieces of a window say nothing alone.
MIN_QUOTE_CHARS = 8
# Longer windows are one endless line (a table, code): no quotation.
MAX_QUOTE_CHARS = 400


@dataclass(frozen=True, slots=True)
class Quote:
    """A span of a passage in document offsets, and how well it meets the question (higher is better)."""

    passage: Passage
    start: int
    end: int
    score: float

    @property
    def text(self) -> str:
        """Its words on one line, without heading marks; a "[3]" of the note, no marker of ours, as "〔3〕"."""
        text = self.passage.text[self.start - self.passage.start : self.end - self.passage.start]
        return _REFERENCE.sub(r"〔\1〕", " ".join(_HEADING_MARKS.sub("", text).split()))

    @property
    def citation(self) -> Citation:
        """The citation of exactly this span."""
        return cite(self.passage, self.start, self.end)

    def sentence(self) -> Sentence:
        """As a sentence of an answer: the heading, then the words."""
        title = self.passage.entry or (self.passage.path[-1] if self.passage.path else "")
        return Sentence(f"{title}：“{self.text}”" if title else f"“{self.text}”", Support.QUOTED, (self.citation,))


def quotes(question: str, passages: Sequence[Passage]) -> list[Quote]:
    """Everything that could be quoted, best first."""
    asked = features(question)
    found = [
        Quote(passage, start, end, similarity + OVERLAP_WEIGHT * _overlap(asked, passage, start, end))
        for passage in passages
        for start, end, similarity in _parts(passage)
    ]
    return sorted((q for q in found if len(q.text) <= MAX_QUOTE_CHARS), key=lambda q: (-q.score, q.passage.rank))


def worth_quoting(candidates: Sequence[Quote], said: str, question: str) -> list[Quote]:
    """Those that are not far behind the best; before them the best one of an entry that only the answer names.

    The second step of a two-step question lies far from its words: what the named thing is stands in its own entry.
    """
    names = Names(fold(name) for quote in candidates for name in quote.passage.names)
    fresh = {match.key for match in names.every(fold(said))} - {match.key for match in names.every(fold(question))}
    explains = [quote for quote in candidates if fresh & {key_of(fold(name)) for name in quote.passage.names}][:1]
    near = [quote for quote in candidates if quote.score >= candidates[0].score - MAX_BEHIND]
    return [*explains, *(quote for quote in near if quote not in explains)]


def around(cited: Sequence[Citation], candidates: Sequence[Quote], passages: Sequence[Passage]) -> Iterator[Quote]:
    """For each cited place, the best window that holds it, or the place alone; headings and long lines are none."""
    for citation in cited:
        quote = citation.quote
        if _HEADING_MARKS.match(quote) or not is_prose(quote) or len(quote) > MAX_QUOTE_CHARS:
            continue
        passage = next(passage for passage in passages if passage.chunk_id == citation.chunk_id)
        alone = Quote(passage, citation.start, citation.end, 0.0)
        windows = (
            q for q in candidates if q.passage is passage and q.start <= citation.start and citation.end <= q.end
        )
        yield next(windows, alone)


def unsaid(candidates: Sequence[Quote], sentences: Sequence[Sentence], count: int) -> list[Quote]:
    """The best ``count`` quotes that say more than the sentences and than one another."""
    said = union(features(sentence.text) for sentence in sentences)
    chosen: list[Quote] = []
    for quote in candidates:
        if len(chosen) == count:
            break
        units = features(quote.text).units
        if units and len(units & said.units) / len(units) < MAX_SAID:
            chosen.append(quote)
            said = union((said, features(quote.text)))
    return chosen


def _parts(passage: Passage) -> Iterator[tuple[int, int, float]]:
    """The parts that met the question; of one that is not all prose, the sentences that are."""
    for part in passage.focus:
        text = passage.text[part.start - passage.start : part.end - passage.start]
        sentences = split_sentences(text)
        prose = [(start, end) for start, end in sentences if is_prose(text[start:end])]
        if len(prose) == len(sentences):
            yield part.start, part.end, part.score
            continue
        for start, end in prose:
            if end - start >= MIN_QUOTE_CHARS:
                yield part.start + start, part.start + end, part.score


def _overlap(asked: Features, passage: Passage, start: int, end: int) -> float:
    """The share of the question's units that the span and its headings hold."""
    text = passage.text[start - passage.start : end - passage.start]
    held = features(text).units | features(" ".join((passage.entry, *passage.path))).units
    return len(asked.units & held) / max(len(asked.units), 1)
