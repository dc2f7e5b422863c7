"""Answers: are the facts of the gold answer in the text?

A key fact is a list of accepted surface forms; one of them is enough. Forms are compared as ``evals.text.holds_form``
does: NFKC, case, script, spaces, number words. They are a check, not a proof.
"""

from collections import Counter

from evals import text
from evals.types import Case, Score
from rag.types import Answer, State, Support

OUTCOMES = ("correct", "wrong", "refused")


def said(answer: Answer) -> str:
    """What the answer itself says: its sentences, without markers and without the labels a mode puts around them."""
    return text.strip_markers("\n".join(s.text for s in answer.sentences) or answer.text)


def worded(answer: Answer) -> str:
    """As ``said``, without the notes' own words that stand beside the model's."""
    own = [s.text for s in answer.sentences if s.support != Support.QUOTED]
    return text.strip_markers("\n".join(own)) if answer.sentences else said(answer)


def key_fact_recall(case: Case, answer_text: str) -> Score:
    """|facts with an accepted form in the text| / |facts|."""
    if not case.key_facts:
        return Score("key_fact_recall", None, "the case has no key facts")
    plain = text.strip_markers(answer_text)
    found = sum(any(text.holds_form(plain, form) for form in forms) for forms in case.key_facts)
    return Score("key_fact_recall", found / len(case.key_facts))


def outcome(case: Case, answer: Answer | None) -> str:
    """``refused`` by its state; else ``correct`` when answerable and every key fact is there; else ``wrong``.

    A false premise is answered right by correcting it, so a refusal is not right there either. An answer that
    failed (None) is wrong. An answerable case without key facts cannot be checked, so any answer to it is wrong.
    """
    if answer is None:
        return "wrong"
    if answer.state == State.REFUSED:
        return "refused"
    is_complete = case.answerable and key_fact_recall(case, said(answer)).value == 1.0
    return "correct" if is_complete else "wrong"


def is_right(case: Case, answer: Answer | None) -> bool:
    """Whether the reader was served right: a correct answer, or a refusal where the notes hold none."""
    return outcome(case, answer) == ("correct" if case.answerable else "refused")


def _correct_in_own_words(case: Case, answer: Answer | None) -> Score:
    """``correct`` when the quotes of the notes beside the model's words do not count."""
    if not case.answerable:
        return Score("correct_unquoted", None, "the notes do not hold an answer")
    is_answered = answer is not None and answer.state != State.REFUSED
    complete = is_answered and answer is not None and key_fact_recall(case, worded(answer)).value == 1.0
    return Score("correct_unquoted", float(complete))


def char_f1(prediction: str, gold: str) -> Score:
    """F1 over characters as bags (the token F1 of SQuAD, Rajpurkar et al. 2016, on normalised characters).

    Undefined where answer and gold are in different languages: they share no characters to count.
    """
    predicted, wanted = _characters(prediction), _characters(gold)
    if not wanted:
        return Score("char_f1", None, "no gold answer")
    languages = {text.language(prediction), text.language(gold)} - {""}
    if predicted and len(languages) > 1:
        return Score("char_f1", None, "answer and gold are in different languages")
    shared = (predicted & wanted).total()
    if not shared:
        return Score("char_f1", 0.0)
    return Score("char_f1", 2 * shared / (predicted.total() + wanted.total()))


def answer_scores(case: Case, answer: Answer | None) -> list[Score]:
    """Key-fact recall, character F1, ``correct``/``wrong``/``refused`` (they sum to 1) and ``right``.

    A failed answer (None) counts as the worst value. A refusal holds no facts: 0 where there was an answer to give.
    """
    result = outcome(case, answer)
    scores = [Score(name, float(result == name)) for name in OUTCOMES]
    scores.append(Score("right", float(is_right(case, answer))))
    scores.append(_correct_in_own_words(case, answer))
    if not case.answerable:
        unscored = "the notes do not hold an answer"
        return [Score("key_fact_recall", None, unscored), Score("char_f1", None, unscored), *scores]
    if answer is None or answer.state == State.REFUSED:
        reason = "the answer failed" if answer is None else "refused"
        return [Score("key_fact_recall", 0.0, reason), Score("char_f1", 0.0, reason), *scores]
    return [key_fact_recall(case, said(answer)), char_f1(worded(answer), case.answer), *scores]


def _characters(written: str) -> Counter[str]:
    return Counter(c for c in text.normalise(text.strip_markers(written)) if c.isalnum())
