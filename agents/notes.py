"""Answers of the notebook inside a run: counted, timed, and cancelled with it."""

from collections.abc import Sequence

from agents.run import Meter
from rag.errors import GenerationCancelledError
from rag.notebook import Notebook
from rag.types import Answer, Passage


def ask(notebook: Notebook, question: str, meter: Meter) -> Answer:
    """``Notebook.ask`` in RCG mode, as one call of the run; it ends early with the run.

    Raises:
        LimitError: the run's steps or seconds are over.
        GenerationCancelledError: the run was cancelled.
    """
    meter.count_call()
    stream = notebook.stream(question)
    try:
        for _ in stream:
            if meter.cancelled.is_set() or meter.seconds_left() <= 0:
                stream.cancel()
        answer = stream.result
    except GenerationCancelledError:
        meter.check()  # says whether the time was over
        raise
    return _counted(meter, answer)


def answer_from(notebook: Notebook, question: str, passages: Sequence[Passage], meter: Meter) -> Answer:
    """``Notebook.answer_from`` in RCG mode. It is bounded by itself (one answer), so only its beginning is checked.

    Raises:
        LimitError: the run's seconds are over.
        GenerationCancelledError: the run was cancelled.
    """
    meter.check()
    return _counted(meter, notebook.answer_from(question, passages))


def _counted(meter: Meter, answer: Answer) -> Answer:
    meter.spend(answer.tokens.get("prompt", 0), answer.tokens.get("completion", 0))
    meter.record("answer", answer.text, state=str(answer.state), passages=len(answer.passages))
    return answer
