"""One thread that owns a model and works off a bounded queue, fairly among those who ask."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from rag.errors import EngineError, QueueFullError
from rag.fair_queue import FairQueue, Urgency, caller

_CLOSED = "The engine is closed. Open the notebook again."
_ENDED = "The engine's thread ended unexpectedly. Restart the program; its standard error has the reason."


class Closable(Protocol):
    """A thing that holds memory until it is closed."""

    def close(self) -> None:
        """Free it. Idempotent."""


Model = TypeVar("Model", bound=Closable)
Owned = TypeVar("Owned", contravariant=True)


class Task(Protocol[Owned]):
    """Work that needs the model for itself from beginning to end."""

    urgency: Urgency

    def run(self, model: Owned) -> None:
        """Do it on the worker's thread. EngineError is handed to ``fail``."""

    def fail(self, error: EngineError) -> None:
        """Tell the waiting reader that it will not be done; without effect once it is done."""

    def cancel(self) -> None:
        """Make a running task end soon and a waiting one end now. Idempotent."""


class Worker(Generic[Model]):
    """Loads the model in the background and runs tasks one after another.

    ``limit`` tasks may wait besides the running one. The thread is a daemon and holds no reference
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
            raise EngineError(_ENDED)
        return self._model

    def submit(self, task: Task[Model]) -> None:
        """Put a task at the end of the queue.

        Raises:
            EngineError: the queue is full, the model failed to load, or the worker is closed.
        """
        self.model()
        with self._changed:
            if self._closing or self._model is None:
                raise EngineError(_CLOSED if self._closing else _ENDED)
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
            while (task := self._next()) is not None:
                self._run(task, self._model)
        finally:
            self._shut(self._model)

    def _shut(self, model: Model) -> None:
        with self._changed:
            self._model = None
            waiting, self._waiting = self._waiting, FairQueue()
        for task in waiting:
            task.fail(EngineError(_CLOSED if self._closing else _ENDED))
        model.close()

    def _next(self) -> Task[Model] | None:
        with self._changed:
            self._current = None
            while not self._waiting and not self._closing:
                self._changed.wait()
            if self._closing:
                return None
            self._current = self._waiting.take()
            return self._current

    @staticmethod
    def _run(task: Task[Model], model: Model) -> None:
        """A defect in a task ends the thread loudly, but never leaves its reader waiting."""
        try:
            task.run(model)
        except EngineError as error:
            task.fail(error)
        finally:
            task.fail(EngineError(_ENDED))
