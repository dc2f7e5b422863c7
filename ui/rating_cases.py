"""Rated answers as cases of the harness: what a reader approved is gold, what was disliked is listed for a person."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from evals.cases import parse_case
from evals.types import Case, CaseType
from rag.text import detect_language
from rag.types import Answer, Mode, State
from ui.conversations import Rating, Turn

Rated = tuple[Turn, Rating]


def cases(rated: Iterable[Rated]) -> list[Case]:
    """The approved answers: cited ones with a line of every citation as evidence, right refusals as unanswerable.

    Answers without the notes are no gold, and a question counts once, as it was rated last.
    """
    found: dict[str, Case] = {}
    for turn, rating in rated:
        answer = turn.answer
        if not rating.is_good or answer is None or turn.mode is Mode.ROG:
            continue
        evidence = _evidence(answer)
        is_refusal = answer.state is State.REFUSED
        if is_refusal or evidence:
            found[turn.question] = _case(turn, answer, evidence, is_refusal=is_refusal)
    return list(found.values())


def case_lines(rated: Iterable[Rated]) -> str:
    """The cases as JSON lines, as ``mingbai eval run --cases`` reads them."""
    return "".join(json.dumps(asdict(case), ensure_ascii=False) + "\n" for case in cases(rated))


def disliked_lines(rated: Iterable[Rated]) -> str:
    """The disliked answers with their reasons as JSON lines; a person has to say what would be right."""
    rows = (
        {"question": turn.question, "mode": turn.mode.value, "reason": rating.reason, "answer": turn.answer.text}
        for turn, rating in rated
        if not rating.is_good and turn.answer is not None
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _case(turn: Turn, answer: Answer, evidence: Sequence[dict[str, str]], *, is_refusal: bool) -> Case:
    said = "".join(sentence.text for sentence in answer.sentences if sentence.is_backed)
    row: dict[str, object] = {
        "id": f"chat-{turn.turn_id}",
        "question": turn.question,
        "lang": detect_language(turn.question),
        "type": (CaseType.UNANSWERABLE if is_refusal else CaseType.DETAIL).value,
        "answerable": not is_refusal,
        "answer": "" if is_refusal else said,
        "key_facts": [],
        "evidence": [] if is_refusal else list(evidence),
    }
    return parse_case(row, f"the answer of {turn.asked}")


def _evidence(answer: Answer) -> list[dict[str, str]]:
    """The first line of every cited span: an evidence is a quote from one line."""
    cited = {c: None for sentence in answer.sentences for c in sentence.citations}
    rows = {(c.file, c.entry, c.quote.strip().split("\n")[0].strip()): None for c in cited}
    return [{"file": file, "heading": entry, "quote": quote} for file, entry, quote in rows if quote]
