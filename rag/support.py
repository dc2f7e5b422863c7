"""Does the evidence hold what a sentence says? Citations are attached here, never taken from the model.

What a sentence adds to the question is aligned to the evidence sentences that cover most of its content
units (greedy set cover). It is supported when enough of it is covered, in each of its clauses, every number and every
name in it stands in the evidence, and nothing is negated that the evidence asserts. An English sentence over Chinese
notes is first put into their language by a ``Translator``: the model turns the words, the check is the same.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.clauses import least_carried, misplaced
from rag.evidence import (
    EvidenceSentence,
    Features,
    features,
    is_foreign,
    to_citation,
    union,
    units_beyond,
)
from rag.names import Names, is_misspelt, key_of
from rag.orders import is_prose
from rag.text import fold
from rag.types import Citation

# From a sentence, and the words to leave as they are, to the sentence in the notes' language.
Translator = Callable[[str, Sequence[str]], str]

# At least this share of what a sentence adds to the question must stand in what it cites, headings included.
MIN_COVERAGE = 0.55
# The same for each clause of a sentence, the words of the question included.
MIN_CLAUSE = 0.6
# A further citation must add at least this share of the sentence's units, and more, or a number or name, when it is
# another passage: a second source that only shares common words is noise to whoever checks it.
MIN_GAIN = 0.12
MIN_PASSAGE_GAIN = 0.25
MAX_CITATIONS = 3
# A name answers a description when at least this share of what was added is the heading of one entry.
MIN_NAMED = 0.6
# Below this share of the question in what is cited, the question describes the thing in words of its own.
MIN_DESCRIBED = 0.3
# An entry that is named as the answer to a description must lie this near to the question (difference of cosines to the
# nearest passage). On 15 dev answers right names were at most 0.054 away, half of the wrong ones more.
MAX_NAME_DISTANCE = 0.055

_CLAUSE = re.compile(r"[，,；;。？?！!]")
_ASKS = re.compile(
    r"多少|多大|多久|多长|几[个种层次条位]|什么|哪|谁|怎么|如何|为什么|为何|\b(?:what|which|who|when|where|why|how)\b"
)
# An original word that a translator puts in brackets behind its own: "检查点（checkpoint）".
_GLOSS = re.compile(r"(?<=[\u3400-\u9fff])\s*[(（][A-Za-z][A-Za-z -]*[)）]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sentence is supported, by which citations, and why not otherwise.

    ``is_near`` says that it is about what it cites, but says it in words of its own: what is cited may well be the
    answer, while the sentence itself is not shown to follow from it.
    ``is_name`` says that it gives the name of an entry as the answer to a description that the entry lies near to.
    """

    supported: bool
    citations: tuple[Citation, ...]
    coverage: float
    reason: str = ""
    is_near: bool = False
    is_name: bool = False


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
    translate: Translator | None = None,
) -> Verdict:
    """Decide whether ``text`` is supported by ``evidence`` and cite the sentences that support it.

    What only repeats the question needs no support; what is new must stand in the notes.

    Args:
        text: one sentence, cleaned.
        evidence: the sentences of the passages that were in the prompt.
        question: what was asked.
        translate: for an English sentence over Chinese notes; without it they only have names and numbers in common.
    """
    if not is_prose(text):
        return Verdict(False, (), 0.0, "no sentence that could be an answer")
    if _repeats(text, question):
        return Verdict(False, (), 0.0, "repeats the question")
    evidence = without_rivals(text, question, evidence)
    claim = features(text)
    novel = units_beyond(text, question) or claim.units
    if not novel:
        return Verdict(False, (), 0.0, "says nothing")
    if translate is not None and is_foreign(text, (sentence.text for sentence in evidence)):
        return _across_languages(text, claim, evidence, question, translate)
    return _in_words(text, novel, evidence, question)


def _repeats(text: str, question: str) -> bool:
    """Whether a sentence asks, or holds a clause of the question that asks: then it leaves that part open."""
    folded, source = fold(text), fold(question)
    clauses = (clause.strip() for clause in _CLAUSE.split(folded))
    return folded.endswith("?") or any(_ASKS.search(clause) and clause in source for clause in clauses)


def _in_words(text: str, novel: frozenset[str], evidence: Sequence[EvidenceSentence], question: str) -> Verdict:
    """A sentence over notes in its own language: what is new must stand there in nearly the same words."""
    cited = align(novel, features(text), evidence)
    asked = features(question)
    entry = _named_entry(novel, cited, evidence, asked) if cited else []
    if entry and not _contradiction(text, cited, asked, evidence):
        return _named(entry, cited, evidence, asked)
    return _stated(text, novel, cited, evidence, question)


def _stated(
    text: str,
    novel: frozenset[str],
    cited: Sequence[EvidenceSentence],
    evidence: Sequence[EvidenceSentence],
    question: str,
) -> Verdict:
    """Whether what is cited states a sentence."""
    if not cited:
        return Verdict(False, (), 0.0, "nothing in the notes resembles it")
    share = len(novel & frozenset().union(*(s.units for s in cited))) / len(novel)
    if reason := _contradiction(text, cited, features(question), evidence):
        return Verdict(False, (), share, reason)
    if share < MIN_COVERAGE:
        return Verdict(False, (), share, "not covered by the notes")
    reason = _weakness(text, question, cited)
    return Verdict(not reason, tuple(map(to_citation, cited)), share, reason, is_near=bool(reason))


def _weakness(text: str, question: str, cited: Sequence[EvidenceSentence]) -> str:
    """Which part of a sentence does not follow from what it cites, or an empty string."""
    if moved := misplaced(text, cited):
        return f"at another place in the notes: {', '.join(sorted(moved))}"
    if (least := least_carried(text, question, cited)) < MIN_CLAUSE:
        return f"one part is not covered by the notes ({least:.2f})"
    return ""


def _named_entry(
    novel: frozenset[str], cited: Sequence[EvidenceSentence], evidence: Sequence[EvidenceSentence], question: Features
) -> list[EvidenceSentence]:
    """The sentences of the entry whose name is all that was added to a description in other words than the notes'."""
    described = frozenset().union(*(s.features.units for s in cited)) & question.units
    if len(described) >= MIN_DESCRIBED * len(question.units):
        return []
    return [e for e in evidence if e.passage.entry and len(novel & e.title.units) >= MIN_NAMED * len(novel)]


def _named(
    entry: Sequence[EvidenceSentence],
    cited: Sequence[EvidenceSentence],
    evidence: Sequence[EvidenceSentence],
    question: Features,
) -> Verdict:
    """A name answers a description that its entry meets: what is cited is the sentence of the entry nearest to it."""
    best = max(entry, key=lambda s: (_nearness(s), len(question.units & s.features.units), len(s.text)))
    if max(map(_nearness, evidence)) - _nearness(best) > MAX_NAME_DISTANCE:
        reason = "another entry lies nearer to the description"
        return Verdict(False, tuple(map(to_citation, cited)), 1.0, reason, is_near=True)
    return Verdict(True, (to_citation(best),), 1.0, is_name=True)


def _across_languages(
    text: str, claim: Features, evidence: Sequence[EvidenceSentence], question: str, translate: Translator
) -> Verdict:
    """An English sentence over Chinese notes, judged in their words; the terms that the notes write in English stay."""
    known = union(part for sentence in evidence for part in (sentence.features, sentence.title))
    translated = _GLOSS.sub("", translate(text, sorted(claim.latin & known.latin)))
    if lost := claim.numbers - features(translated).numbers:
        return Verdict(False, (), 0.0, f"number lost in translation: {', '.join(sorted(lost))}")
    novel = units_beyond(translated, question)
    if not novel:
        return Verdict(False, (), 0.0, "says nothing")
    return _stated(translated, novel, align(novel, features(translated), evidence), evidence, question)


def _nearness(sentence: EvidenceSentence) -> float:
    """How near the part of the passage that holds the sentence lies to the question."""
    parts = (p.score for p in sentence.passage.focus if p.start <= sentence.start < p.end)
    return max(parts, default=-1.0)


def _contradiction(
    text: str, cited: Sequence[EvidenceSentence], question: Features, evidence: Sequence[EvidenceSentence]
) -> str:
    """Why a sentence cannot follow from what it cites, or an empty string.

    Names may stand elsewhere in the passages that are cited; that the question names something is no evidence of it.
    """
    claim = features(text)
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
