"""Does the evidence hold what a sentence says? Citations are attached here, never taken from the model.

A sentence is aligned to the evidence sentences that cover most of its content units (greedy set cover),
and is supported when enough of it is covered, every number and every name in it stands in the evidence,
and nothing is negated that the evidence asserts. Where words cannot decide (an English sentence over
Chinese notes, a loose paraphrase) an ``Entailment`` callback may: a one-token verdict of a model.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.evidence import EvidenceSentence, Features, coverage, features, to_citation, union
from rag.text import detect_language
from rag.types import Citation

# Probability that the evidence text (second argument) entails the sentence (first argument).
Entailment = Callable[[str, str], float]

# At least this share of a sentence's units must stand in what it cites (and in the question and titles).
MIN_COVERAGE = 0.6
# Below MIN_COVERAGE but above this share a model may still vouch for a paraphrase in the same language.
MIN_PARAPHRASE = 0.35
# A further citation must add at least this share of the sentence's units.
MIN_GAIN = 0.12
MAX_CITATIONS = 3
MIN_ENTAILMENT = 0.5

# A marker as a model types it: [1], 【1、2】, (note 1); only where a clause ends, so that an array [0, 1] survives.
_MARKER = re.compile(
    r"\s*(?:[\[【〔](?:笔记|note)?\s*\d{1,2}(?:\s*[,，、]\s*\d{1,2})*[\]】〕]|[(（](?:笔记|note)\s*\d{1,2}[)）])"
    r"(?=\s*(?:[。，；！？.,;!?\[【]|$))",
    re.IGNORECASE,
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
    """A sentence as the model wrote it, without typed markers and without "according to the notes"."""
    return _REFERENCE_TALK.sub("", _MARKER.sub("", text).strip()).strip()


def align(claim: Features, evidence: Sequence[EvidenceSentence], context: Features) -> list[EvidenceSentence]:
    """The evidence sentences that cover the claim best, greedily, in order of their gain.

    ``context`` (question and titles) covers units that need no evidence of their own.
    """
    left = claim.units - context.units or claim.units
    total = max(len(left), 1)
    chosen: list[EvidenceSentence] = []
    while len(chosen) < MAX_CITATIONS and left:
        best = max(evidence, key=lambda s: (len(left & s.features.units), -len(s.features.units)), default=None)
        if best is None or len(left & best.features.units) / total < MIN_GAIN:
            break
        chosen.append(best)
        left = left - best.features.units
    return chosen


def judge_sentence(
    text: str,
    evidence: Sequence[EvidenceSentence],
    *,
    context: Features,
    entails: Entailment | None = None,
) -> Verdict:
    """Decide whether ``text`` is supported by ``evidence`` and cite the sentences that support it.

    Args:
        text: one sentence, cleaned.
        evidence: the sentences of the passages that were in the prompt.
        context: features of the question and of the passages' titles: a name or a number that stands there
            is not invented.
        entails: asked where lexical evidence cannot decide; without it such sentences are not supported.
    """
    claim = features(text)
    if not claim.units:
        return Verdict(False, (), 0.0, "says nothing")
    cited = align(claim, evidence, context)
    if not cited:
        return Verdict(False, (), 0.0, "nothing in the notes resembles it")
    citations = tuple(to_citation(sentence) for sentence in cited)
    support = union([*(sentence.features for sentence in cited), context])
    share = coverage(claim, support)
    if reason := _contradiction(claim, cited, context):
        return Verdict(False, (), share, reason)
    if share >= MIN_COVERAGE:
        return Verdict(True, citations, share)
    crosses = detect_language(text) != detect_language(cited[0].text)
    if entails is not None and (crosses or share >= MIN_PARAPHRASE):
        probability = entails(text, "\n".join(sentence.text for sentence in cited))
        if probability >= MIN_ENTAILMENT:
            return Verdict(True, citations, share, f"entailed ({probability:.2f})")
    return Verdict(False, (), share, "not covered by the notes")


def _contradiction(claim: Features, cited: Sequence[EvidenceSentence], context: Features) -> str:
    """Why the claim cannot follow from what it cites, or an empty string."""
    stated = union(sentence.features for sentence in cited)
    if invented := claim.numbers - stated.numbers - context.numbers:
        return f"number not in the notes: {', '.join(sorted(invented))}"
    if turned := {word for word in claim.negated if word in stated.units and word not in stated.negated}:
        return f"negates what the notes assert: {', '.join(sorted(turned))}"
    return ""
