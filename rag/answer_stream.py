"""The stream of one question: search, then the stages of its answer."""

import threading
from collections.abc import Callable, Iterator

from rag.answering import Answering, stop_if
from rag.types import Answer, Event, Stage


class AnswerStream:
    """The events of one answer. Iterate to the end, then read ``result``; ``cancel`` ends it early.

    Nothing happens before the first event is asked for, so a question can be cancelled from its search on.

    Args:
        gather: finds the evidence and gives the answering; raises when the event it gets is set.
        searches: whether gathering is a stage of its own.

    Raises (while iterating):
        PromptTooLongError: not even the best passage fits the context.
        EngineError: a model failed or the question was cancelled.
    """

    def __init__(self, gather: Callable[[threading.Event], Answering], *, searches: bool) -> None:
        self._gather = gather
        self._searches = searches
        self._cancelled = threading.Event()
        self._answering: Answering | None = None
        self._events = self._run()

    def __iter__(self) -> Iterator[Event]:
        return self._events

    @property
    def result(self) -> Answer:
        """The finished answer; the rest of the stream is read first.

        Raises:
            EngineError: as while iterating; also when it ended before there was anything to answer from.
        """
        for _ in self._events:
            pass
        return self._gathered().answer()

    def cancel(self) -> None:
        """Stop searching or generating. Idempotent; may be called from another thread."""
        self._cancelled.set()

    def _run(self) -> Iterator[Event]:
        if self._searches:
            yield Stage("search")
        yield from self._gathered().events()

    def _gathered(self) -> Answering:
        if self._answering is None:
            stop_if(self._cancelled)
            self._answering = self._gather(self._cancelled)
        return self._answering
