"""Why an answer is wrong: one class per wrong answer, from what was in its prompt and what it says."""

from collections.abc import Sequence
from enum import StrEnum

from evals.cases import LocatedCase
from evals.gold import served
from evals.metrics.answers import is_right
from evals.metrics.citations import evidence_cited
from evals.metrics.faithfulness import Judged
from rag.types import Answer, Mode, State


class Failure(StrEnum):
    """What to repair: the retriever, the reader, its honesty, its reasoning, or its courage."""

    RETRIEVAL_MISS = "retrieval miss"
    IGNORED_EVIDENCE = "ignored evidence"
    INVENTED_FACT = "invented fact"
    LOGIC_SLIP = "logic slip"
    OVER_REFUSAL = "over-refusal"


def failure_of(located: LocatedCase, answer: Answer, judged: Sequence[Judged]) -> Failure | None:
    """The first class that fits; None for a right answer and for ROG, which has no evidence to fail on.

    An answer where the notes hold none is an invented fact. Without the evidence that the case needs
    in the prompt it is a retrieval miss, whatever else went wrong. A refusal over the evidence is an
    over-refusal. With an unsupported claim it is an invented fact. If the evidence was cited and every
    claim is supported, the slip is one of logic; otherwise the evidence was ignored.
    """
    case = located.case
    if answer.mode is Mode.ROG or is_right(case, answer):
        return None
    if not case.answerable:
        return Failure.INVENTED_FACT
    found = served(answer.passages, located.gold)
    if found < (len(located.gold) if case.needs_all_evidence else 1):
        return Failure.RETRIEVAL_MISS
    if answer.state is State.REFUSED:
        return Failure.OVER_REFUSAL
    if any(not claim.verdict.is_supported for claim in judged):
        return Failure.INVENTED_FACT
    used = evidence_cited(answer, located.gold).value or 0.0
    return Failure.LOGIC_SLIP if used == 1.0 else Failure.IGNORED_EVIDENCE
