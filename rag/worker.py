"""One thread that owns a model and works off a bounded queue, fairly among those who ask.

A task runs from beginning to end, or it only begins and the model goes on with it in steps, while others begin.
"""

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from rag.errors import EngineError, QueueFullError
from rag.fair_queue import FairQueue, Urgency, caller

_CLOSED = "The engine is closed. Open the notebook again."
ENDED = "The engine's thread ended unexpectedly. Restart the program; its standard error has the reason."


Owned = TypeVar("Owned", contravariant=True)


class Task(Protocol[Owned]):
    """Work for the model."""

    urgency: Urgency
    is_stream: bool

    @property
    def cells(self) -> int:
        """The most tokens that it will have in the model's context."""

    def run(self, model: Owned) -> None:
        """Do or begin it on the worker's thread. EngineError is handed to ``fail``."""

    def fail(self, error: EngineError) -> None:
        """Tell the waiting reader that it will not be done; without effect once it is done."""

    def cancel(self) -> None:
        """Make a running task end soon and a waiting one end now. Idempotent."""


class Owner(Protocol):
    """A model, and what was begun with it. For the worker's thread only."""

    @property
    def is_busy(self) -> bool:
        """Whether ``step`` has something to do."""

    def admits(self, task: Task[Any]) -> bool:
        """Whether a task can be run now; always when it is not busy."""

    def step(self) -> None:
        """Go on with everything that was begun."""

    def cancel(self) -> None:
        """End everything that was begun, as its readers would."""

    def close(self) -> None:
        """End what was begun with an error and free the memory. Idempotent."""


Model = TypeVar("Model", bound=Owner)


class Worker(Generic[Model]):
    """Loads the model in the background and runs tasks as soon as the model admits the next one.

    ``limit`` tasks may wait besides the running ones. The thread is a daemon and holds no reference
    to the engine in front of it, so that an engine can be collected.
    """

    def __init__(self, load: Callable[[], Model], *, limit: int, name: str) -> None:
        self._load = load
        self._limit = limit
        self._waiting: FairQueue[Task[Model]] = FairQueue()
        self._current: Task[Model] | None = None
        self._model: Model | None = None
        self._error: EngineError | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._loaded = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded and tasks are accepted."""
        return self._model is not None and not self._closing

    def model(self) -> Model:
        """The model, for calls that are safe from any thread; waits until it is loaded.

        Raises:
            EngineError: it could not be loaded, or the worker is closed.
        """
        self._loaded.wait()
        if self._closing:
            raise EngineError(_CLOSED)
        if self._error is not None:
            raise self._error
        if self._model is None:
            raise EngineError(ENDED)
        return self._model

    def submit(self, task: Task[Model]) -> None:
        """Put a task at the end of the queue.

        Raises:
            EngineError: the queue is full, the model failed to load, or the worker is closed.
        """
        self.model()
        with self._changed:
            if self._closing or self._model is None:
                raise EngineError(_CLOSED if self._closing else ENDED)
            if len(self._waiting) >= self._limit:
                raise QueueFullError(f"The queue is full: {len(self._waiting)} questions are waiting. Try again later.")
            self._waiting.put(task, task.urgency, caller())
            self._changed.notify_all()

    def drop(self, task: Task[Model]) -> bool:
        """Take a waiting task out of the queue; False when it runs or is done."""
        with self._changed:
            return self._waiting.remove(task)

    def close(self) -> None:
        """Cancel everything, wait for the thread, free the model. Idempotent."""
        with self._changed:
            self._closing = True
            waiting, current = [*self._waiting], self._current
            self._changed.notify_all()
        for task in waiting:
            task.cancel()
        if current is not None:
            current.cancel()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        try:
            self._model = self._load()
        except EngineError as error:
            self._error = error
        finally:
            self._loaded.set()
        if self._model is None:
            return
        try:
            while not self._closing:
                if (task := self._next(self._model)) is not None:
                    self._run(task, self._model)
                elif not self._closing:
                    self._model.step()
            self._model.cancel()
        finally:
            self._shut(self._model)

    def _shut(self, model: Model) -> None:
        with self._changed:
            self._model = None
            waiting, self._waiting = self._waiting, FairQueue()
        for task in waiting:
            task.fail(EngineError(_CLOSED if self._closing else ENDED))
        model.close()

    def _next(self, model: Model) -> Task[Model] | None:
        """The next task; None when what was begun has to go on first, or when the worker closes."""
        with self._changed:
            self._current = None
            while not self._closing:
                if self._waiting and model.admits(self._waiting.first()):
                    self._current = self._waiting.take()
                    return self._current
                if model.is_busy:
                    return None
                self._changed.wait()
            return None

    @staticmethod
    def _run(task: Task[Model], model: Model) -> None:
        """A defect in a task ends the thread loudly, but never leaves its reader waiting."""
        try:
            task.run(model)
        except EngineError as error:
            task.fail(error)
        except BaseException:
            task.fail(EngineError(ENDED))
            raise
