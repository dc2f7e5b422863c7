"""Where the notes say two things of one thing: another number, another date, or yes and no. Rules, no model.

Shown is only what is likely wrong, because a list of false alarms is read once. Two sentences are a contradiction when
they are about the same entry, below the same headings, say the same but for the amount or the negation, and neither is
an example or an assumption. A sentence is about the entry that holds it, or about the one whose name it begins with.
The rule for answers (``rag.conflict``) may be wider: there the question
says what is meant, here nothing does.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import combinations

from rag.evidence import features
from rag.names import Names, key_of
from rag.quantities import Quantity, blanked, disagree, quantities, without_numbers
from rag.terms import WEAK_SCORE, TermIndex
from rag.text import fold, split_sentences
from rag.types import Chunk

# The share of the words of both sentences (without the name, the amounts, the negations) that they have in common.
MIN_SAME_COUNTED = 0.6
MIN_SAME_NEGATED = 0.75
# Where both say something that the other does not, they speak of two things; one pair of characters is grammar.
MAX_OWN = 1
# Longer sentences say several things; which amount belongs to which cannot be told by rule.
MAX_CHARS = 240
# More sentences about one name are a field, not a thing.
MAX_GROUP = 400
# Two sentences of one entry within so many lines are read together.
NEAR_LINES = 8
_REPORT_EVERY = 200

_EXAMPLE = re.compile(
    r"例如|比如|譬如|举例|假设|假如|如果|若|设|有的|有些|某|可以是|之一|[?？]|"
    r"\b(?:e\.g|for example|for instance|such as|suppose|assume|if|some|may|might|could)\b"
)
_NEGATION = re.compile(
    r"不(?!超过|少于|低于|高于|多于|大于|小于|到\s*\d|同|仅|但|断|管|论|过|等|良|足|只|单|妨|错|确定|可或缺|变|均|一致|连续|得不)|没有|没|未(?!来|知)|无法|无需|无须|并非|而非"
    r"|\b(?:not|never|cannot|no|without)\b|n't\b"
)
_LATIN = re.compile(r"[a-z][a-z0-9_.+-]*")
# Words that say of which part, version or moment something is told. They must be the same in both sentences.
_SCOPE = re.compile(
    r"大型|中型|小型|基础|标准|原始|原版|改进|新版|旧版|早期|后来|最初|起初|目前|现在|如今|首次|最后|训练|推理|测试|验证|微调|输入|输出"
    r"|编码器|解码器|每|各|平均|最大|最小|最多|最少|至少|初始|默认|最终|单|双|左|右|上层|下层|前|后|第.|国内|国外|中文|英文|另"
    r"|\b(?:large|medium|small|base|original|improved|new|old|early|later|now|first|last|training|inference|test|validation|input"
    r"|output|encoder|decoder|each|every|per|average|maximum|minimum|initial|default|final|other|another)\b"
)
_VERB = re.compile(r"[有是为共含达]|\b(?:is|are|was|were|has|have|had|holds?|contains?|uses?)\b")
# A name that begins this far into a sentence is what the sentence is about: a bullet, a quote, an article before it.
_BEGINS_WITHIN = 4
_HEAD_CHARS = 40

Report = Callable[[int, int], None]


class Difference(StrEnum):
    """In what two sentences differ."""

    NUMBER = "number"
    DATE = "date"
    NEGATION = "negation"


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of the notes and where it stands. ``marks`` are the spans of ``text`` that contradict the other."""

    chunk_id: str
    file: str
    entry: str
    start: int
    end: int
    line_start: int
    line_end: int
    text: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two sentences about ``subject`` that cannot both be right, in the order of the notes."""

    difference: Difference
    subject: str
    one: Said
    other: Said


class _Statement:
    """A sentence as it is compared."""

    def __init__(self, chunk: Chunk, start: int, end: int, subjects: frozenset[str], *, is_own: bool) -> None:
        self.chunk = chunk
        self.start, self.end = start, end
        self.text = chunk.text[start:end]
        self.subjects = subjects
        self._is_own = is_own
        self.amounts = quantities(self.text)

    @cached_property
    def negations(self) -> tuple[tuple[int, int], ...]:
        return tuple(match.span() for match in _NEGATION.finditer(self.text.lower()))

    @cached_property
    def words(self) -> frozenset[str]:
        """What it says without the name of what it is about, the amounts and the negations."""
        rest = without_numbers(self.rest)
        for name in sorted(self.subjects, key=len, reverse=True):
            rest = rest.replace(name, " ")
        return features(_NEGATION.sub(" ", rest)).units

    @cached_property
    def folded(self) -> str:
        return fold(self.text)

    @cached_property
    def rest(self) -> str:
        """Folded, with blanks for the amounts."""
        return fold(blanked(self.text, [(amount.start, amount.end) for amount in self.amounts]))

    @cached_property
    def latin(self) -> frozenset[str]:
        """The Latin words beside the amounts: names of variants are most often written so."""
        return frozenset(word.removesuffix("s") for word in features(_NEGATION.sub(" ", self.rest)).latin)

    @cached_property
    def scope(self) -> frozenset[str]:
        """What the headings below the entry and the words of the sentence narrow it to."""
        path = self.chunk.path
        below = path[path.index(self.chunk.entry) + 1 :] if self._is_own and self.chunk.entry in path else ()
        return frozenset([*map(fold, below), *_SCOPE.findall(self.folded)])

    @cached_property
    def line(self) -> int:
        """The line of the document where it begins."""
        return self.chunk.line_start + self.chunk.text.count("\n", 0, self.start)

    def said(self, marks: Iterable[tuple[int, int]]) -> Said:
        chunk = self.chunk
        start, end = chunk.start + self.start, chunk.start + self.end
        lines = self.line, self.line + self.text.count("\n")
        return Said(chunk.chunk_id, chunk.file, chunk.entry, start, end, *lines, self.text, tuple(marks))


def contradictions(
    chunks: Sequence[Chunk], terms: TermIndex, report: Report = lambda done, total: None
) -> list[Contradiction]:
    """All contradictions between sentences of the notes, in the order of the notes; each pair once.

    Args:
        chunks: the whole index.
        terms: the names of its entries.
        report: told (done, total) now and then; may raise to stop.
    """
    groups = _groups(chunks, terms, report)
    found: dict[tuple[int, ...], Contradiction] = {}
    for number, (subject, group) in enumerate(groups.items()):
        if number % _REPORT_EVERY == 0:
            report(len(chunks) + number, len(chunks) + len(groups))
        for one, other in _pairs(group):
            if (difference := _difference(one, other)) is not None:
                key = (id(one), id(other))
                found.setdefault(key, _contradiction(subject, one, other, *difference))
    return sorted(found.values(), key=lambda c: (c.one.file, c.one.start, c.other.file, c.other.start))


def _groups(chunks: Sequence[Chunk], terms: TermIndex, report: Report) -> dict[str, list[_Statement]]:
    """The sentences by what they speak of: the entry that holds them, and those that they name."""
    groups: dict[str, list[_Statement]] = defaultdict(list)
    topics = _Topics(terms)
    for number, chunk in enumerate(chunks):
        if number % _REPORT_EVERY == 0:
            report(number, len(chunks))
        own = frozenset(fold(name) for name in (chunk.entry, *chunk.aliases) if name.strip())
        for start, end in split_sentences(chunk.text):
            text = chunk.text[start:end]
            if end - start > MAX_CHARS or _EXAMPLE.search(fold(text)):
                continue
            about = topics.of(text) or own
            statement = _Statement(chunk, start, end, about, is_own=bool(about & own))
            for subject in statement.subjects:
                groups[subject].append(statement)
    return {name: group for name, group in groups.items() if 1 < len(group) <= MAX_GROUP}


class _Topics:
    """Which entry a sentence is about by its first words."""

    def __init__(self, terms: TermIndex) -> None:
        self._names: dict[str, frozenset[str]] = defaultdict(frozenset)
        for term in terms.terms:
            folded = frozenset(map(fold, term.names))
            for name in term.names:
                # A common word at the beginning of a sentence ("训练") is seldom what the sentence is about.
                if any(hit.exact and hit.score >= WEAK_SCORE for hit in terms.lookup(name, limit=1)):
                    self._names[key_of(fold(name))] |= folded
        self._found = Names(map(fold, self._names))

    def of(self, text: str) -> frozenset[str]:
        """All names of that entry, folded; empty where the sentence begins with no name."""
        begins = [match for match in self._found.every(fold(text[:_HEAD_CHARS])) if match.start <= _BEGINS_WITHIN]
        first = min(begins, key=lambda match: (match.start, -match.end), default=None)
        return self._names[first.key] if first else frozenset()


def _pairs(group: Sequence[_Statement]) -> Iterator[tuple[_Statement, _Statement]]:
    for one, other in combinations(group, 2):
        if not _is_one_list(one, other):
            yield one, other


def _is_one_list(one: _Statement, other: _Statement) -> bool:
    """Whether they stand so near that the author had both in view: points of a list, rows of a table, cases."""
    if one.chunk.file != other.chunk.file or one.chunk.path != other.chunk.path:
        return False
    return one.chunk is other.chunk or abs(one.line - other.line) < NEAR_LINES


Marks = tuple[tuple[int, int], ...]


def _difference(one: _Statement, other: _Statement) -> tuple[Difference, Marks, Marks] | None:
    """In what two sentences of one subject differ, with the spans that say so; None for nothing or too much."""
    is_negated = len(one.negations) % 2 != len(other.negations) % 2
    apart = _amounts_apart(one.amounts, other.amounts)
    # Both at once is another statement, not the same one with a slip.
    if is_negated == bool(apart) or not _same_scope(one, other):
        return None
    if not _same_matter(one, other, MIN_SAME_NEGATED if is_negated else MIN_SAME_COUNTED):
        return None
    marks = tuple((a.start, a.end) for a, _ in apart), tuple((b.start, b.end) for _, b in apart)
    # "7B and 13B" say which models are meant.
    if features(blanked(one.text, marks[0])).numbers != features(blanked(other.text, marks[1])).numbers:
        return None
    if is_negated:
        return Difference.NEGATION, one.negations, other.negations
    return (Difference.DATE if all(a.is_date for a, _ in apart) else Difference.NUMBER), *marks


def _same_scope(one: _Statement, other: _Statement) -> bool:
    """Whether both are said of the same part, version or moment.

    Each Latin word of one stands in the other too, or is a name of what both speak of: variants are written so.
    """
    if one.scope != other.scope:
        return False
    subjects = {word.removesuffix("s") for name in one.subjects & other.subjects for word in _LATIN.findall(name)}
    return not (one.latin ^ other.latin) - subjects


def _same_matter(one: _Statement, other: _Statement, needed: float) -> bool:
    """Whether two sentences say the same of their subject, amounts and negations aside."""
    shared, union = one.words & other.words, one.words | other.words
    if not union:
        return all(_VERB.search(statement.folded) for statement in (one, other))
    own = min(len(one.words - shared), len(other.words - shared))
    return bool(shared) and len(shared) >= needed * len(union) and own <= MAX_OWN


def _amounts_apart(one: Sequence[Quantity], other: Sequence[Quantity]) -> list[tuple[Quantity, Quantity]]:
    """The pairs of amounts that disagree, when every slot of both is told alike but for them; else none."""
    slots = {amount.slot for amount in one} & {amount.slot for amount in other}
    apart = []
    for slot in sorted(slots):
        a, b = [x for x in one if x.slot == slot], [x for x in other if x.slot == slot]
        if len(a) != len(b):
            return []
        apart += [(x, y) for x, y in zip(a, b, strict=True) if disagree(x, y)]
    return apart


def _contradiction(
    subject: str, one: _Statement, other: _Statement, kind: Difference, marks: Marks, others: Marks
) -> Contradiction:
    titles = (s.chunk.entry for s in (one, other) if subject in map(fold, (s.chunk.entry, *s.chunk.aliases)))
    return Contradiction(kind, next(titles, subject), one.said(marks), other.said(others))
