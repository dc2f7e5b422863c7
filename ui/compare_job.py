"""One question answered in several ways: the answers on their way, kept in memory while the server runs."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rag.errors import GenerationCancelledError
from rag.types import Answer
from ui.chat_job import Job, Jobs
from ui.compare_sides import GENERATOR, Side, fits_beside
from ui.conversations import Status, Turn
from ui.library import Library

if TYPE_CHECKING:
    from rag.notebook import Notebook

# A comparison holds some kilobytes; the oldest go first.
KEPT = 50
_POLL_SECONDS = 0.1


class Comparison:
    """A question and its answers by side. Takes the outcome of its jobs, from any thread."""

    def __init__(self, question: str, sides: Sequence[Side]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.comparison_id = uuid.uuid4().hex
        self.question = question
        self.sides = tuple(sides)
        self.jobs: tuple[Job, ...] = ()
        self._turns = [
            Turn(number, self.comparison_id, question, side.mode, Status.RUNNING, None, "", now)
            for number, side in enumerate(self.sides)
        ]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The question on every side, with the answers that are there."""
        return tuple(self._turns)

    @property
    def is_done(self) -> bool:
        """Whether every answer ended."""
        return all(job.is_done for job in self.jobs)

    def finish(self, turn_id: int, status: Status, *, answer: Answer | None = None, error: str = "") -> None:
        """Keep what became of one side."""
        self._turns[turn_id] = replace(self._turns[turn_id], status=status, answer=answer, error=error)

    def watch(self, session: str) -> None:
        """A page shows it: it goes on while one of the pages that did is open."""
        for job in self.jobs:
            job.watch(session)

    def cancel(self) -> None:
        """Stop what is still running. Idempotent."""
        for job in self.jobs:
            job.cancel()


class Comparisons:
    """The newest comparisons of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Comparison] = OrderedDict()

    def start(
        self, question: str, sides: Sequence[Side], jobs: Jobs, library: Library, *, is_open: Callable[[str], bool]
    ) -> str:
        """Ask a question on every side, in their order; the id of the comparison."""
        made = Comparison(question, sides)
        made.jobs = tuple(
            Job(turn, _alone, notebook=_lender(side, made, jobs, library), outcomes=made, is_open=is_open)
            for side, turn in zip(made.sides, made.turns, strict=True)
        )
        with self._lock:
            self._kept[made.comparison_id] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)[1].cancel()
        for job in made.jobs:
            jobs.start(job)
        return made.comparison_id

    def find(self, comparison_id: str) -> Comparison | None:
        """The comparison of this id; None when it is not kept any more."""
        with self._lock:
            return self._kept.get(comparison_id)


def _alone(notebook: "Notebook") -> tuple[()]:
    """A comparison has no earlier turns."""
    del notebook
    return ()


def _lender(
    side: Side, comparison: Comparison, jobs: Jobs, library: Library
) -> "Callable[[Job], AbstractContextManager[Notebook]]":
    """Lends the notebook of a side. Another model waits for the answers before it: two at once only slow each other."""
    settings = side.settings
    if settings is None:
        return lambda job: library.lease(job.postpone)

    @contextmanager
    def lend(job: Job) -> "Iterator[Notebook]":
        beside = True
        if side.changed is not None and side.changed[0] == GENERATOR:
            _wait(job, lambda: all(one.is_done for one in comparison.jobs if one is not job))
            beside = fits_beside(settings)[2]
            if not beside:
                # The model in force is put away: whoever asked before gets the answer first.
                _wait(job, lambda: jobs.ahead(job) == 0)
        with library.lend(settings, job.postpone, beside=beside) as notebook:
            yield notebook

    return lend


def _wait(job: Job, is_so: Callable[[], bool]) -> None:
    while not job.is_stopping:
        if is_so():
            return
        job.wait(_POLL_SECONDS)
    raise GenerationCancelledError("The comparison was stopped.")
