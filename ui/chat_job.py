"""One question at work in its own thread, so that no click, reload or second tab can disturb it."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rag.errors import EngineError, GenerationCancelledError, MingbaiError
from rag.text import split_sentences
from rag.types import Answer, Checked, Draft, Event, Mode, Sentence, Stage, State
from ui.audience import CONTENDED_SECONDS, RELOAD_SECONDS, Audience
from ui.conversations import Status, Turn

if TYPE_CHECKING:
    from rag.answer_stream import AnswerStream
    from rag.notebook import Notebook

LOAD = "load"
SEARCH = "search"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of an answer that is done or under way, and how long it took so far."""

    name: str
    seconds: float
    is_done: bool
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an answer is.

    ``draft`` is what the model wrote after the last checked sentence, ``written`` counts all its characters,
    ``ahead`` the questions that wait in front of this one.
    """

    steps: tuple[Step, ...]
    sentences: tuple[Sentence, ...]
    draft: str
    written: int
    ahead: int
    is_stopping: bool


class Outcomes(Protocol):
    """Where it is written down what became of a question."""

    def finish(self, turn_id: int, status: Status, *, answer: Answer | None = None, error: str = "") -> None:
        """Write it down. Raises StorageError where it cannot."""


class Job:
    """A question on its way to an answer, which it stores when it ends.

    Args:
        turn: the question as it was stored.
        history: gives the earlier (question, answer) pairs to ask with, oldest first.
        notebook: lends a notebook to the job, once the models are loaded; raises MingbaiError when that failed.
        outcomes: where the answer goes.
        is_open: whether the page of a session is still open.
        on_engine_error: called when the engine failed, before that is stored.
    """

    def __init__(
        self,
        turn: Turn,
        history: "Callable[[Notebook], Sequence[tuple[str, str]]]",
        *,
        notebook: "Callable[[Job], AbstractContextManager[Notebook]]",
        outcomes: Outcomes,
        is_open: Callable[[str], bool] = lambda _: True,
        on_engine_error: Callable[[], None] = lambda: None,
    ) -> None:
        self.turn = turn
        self._history = history
        self._notebook = notebook
        self._outcomes = outcomes
        self._audience = Audience(is_open)
        self._on_engine_error = on_engine_error
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._postponed = threading.Event()
        self._done = threading.Event()
        self._reset()

    def _reset(self) -> None:
        self._stream: AnswerStream | None = None
        self._stages: list[tuple[str, float, Mapping[str, object]]] = [(LOAD, time.monotonic(), {})]
        self._sentences: list[Sentence] = []
        self._text = ""

    @property
    def is_done(self) -> bool:
        """Whether it ended and its outcome is stored."""
        return self._done.is_set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end at most so long; whether it ended."""
        return self._done.wait(seconds)

    def watch(self, session: str) -> None:
        """A page shows this answer: it goes on while one of the pages that did is open."""
        self._audience.watch(session)

    def leave_when_unwatched(self, patience: Callable[[], float]) -> None:
        """From now on, cancel it when all of its pages have been closed for longer than ``patience()`` seconds."""
        self._audience.guard(self._done, self.cancel, patience)

    def cancel(self) -> None:
        """Stop it, wherever it is. Idempotent; what was checked so far is kept."""
        self._cancelled.set()
        with self._lock:
            if self._stream is not None:
                self._stream.cancel()

    def postpone(self) -> None:
        """Begin again with another notebook, unless the model has written something already."""
        with self._lock:
            if self._text:
                return
            self._postponed.set()
            if self._stream is not None:
                self._stream.cancel()

    def progress(self, ahead: int = 0) -> Progress:
        """A consistent look at it, from any thread."""
        with self._lock:
            ends = [started for _, started, _ in self._stages[1:]]
            now = time.monotonic()
            steps = [
                Step(name, (ends[i] if i < len(ends) else now) - started, i < len(ends), notes)
                for i, (name, started, notes) in enumerate(self._stages)
            ]
            return Progress(
                steps=tuple(steps),
                sentences=tuple(self._sentences),
                draft=_unchecked(self._text, len(self._sentences)) if self.turn.mode is not Mode.RCG else "",
                written=len(self._text),
                ahead=ahead,
                is_stopping=self.is_stopping,
            )

    def run(self) -> None:
        """Answer the question and store what became of it. Never raises."""
        status, answer, error = Status.FAILED, None, ""
        try:
            status, answer = self._answer()
        except MingbaiError as problem:
            status, error = (Status.STOPPED, "") if self._cancelled.is_set() else (Status.FAILED, describe(problem))
            if isinstance(problem, EngineError):
                self._on_engine_error()
        except Exception as problem:  # noqa: BLE001 - the edge of the page: a bug must not leave a turn running for ever
            _log.exception("The question in turn %d failed", self.turn.turn_id)
            error = describe(problem)
        try:
            self._outcomes.finish(self.turn.turn_id, status, answer=answer, error=error)
        except MingbaiError:
            _log.exception("The answer of turn %d could not be stored", self.turn.turn_id)
        finally:
            self._done.set()

    def _answer(self) -> tuple[Status, Answer | None]:
        while True:
            with self._notebook(self) as notebook:
                outcome = self._ask(notebook)
            if not self._begins_again():
                return outcome

    def _begins_again(self) -> bool:
        with self._lock:
            if not self._postponed.is_set() or self._cancelled.is_set():
                return False
            self._postponed.clear()
            self._reset()
            return True

    def _ask(self, notebook: "Notebook") -> tuple[Status, Answer | None]:
        if self._cancelled.is_set():
            return Status.STOPPED, None
        self._enter(SEARCH if self.turn.mode is not Mode.ROG else "write")
        stream = notebook.stream(self.turn.question, self.turn.mode.value, self._history(notebook))
        with self._lock:
            self._stream = stream
        if self._ends_early():
            stream.cancel()
        answer = self._read(stream)
        if not self._cancelled.is_set():
            return Status.DONE, answer
        # Stopped before it was decided whether the notes hold the answer, it is no refusal.
        return Status.STOPPED, None if answer is None or answer.state is State.REFUSED else answer

    def _read(self, stream: "AnswerStream") -> Answer | None:
        """The answer, or what there is of it when it ended early; None when that was before it was begun."""
        try:
            for event in stream:
                self._take(event)
        except MingbaiError:
            if not self._ends_early():
                raise
        with suppress(GenerationCancelledError):
            return stream.result
        return None

    def _ends_early(self) -> bool:
        return self._cancelled.is_set() or self._postponed.is_set()

    def _take(self, event: Event) -> None:
        if isinstance(event, Stage):
            self._enter(event.name, event.notes)
            return
        with self._lock:
            if isinstance(event, Draft):
                self._text += event.text
            elif isinstance(event, Checked):
                self._sentences.append(event.sentence)

    def _enter(self, name: str, notes: Mapping[str, object] | None = None) -> None:
        with self._lock:
            if self._stages[-1][0] == name:
                self._stages[-1] = (name, self._stages[-1][1], notes or {})
            else:
                self._stages.append((name, time.monotonic(), notes or {}))


class Jobs:
    """The questions at work in this process, at most one for each chat, in the order in which they were asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: list[Job] = []

    def start(self, job: Job) -> None:
        """Let a job run in a thread of its own."""
        with self._lock:
            self._jobs = [*(j for j in self._jobs if not j.is_done), job]
        job.leave_when_unwatched(self._patience)
        threading.Thread(target=job.run, name=f"turn-{job.turn.turn_id}", daemon=True).start()

    def of(self, conversation_id: str) -> Job | None:
        """The unfinished job of a chat."""
        return next((j for j in self._running() if j.turn.conversation_id == conversation_id), None)

    def ahead(self, job: Job) -> int:
        """How many unfinished questions were asked before this one."""
        running = self._running()
        return running.index(job) if job in running else 0

    @property
    def is_busy(self) -> bool:
        """Whether any question is being answered."""
        return bool(self._running())

    def _patience(self) -> float:
        return CONTENDED_SECONDS if len(self._running()) > 1 else RELOAD_SECONDS

    def _running(self) -> list[Job]:
        with self._lock:
            return [job for job in self._jobs if not job.is_done]


def describe(problem: BaseException) -> str:
    """An error as it is stored and shown: its kind and, for errors raised on purpose, its message."""
    kind = type(problem).__name__
    return f"{kind}: {problem}" if isinstance(problem, MingbaiError) else kind


def _unchecked(text: str, checked: int) -> str:
    """What was written after so many sentences, which were checked already."""
    rest = split_sentences(text)[checked:]
    return text[rest[0][0] :] if rest else ""
