"""Faithfulness and hallucination: does every claim of an answer follow from what was really in the prompt?

Two kinds of measure. With a judge: each claim (cut by rule, ``evals.text.claims``) against the passages of the prompt.
Without any model, always on: numbers and Latin terms that stand neither in the passages nor in the question, bigram
novelty, quotes that are not where they claim to be, repetition (复读机), and the language of the answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evals import numerals, text
from evals.judges.base import Judge, Verdict
from evals.metrics.answers import said, worded
from evals.types import Score
from rag.types import Answer, Passage, State, Support

LOOP_TIMES = 4
"""A piece said this many times in a row is a loop; three in a row occurs in honest text ("1 1 1")."""
_LOOP = re.compile(rf"(.{{2,40}}?)\1{{{LOOP_TIMES - 1},}}", re.DOTALL)
_READ_CHARS = 4_000  # answers are capped at far less; a bound for texts from elsewhere

NO_EVIDENCE = "no passage in the prompt"
REFUSED = "refused"
NO_CLAIM = "the answer states nothing"


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim with its verdict. ``is_shown_as_cited``: the reader was told that the notes support it."""

    claim: str
    verdict: Verdict
    is_shown_as_cited: bool


def answer_claims(answer: Answer) -> list[tuple[str, bool]]:
    """The claims of an answer in order, each with whether it is shown as cited. A refusal claims nothing.

    Quotes of the notes are no claims of the model; ``quote_validity`` holds them against the source.
    """
    if answer.state == State.REFUSED:
        return []
    if not answer.sentences:
        return [(claim, False) for claim in text.claims(answer.text)]
    worded = [s for s in answer.sentences if s.support != Support.QUOTED]
    return [(c, s.support == Support.CITED) for s in worded for c in text.claims(s.text)]


def passage_text(passage: Passage) -> str:
    """A passage as the model read it: its outline path and its text."""
    return f"{' > '.join(passage.path) or passage.entry}\n{passage.text}"


def judge_claims(answer: Answer, judge: Judge) -> list[Judged]:
    """Each claim of an answer judged against the passages of its prompt."""
    passages = [passage_text(p) for p in answer.passages]
    return [
        Judged(
            claim,
            judge.verdict(claim, passages, question=answer.question, lang=text.language(claim) or "zh"),
            cited,
        )
        for claim, cited in answer_claims(answer)
    ]


def judged_scores(answer: Answer, judged: Sequence[Judged]) -> list[Score]:
    """``faithfulness`` = supported / all claims; ``hallucination`` and ``false_support``, 1 for one bad claim or more.

    ``false_support`` counts only claims that the reader was told the notes support. The hallucination rate of a run
    is the mean of ``hallucination``. Undefined for a refusal, without claims, and without passages (ROG).
    """
    names = ("faithfulness", "hallucination", "false_support")
    if reason := _undefined(answer, has_claims=bool(judged)):
        return [Score(name, None, reason) for name in names]
    unsupported = [j for j in judged if not j.verdict.is_supported]
    shown = Score("false_support", float(any(j.is_shown_as_cited for j in unsupported)))
    if not any(j.is_shown_as_cited for j in judged):
        shown = Score("false_support", None, "nothing is shown as cited")
    return [
        Score("faithfulness", 1 - len(unsupported) / len(judged)),
        Score("hallucination", float(bool(unsupported))),
        shown,
    ]


def model_free_scores(answer: Answer) -> list[Score]:
    """The measures that need no judge, in a fixed order. For all but quotes and language lower is better."""
    return [
        new_numbers(answer),
        new_terms(answer),
        bigram_novelty(answer),
        quote_validity(answer),
        repetition(answer),
        answer_language(answer),
    ]


def new_numbers(answer: Answer) -> Score:
    """|numbers stated that stand neither in the passages nor in the question| / |numbers stated|."""
    written, known = text.compatible(said(answer)), _known_texts(answer)
    stated = numerals.stated_numbers(written)
    backed = frozenset().union(*(_numbers(k) for k in known))
    return _novelty("new_numbers", answer, new=len(stated - backed), total=len(stated), nothing="no number")


def new_terms(answer: Answer) -> Score:
    """|Latin terms and names that stand neither in the passages nor in the question| / |terms|."""
    terms = text.latin_terms(said(answer))
    vocabulary = frozenset().union(*(text.term_vocabulary(k) for k in _known_texts(answer)))
    missing = text.missing_terms(terms, vocabulary)
    return _novelty("new_terms", answer, new=len(missing), total=len(terms), nothing="no Latin term")


def bigram_novelty(answer: Answer) -> Score:
    """|character bigrams that are neither in the passages nor in the question| / |bigrams|.

    A signal for copying against inventing, not a fault in itself; undefined across languages.
    """
    bigrams = text.character_bigrams(said(answer))
    known = _known_texts(answer)
    languages = {text.language(k) for k in known[1:]} - {""}
    if languages and text.language(said(answer)) not in languages:
        return Score("bigram_novelty", None, "answer and passages are in different languages")
    new = len(bigrams - frozenset().union(*(text.character_bigrams(k) for k in known)))
    return _novelty("bigram_novelty", answer, new=new, total=len(bigrams), nothing=NO_CLAIM)


def quote_validity(answer: Answer) -> Score:
    """|citations whose quote stands at its offsets in a passage of the prompt| / |citations|."""
    citations = [c for s in answer.sentences for c in s.citations]
    if not citations:
        return Score("quote_validity", None, "no citation")
    by_id = {p.chunk_id: p for p in answer.passages}
    valid = 0
    for c in citations:
        passage = by_id.get(c.chunk_id)
        if passage is not None and passage.file == c.file and c.quote and c.start >= passage.start:
            valid += passage.text[c.start - passage.start : c.end - passage.start] == c.quote
    return Score("quote_validity", valid / len(citations))


def repetition(answer: Answer) -> Score:
    """The share of the answer that only repeats itself: claims said before, or a piece looped 4 times or more."""
    said_claims = ["".join(c for c in text.normalise(claim) if c.isalnum()) for claim in text.claims(said(answer))]
    if not said_claims or answer.state == State.REFUSED:
        return Score("repetition", None, REFUSED if answer.state == State.REFUSED else NO_CLAIM)
    repeated = 1 - len(set(said_claims)) / len(said_claims)
    body = "".join(c for c in text.normalise(said(answer))[:_READ_CHARS] if not c.isspace())
    looped = sum(len(m[0]) - len(m[1]) for m in _LOOP.finditer(body) if any(c.isalpha() for c in m[1]))
    return Score("repetition", max(repeated, looped / max(1, len(body))))


def answer_language(answer: Answer) -> Score:
    """1 when the answer is in the language of the question; undefined without letters in either."""
    asked, answered = text.language(answer.question), text.language(worded(answer))
    if not asked or not answered:
        return Score("answer_language", None, "no letters to tell a language by")
    return Score("answer_language", float(asked == answered))


def _known_texts(answer: Answer) -> list[str]:
    """The question, then the passages as they were read."""
    return [answer.question, *(passage_text(p) for p in answer.passages)]


def _numbers(known: str) -> frozenset[str]:
    return numerals.all_numbers(text.compatible(known))


def _novelty(metric: str, answer: Answer, *, new: int, total: int, nothing: str) -> Score:
    if reason := _undefined(answer, has_claims=True):
        return Score(metric, None, reason)
    return Score(metric, new / total) if total else Score(metric, None, nothing)


def _undefined(answer: Answer, *, has_claims: bool) -> str:
    if answer.state == State.REFUSED:
        return REFUSED
    if not answer.passages:
        return NO_EVIDENCE
    return "" if has_claims else NO_CLAIM
