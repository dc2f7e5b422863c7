"""Blocking work for a waiting client: each in a thread of its own, bounded, timed, cancelled when nobody waits.

A :class:`Gate` lets so many requests work at once and turns the others away; a :class:`Running` hands the items of
one of them to the event loop. Leaving a :class:`Running` cancels what the thread is doing.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from rag.errors import GenerationCancelledError
from rag.fair_queue import calling

T = TypeVar("T")

# A refused client is told to come back after the mean time of recent requests, within these bounds (seconds).
RETRY_BOUNDS = (1, 60)
# The weight of the newest request in that mean.
_MEAN_WEIGHT = 0.2


class GateFullError(Exception):
    """So many requests are at work that no further one is taken; ``retry_after`` is in seconds."""

    def __init__(self, limit: int, retry_after: int) -> None:
        super().__init__(f"The queue is full: {limit} requests are at work. Try again in {retry_after} s.")
        self.retry_after = retry_after


class TimeLimitError(Exception):
    """A request took longer than is allowed; it was cancelled."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request took longer than {seconds:g} s and was stopped. Ask for less.")


class Cancellable(Protocol):
    """Something that can be told to stop."""

    def cancel(self) -> None:
        """Stop. Idempotent, from any thread."""


class Cancellation:
    """Tells the work of one request, wherever it is, that nobody waits for it any more."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._followers: list[Cancellable] = []
        self._lock = threading.Lock()

    def follow(self, stream: Cancellable) -> None:
        """Cancel ``stream`` too; at once when the request is cancelled already."""
        with self._lock:
            self._followers.append(stream)
        if self.event.is_set():
            stream.cancel()

    def cancel(self) -> None:
        """Cancel everything that follows. Idempotent, from any thread."""
        self.event.set()
        with self._lock:
            followers = tuple(self._followers)
        for stream in followers:
            stream.cancel()


Work = Callable[[Cancellation], Iterator[T]]


@dataclass(frozen=True, slots=True)
class _End:
    """What a thread sends last."""

    error: Exception | None


class Running(Generic[T]):
    """The items of one request's work, as they come. Iterate it on the event loop that made it.

    Raises (while iterating):
        TimeLimitError: the request's time is over.
        GenerationCancelledError: it was cancelled, so that what came is not all of it.
        Exception: whatever the work raised.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[T | _End] = asyncio.Queue()
        self._seconds = seconds
        self._deadline = self._loop.time() + seconds
        self.cancellation = Cancellation()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            async with asyncio.timeout_at(self._deadline):
                item = await self._items.get()
        except TimeoutError as error:
            self.cancel()
            raise TimeLimitError(self._seconds) from error
        if not isinstance(item, _End):
            return item
        if item.error is not None:
            raise item.error
        if self.cancellation.event.is_set():
            raise GenerationCancelledError("The request was stopped before it ended. Ask again.")
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Stop the work. Idempotent; without effect once it ended."""
        self.cancellation.cancel()

    def pump(self, work: Work[T]) -> None:
        """On the thread of the request: do the work and hand over what it yields."""
        ended = _End(None)
        try:
            for item in work(self.cancellation):
                self._put(item)
                if self.cancellation.event.is_set():
                    break
        except Exception as error:  # noqa: BLE001 - raised again where the client waits
            ended = _End(error)
        finally:
            self._put(ended)

    def _put(self, item: T | _End) -> None:
        # The loop is gone when the server was stopped the hard way; then nobody reads.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)


class Gate:
    """Lets at most ``limit`` requests work at once, ``seconds`` long each. Use it on one event loop."""

    def __init__(self, *, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._mean = 0.0
        self._is_closed = False
        self._running: set[Running[object]] = set()
        self._lock = threading.Lock()

    @property
    def working(self) -> int:
        """How many requests are at work, cancelled ones included until their thread ends."""
        return len(self._running)

    def run(self, work: Work[T], caller: str = "") -> Running[T]:
        """Start the work of a request; the engine serves callers in turn.

        Raises:
            GateFullError: ``limit`` requests are at work.
            GenerationCancelledError: the gate is closed.
        """
        with self._lock:
            if self._is_closed:
                raise GenerationCancelledError("The server is being stopped. Ask again when it runs.")
            if len(self._running) >= self._limit:
                raise GateFullError(self._limit, self._retry_after())
            running: Running[T] = Running(self._seconds)
            self._running.add(running)  # type: ignore[arg-type] # a set of whatever they yield
        threading.Thread(target=self._work, args=(running, work, caller), name="request", daemon=True).start()
        return running

    def open(self) -> None:
        """Let requests in, as at the beginning. Idempotent."""
        with self._lock:
            self._is_closed = False

    def close(self) -> None:
        """Cancel everything that is at work and let nothing in. Idempotent."""
        with self._lock:
            self._is_closed = True
            running = tuple(self._running)
        for one in running:
            one.cancel()

    def _work(self, running: Running[T], work: Work[T], caller: str) -> None:
        started = time.monotonic()
        try:
            with calling(caller):
                running.pump(work)
        finally:
            with self._lock:
                self._running.discard(running)
                self._mean += _MEAN_WEIGHT * (time.monotonic() - started - self._mean)

    def _retry_after(self) -> int:
        low, high = RETRY_BOUNDS
        return max(low, min(high, math.ceil(self._mean)))
