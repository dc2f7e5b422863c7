"""Agents at work: each run in its own thread, with its steps, a way to stop it, and an outcome."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ui.audience import Audience
from ui.tasks import Report, Task

if TYPE_CHECKING:
    from agents.run import Progress, Step

# A run holds some kilobytes; the oldest go first.
KEPT = 50

# Does the work of an agent: told where to report its steps and what cancels it, it returns the agent's result.
Work = Callable[["Progress", threading.Event], object]


@dataclass(frozen=True, slots=True)
class AgentRun:
    """A run of an agent. ``asked`` is what it was given, ``steps`` are those that ended, oldest first."""

    run_id: str
    kind: str
    asked: object
    task: Task[object]
    audience: Audience
    steps: "list[Step]" = field(default_factory=list)


class AgentRuns:
    """The newest runs of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, AgentRun] = OrderedDict()

    def start(self, kind: str, asked: object, work: Work, is_open: Callable[[str], bool] = lambda _: True) -> str:
        """Start the work of an agent; the id of the run, long and random, because it stands in the address."""
        cancel = threading.Event()
        steps: list[Step] = []

        def run(report: Report) -> object:
            def took(step: "Step") -> None:
                steps.append(step)
                report(step.name, len(steps), 0)

            return work(took, cancel)

        made = AgentRun(uuid.uuid4().hex, kind, asked, Task(run, cancel.set), Audience(is_open), steps)
        with self._lock:
            self._kept[made.run_id] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)[1].task.stop()
        made.task.leave_when_unwatched(made.audience)
        threading.Thread(target=made.task.run, name=f"agent-{kind}", daemon=True).start()
        return made.run_id

    def find(self, run_id: str) -> AgentRun | None:
        """The run of this id; None when it is not kept any more."""
        with self._lock:
            return self._kept.get(run_id)
