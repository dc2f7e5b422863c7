"""Long work in a thread of the server: at most one of each name, with progress, a way to stop it, and an outcome."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rag.errors import GenerationCancelledError, MingbaiError
from ui.audience import RELOAD_SECONDS, Audience

# (stage, done, total), as ingest and the model store report it.
Report = Callable[[str, int, int], None]
T = TypeVar("T")

_STOPPED = "Stopped. What was there before still stands."

_log = logging.getLogger(__name__)


class StoppedError(MingbaiError):
    """A person stopped the work."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is: ``done`` of ``total`` in ``stage``; ``total`` 0 where nobody knows."""

    stage: str
    done: int
    total: int
    seconds: float
    is_stopping: bool


class Task(Generic[T]):
    """A function at work in its own thread.

    Args:
        work: gets a function that it calls with (stage, done, total); that call raises StoppedError after ``stop``.
        on_stop: called by ``stop``, for work that does not report for seconds.
    """

    def __init__(self, work: Callable[[Report], T], on_stop: Callable[[], None] = lambda: None) -> None:
        self._work = work
        self._on_stop = on_stop
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._done = threading.Event()
        self._now = ("", 0, 0)
        self._started = time.monotonic()
        self._seconds: float | None = None
        self.result: T | None = None
        self.error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """Whether it ended; then there is a ``result`` or an ``error``."""
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end at most so long; whether it ended."""
        return self._done.wait(seconds)

    def stop(self) -> None:
        """End it at its next report, or sooner where ``on_stop`` can. Idempotent."""
        self._stopped.set()
        self._on_stop()

    def leave_when_unwatched(self, audience: Audience) -> None:
        """From now on, stop it when all pages of an audience were closed."""
        audience.guard(self._done, self.stop, lambda: RELOAD_SECONDS)

    def progress(self) -> Progress:
        """A consistent look at it, from any thread."""
        with self._lock:
            seconds = time.monotonic() - self._started if self._seconds is None else self._seconds
            return Progress(*self._now, seconds, self._stopped.is_set())

    def run(self) -> None:
        """Do the work. Never raises."""
        try:
            self.result = self._work(self._report)
        except GenerationCancelledError:
            self.error = StoppedError(_STOPPED)
        except MingbaiError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the edge of the page: work that fails must still end
            _log.exception("A task failed")
            self.error = error
        finally:
            self._seconds = time.monotonic() - self._started
            self._done.set()

    def _report(self, stage: str, done: int, total: int) -> None:
        with self._lock:
            self._now = (stage, done, total)
        if self._stopped.is_set():
            raise StoppedError(_STOPPED)


class Tasks:
    """The last task of every name in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, Task[object]] = {}

    def start(self, name: str, work: Callable[[Report], object]) -> Task[object]:
        """Start work under a name; where one of that name still runs, that one is returned and nothing is started."""
        with self._lock:
            running = self._tasks.get(name)
            if running is not None and not running.is_done:
                return running
            task: Task[object] = Task(work)
            self._tasks[name] = task
        threading.Thread(target=task.run, name=name, daemon=True).start()
        return task

    def of(self, name: str) -> Task[object] | None:
        """The task of a name, running or ended; None when there is none."""
        with self._lock:
            return self._tasks.get(name)

    def forget(self, name: str) -> None:
        """Drop the outcome of an ended task."""
        with self._lock:
            if (task := self._tasks.get(name)) is not None and task.is_done:
                del self._tasks[name]
