"""A stream of text pieces between the thread that decodes and the one that reads.

The producer holds a :class:`Channel`, the reader a :class:`PieceStream`. The channel never blocks the
producer, and a reader that goes away (closed iterator, Ctrl-C, garbage collection) cancels it.
"""

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Literal

from rag.errors import EngineError
from rag.protocols import Generation

Finish = Literal["stop", "length", "repetition", "cancelled"]

# How often a waiting reader looks at a cancel event that nobody notifies it about.
_POLL_SECONDS = 0.05


class Channel:
    """The producer's end: pieces in order, then exactly one result or error."""

    def __init__(self, cancel: threading.Event | None = None) -> None:
        self.on_cancel: Callable[[], None] = lambda: None
        self._cancel = cancel
        self._cancelled = False
        self._pieces: list[str] = []
        self._outcome: Generation | EngineError | None = None
        self._changed = threading.Condition()

    @property
    def is_cancelled(self) -> bool:
        """Whether the reader wants no more."""
        return self._cancelled or (self._cancel is not None and self._cancel.is_set())

    @property
    def is_finished(self) -> bool:
        """Whether a result or an error was set."""
        return self._outcome is not None

    @property
    def text(self) -> str:
        """All pieces so far."""
        return "".join(self._pieces)

    def put(self, piece: str) -> None:
        """Append a piece; an empty one is dropped."""
        if piece:
            with self._changed:
                self._pieces.append(piece)
                self._changed.notify_all()

    def finish(self, outcome: Generation | EngineError) -> None:
        """End the stream. Only the first outcome counts."""
        with self._changed:
            self._outcome = self._outcome or outcome
            self._changed.notify_all()

    def cancel(self) -> None:
        """Ask the producer to stop. Idempotent; without effect once finished."""
        if not self.is_finished:
            self._cancelled = True
            self.on_cancel()

    def abandon(self) -> None:
        """Cancel without taking any lock: safe inside the garbage collector."""
        self._cancelled = True

    def result(self) -> Generation:
        """The finished generation.

        Raises:
            EngineError: the generation failed, or it still runs.
        """
        outcome = self._outcome
        if outcome is None:
            raise EngineError("The generation still runs. Read the stream to its end before you ask for the result.")
        if isinstance(outcome, EngineError):
            raise outcome
        return outcome

    def piece(self, position: int) -> str | None:
        """Wait for the piece at ``position``; None after the last one. Raises the producer's EngineError."""
        timeout = None if self._cancel is None else _POLL_SECONDS
        while True:
            with self._changed:
                if position < len(self._pieces):
                    return self._pieces[position]
                if self._outcome is not None:
                    self.result()
                    return None
                self._changed.wait(timeout)
            if self.is_cancelled:
                self.cancel()


class PieceStream:
    """The reader's end; implements GenerationStream. Leaving an iteration early cancels the generation."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        weakref.finalize(self, channel.abandon).atexit = False

    def __iter__(self) -> Iterator[str]:
        """Pieces in order from the first; they join to ``result.text``."""
        position = 0
        try:
            while (piece := self._channel.piece(position)) is not None:
                position += 1
                yield piece
        finally:
            self._channel.cancel()

    @property
    def result(self) -> Generation:
        """The finished generation. Raises EngineError while it still runs or when it failed."""
        return self._channel.result()

    def cancel(self) -> None:
        """Stop it now, queued or running. Idempotent."""
        self._channel.cancel()
