"""Does the evidence hold what a sentence says? Citations are attached here, never taken from the model.

What a sentence adds to the question is aligned to the evidence sentences that cover most of its content
units (greedy set cover). It is supported when enough of it is covered, every number and every name in it
stands in the evidence, and nothing is negated that the evidence asserts. Where words cannot decide (an English
sentence over Chinese notes, a loose paraphrase) a ``Verifier`` may: a one-token verdict of a model.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.blocks import blocks
from rag.evidence import (
    EvidenceSentence,
    Features,
    features,
    is_foreign,
    to_citation,
    union,
    units_beyond,
    without_repeats,
)
from rag.names import Names, is_misspelt, key_of
from rag.text import fold, split_sentences
from rag.types import Citation

# Probability that the passages of the prompt state a sentence.
Verifier = Callable[[str], float]

# At least this share of what a sentence adds to the question must stand in what it cites, headings included.
MIN_COVERAGE = 0.55
# Below MIN_COVERAGE but above this share a model may still vouch for a paraphrase in the same language.
MIN_PARAPHRASE = 0.35
# A further citation must add at least this share of the sentence's units, and more, or a number or name, when it is
# another passage: a second source that only shares common words is noise to whoever checks it.
MIN_GAIN = 0.12
MIN_PASSAGE_GAIN = 0.25
MAX_CITATIONS = 3
# A clause belongs to the preamble when at most this share of it, and no name or number, does not stand in the question.
MAX_NEW_IN_PREAMBLE = 0.1
# Below this share of the question in what is cited, the question describes the thing in words of its own.
MIN_DESCRIBED = 0.3
# An entry that is named as the answer to a description must lie this near to the question (difference of cosines to the
# nearest passage). On 15 dev answers right names were at most 0.054 away, half of the wrong ones more.
MAX_NAME_DISTANCE = 0.055
MIN_STATED = 0.6
MIN_FOREIGN_STATED = 0.7

# A marker as a model types it: [1], 【1、2】, (note 1); only where a clause ends, so that an array [0, 1] survives.
_MARKER = re.compile(
    r"\s*(?:[\[【〔](?:笔记|note)?\s*\d{1,2}(?:\s*[,，、]\s*\d{1,2})*[\]】〕]|[(（](?:笔记|note)\s*\d{1,2}[)）])"
    r"(?=\s*(?:[。，；！？.,;!?\[【]|$))",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[，,；;。？?！!]")
_LATE_MARKER = re.compile(r"^\s*[\[【〔]\d{1,2}[\]】〕]\s*")
# Where a clause ends; not inside numbers, brackets or code.
_PREAMBLE = re.compile(r"[，；：]\s*|[,;:]\s+(?=[^\W\d])")
_OPEN_BRACKET = re.compile(r"[(（\[{]")
_CLOSED_BRACKET = re.compile(r"[)）\]}]")
_ASKS = re.compile(
    r"多少|多大|多久|多长|几[个种层次条位]|什么|哪|谁|怎么|如何|为什么|为何|\b(?:what|which|who|when|where|why|how)\b"
)
_REFERENCE_TALK = re.compile(
    r"^(?:根据|依据|按照)?(?:上面的|上述|给出的|提供的)?(?:笔记|资料|notes?)(?:中|里)?[,，:：]?\s*"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sentence is supported, by which citations, and why not otherwise."""

    supported: bool
    citations: tuple[Citation, ...]
    coverage: float
    reason: str = ""


def clean_sentence(text: str) -> str:
    """A sentence as the model wrote it, without typed markers and without "according to the notes".

    A marker behind a full stop ("….[1] Next") stands at the beginning of the sentence after it.
    """
    return _REFERENCE_TALK.sub("", _MARKER.sub("", _LATE_MARKER.sub("", text)).strip()).strip()


def draft_sentences(draft: str, question: str) -> list[str]:
    """What a model wrote, a sentence at a time, each cleaned and with the answer first, none twice."""
    return list(dict.fromkeys(_draft_sentences(draft, question)))


def _draft_sentences(draft: str, question: str) -> Iterator[str]:
    """Code and formulas on lines of their own stay whole and as they are: they are one sentence each."""
    position = 0
    for block in (one for one in blocks(draft) if one.has_own_lines(draft)):
        yield from _prose(draft[position : block.start], question)
        yield draft[block.start : block.end].strip()
        position = block.end
    yield from _prose(draft[position:], question)


def _prose(text: str, question: str) -> Iterator[str]:
    cleaned = (clean_sentence(text[start:end]) for start, end in split_sentences(text))
    yield from (without_preamble(sentence, question) for sentence in cleaned if sentence)


def without_preamble(text: str, question: str) -> str:
    """A sentence without the clauses at its beginning that only repeat the question: the answer comes first."""
    ends = (match.end() for match in _PREAMBLE.finditer(text))
    whole = [end for end in ends if _is_whole(text[:end])]
    for start, end in pairwise([0, *whole]):
        if not _is_repeated(text[start:end], question):
            return text[start:]
    return text[whole[-1] :] if whole else text


def _is_whole(text: str) -> bool:
    """Whether a text opens no bracket and no code that it does not close."""
    return len(_OPEN_BRACKET.findall(text)) == len(_CLOSED_BRACKET.findall(text)) and text.count("`") % 2 == 0


def _is_repeated(clause: str, question: str) -> bool:
    """Whether a clause says nothing beyond the question. One without content may turn it around ("不是，")."""
    said, new = features(clause).units, features(without_repeats(clause, question))
    fresh = new.units - features(question).units
    named = (new.latin | new.numbers) & fresh
    return bool(said) and not named and len(fresh) <= MAX_NEW_IN_PREAMBLE * len(said)


def without_rivals(text: str, question: str, evidence: Sequence[EvidenceSentence]) -> Sequence[EvidenceSentence]:
    """The evidence for a sentence about one of several compared entries: what stands below another one is none.

    Small models give A what the notes say of B. A sentence that names none of the entries, or a question that
    names fewer than two, leaves all the evidence.
    """
    titles = {e.passage.rank: frozenset(key_of(fold(name)) for name in e.passage.names) for e in evidence}
    names = Names(fold(name) for e in evidence for name in e.passage.names)
    said, asked = ({match.key for match in names.every(fold(one))} for one in (text, question))
    compared = {keys for keys in titles.values() if keys & asked}
    if len(compared) < 2 or not any(keys & said for keys in compared):
        return evidence
    rivals = {keys for keys in compared if not keys & said}
    return [sentence for sentence in evidence if titles[sentence.passage.rank] not in rivals]


def align(novel: frozenset[str], claim: Features, evidence: Sequence[EvidenceSentence]) -> list[EvidenceSentence]:
    """The evidence sentences that cover the novel units best, greedily; ties go to what resembles the whole claim."""
    left = novel
    chosen: list[EvidenceSentence] = []
    possible = evidence
    while len(chosen) < MAX_CITATIONS and left:
        best = max(possible, key=lambda s: (len(left & s.units), len(claim.units & s.features.units)), default=None)
        if best is None or len(left & best.units) / len(novel) < MIN_GAIN:
            break
        chosen.append(best)
        left = left - best.units
        ranks = {sentence.passage.rank for sentence in chosen}
        wanted, telling = MIN_PASSAGE_GAIN * len(novel), left & (claim.numbers | claim.latin)
        possible = [
            s for s in evidence if s.passage.rank in ranks or len(left & s.units) >= wanted or telling & s.units
        ]
    return chosen


def judge_sentence(
    text: str,
    evidence: Sequence[EvidenceSentence],
    *,
    question: str,
    states: Verifier | None = None,
) -> Verdict:
    """Decide whether ``text`` is supported by ``evidence`` and cite the sentences that support it.

    What only repeats the question needs no support; what is new must stand in the notes.

    Args:
        text: one sentence, cleaned.
        evidence: the sentences of the passages that were in the prompt.
        question: what was asked.
        states: asked where words cannot decide; without it such sentences are not supported.
    """
    if _repeats(text, question):
        return Verdict(False, (), 0.0, "repeats the question")
    evidence = without_rivals(text, question, evidence)
    claim = features(text)
    asked = features(question)
    novel = units_beyond(text, question) or claim.units
    if not novel:
        return Verdict(False, (), 0.0, "says nothing")
    if states is not None and is_foreign(text, (sentence.text for sentence in evidence)):
        return _across_languages(text, claim, evidence, asked, states)
    return _in_words(text, novel, evidence, asked, states)


def _repeats(text: str, question: str) -> bool:
    """Whether a sentence asks, or holds a clause of the question that asks: then it leaves that part open."""
    folded, source = fold(text), fold(question)
    clauses = (clause.strip() for clause in _CLAUSE.split(folded))
    return folded.endswith("?") or any(_ASKS.search(clause) and clause in source for clause in clauses)


def _in_words(
    text: str,
    novel: frozenset[str],
    evidence: Sequence[EvidenceSentence],
    question: Features,
    states: Verifier | None,
) -> Verdict:
    """A sentence over notes in its own language: what is new must stand there in nearly the same words."""
    claim = features(text)
    cited = align(novel, claim, evidence)
    if not cited:
        return Verdict(False, (), 0.0, "nothing in the notes resembles it")
    share = len(novel & frozenset().union(*(s.units for s in cited))) / len(novel)
    citations = tuple(to_citation(sentence) for sentence in cited)
    if reason := _contradiction(claim, cited, question, evidence):
        return Verdict(False, (), share, reason)
    if entry := _named_entry(novel, cited, evidence, question):
        return _named(entry, evidence, question, share)
    if share >= MIN_COVERAGE:
        return Verdict(True, citations, share)
    if states is not None and share >= MIN_PARAPHRASE:
        probability = states(text)
        if probability >= MIN_STATED:
            return Verdict(True, citations, share, f"stated ({probability:.2f})")
    return Verdict(False, (), share, "not covered by the notes")


def _named_entry(
    novel: frozenset[str], cited: Sequence[EvidenceSentence], evidence: Sequence[EvidenceSentence], question: Features
) -> list[EvidenceSentence]:
    """The sentences of the entry whose name is all that was added to a description in other words than the notes'."""
    described = frozenset().union(*(s.features.units for s in cited)) & question.units
    if len(described) >= MIN_DESCRIBED * len(question.units):
        return []
    return [sentence for sentence in evidence if novel <= sentence.title.units]


def _named(
    entry: Sequence[EvidenceSentence], evidence: Sequence[EvidenceSentence], question: Features, share: float
) -> Verdict:
    """A name answers a description that its entry meets: what is cited is the sentence of the entry nearest to it."""
    best = max(entry, key=lambda s: (_nearness(s), len(question.units & s.features.units), len(s.text)))
    if max(map(_nearness, evidence)) - _nearness(best) > MAX_NAME_DISTANCE:
        return Verdict(False, (), share, "another entry lies nearer to the description")
    return Verdict(True, (to_citation(best),), share)


def _across_languages(
    text: str, claim: Features, evidence: Sequence[EvidenceSentence], question: Features, states: Verifier
) -> Verdict:
    """An English sentence over Chinese notes: one passage must hold its numbers, and the model must vouch for it.

    What is cited shares most names and numbers with it; among equals it lies nearest to the question.
    """
    best = max(evidence, key=lambda s: (len(claim.units & s.units), _nearness(s), -s.passage.rank))
    stated = union(s.features for s in evidence if s.passage.rank == best.passage.rank)
    if invented := claim.numbers - stated.numbers - question.numbers:
        return Verdict(False, (), 0.0, f"number not in the notes: {', '.join(sorted(invented))}")
    probability = states(text)
    if probability < MIN_FOREIGN_STATED:
        return Verdict(False, (), probability, "not stated by the notes")
    return Verdict(True, (to_citation(best),), probability, f"stated ({probability:.2f})")


def _nearness(sentence: EvidenceSentence) -> float:
    """How near the part of the passage that holds the sentence lies to the question."""
    parts = (p.score for p in sentence.passage.focus if p.start <= sentence.start < p.end)
    return max(parts, default=-1.0)


def _contradiction(
    claim: Features, cited: Sequence[EvidenceSentence], question: Features, evidence: Sequence[EvidenceSentence]
) -> str:
    """Why the claim cannot follow from what it cites, or an empty string.

    Names may stand elsewhere in the passages that are cited; that the question names something is no evidence of it.
    """
    stated = union(part for sentence in cited for part in (sentence.features, sentence.title))
    ranks = {sentence.passage.rank for sentence in cited}
    named = union(s.features for s in evidence if s.passage.rank in ranks)
    if invented := claim.numbers - stated.numbers - question.numbers:
        return f"number not in the notes: {', '.join(sorted(invented))}"
    known = stated.latin | named.latin
    if invented := frozenset(word for word in claim.latin - known if not is_misspelt(word, known)):
        return f"name not in the notes: {', '.join(sorted(invented))}"
    if turned := {word for word in claim.negated if word in stated.units and word not in stated.negated}:
        return f"negates what the notes assert: {', '.join(sorted(turned))}"
    return ""
