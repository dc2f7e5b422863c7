"""One question in all three modes: three answers on their way, kept in memory while the server runs."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rag.types import Answer, Mode
from ui.chat_job import Job, Jobs
from ui.conversations import Status, Turn

if TYPE_CHECKING:
    from rag.notebook import Notebook

# A comparison holds some kilobytes; the oldest go first.
KEPT = 50
# What the notes say first, what the model says alone last.
ORDER = (Mode.RCG, Mode.RAG, Mode.ROG)


class Comparison:
    """A question and its answers by mode. Takes the outcome of its jobs, from any thread."""

    def __init__(self, question: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.comparison_id = uuid.uuid4().hex
        self.question = question
        self.jobs: tuple[Job, ...] = ()
        self._turns = [
            Turn(number, self.comparison_id, question, mode, Status.RUNNING, None, "", now)
            for number, mode in enumerate(ORDER)
        ]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The question in every mode, with the answers that are there."""
        return tuple(self._turns)

    @property
    def is_done(self) -> bool:
        """Whether every answer ended."""
        return all(job.is_done for job in self.jobs)

    def finish(self, turn_id: int, status: Status, *, answer: Answer | None = None, error: str = "") -> None:
        """Keep what became of one mode."""
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
        self, question: str, jobs: Jobs, *, notebook: "Callable[[], Notebook]", is_open: Callable[[str], bool]
    ) -> str:
        """Ask a question in every mode, in the order of ORDER; the id of the comparison."""
        made = Comparison(question)
        made.jobs = tuple(Job(turn, (), notebook=notebook, outcomes=made, is_open=is_open) for turn in made.turns)
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
