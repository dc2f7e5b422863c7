"""One run of an agent: its limits, its trace and every call of its model, counted in one place.

An agent talks to its model only through a ``Meter``. The meter is itself a ``Generator``, so LangChain's side of the
project (``rag.langchain_model``) and plain calls are limited, traced, seeded and cancelled in the same way.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from rag.errors import EngineError, GenerationCancelledError, MingbaiError, UsageError
from rag.protocols import Generation, GenerationRequest, GenerationStream, Generator
from rag.types import Message
from rag.wrapped import WrappedGenerator

MAX_STEPS = 64
MAX_SECONDS = 3600.0


class Outcome(StrEnum):
    """How a run ended. A degraded result says why, and never pretends to be a finished one."""

    DONE = "done"
    REFUSED = "refused"
    DEGRADED = "degraded"


class LimitError(MingbaiError):
    """A limit of the run was reached. Agents turn it into a degraded result."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use: model and tool calls, generated tokens, seconds.

    Raises:
        UsageError: a limit is below 1 or above MAX_STEPS calls or MAX_SECONDS.
    """

    steps: int = 16
    tokens: int = 3000
    seconds: float = 180.0

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MAX_STEPS or self.tokens < 1 or not 0 < self.seconds <= MAX_SECONDS:
            raise UsageError(
                f"Limits of {self.steps} steps, {self.tokens} tokens, {self.seconds} s: use 1 to {MAX_STEPS} steps, "
                f"at least 1 token and up to {MAX_SECONDS:.0f} s."
            )


@dataclass(frozen=True, slots=True)
class Step:
    """One thing an agent did: its name, the text it produced, seconds since the step before, plain JSON notes."""

    name: str
    text: str
    seconds: float
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run used. ``calls`` counts model and tool calls."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


Progress = Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What every agent returns. ``answer`` is empty unless something can be shown.

    ``reasoning`` is the model's thought, never shown as the answer; ``reason`` says why a run was refused or degraded.
    """

    agent: str
    question: str
    outcome: Outcome
    answer: str = ""
    reason: str = ""
    reasoning: str = ""
    steps: tuple[Step, ...] = ()
    cost: Cost = Cost()
    model: str = ""
    seed: int = 0

    def to_dict(self) -> dict[str, object]:
        """The result as plain JSON values."""
        return asdict(self)


class Meter(WrappedGenerator):
    """A Generator that counts, limits, traces and cancels. It belongs to one run; the generator stays the caller's.

    Args:
        generator: the model.
        limits: what this run may use.
        cancel: when set, the run stops with GenerationCancelledError.
        progress: told every step as it is recorded.
    """

    def __init__(
        self,
        generator: Generator,
        limits: Limits,
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(generator)
        self._limits = limits
        self._cancel = cancel or threading.Event()
        self._progress = progress
        self._started = self._last = time.perf_counter()
        self._calls = self._prompt = self._completion = 0
        self.steps: list[Step] = []

    @property
    def cost(self) -> Cost:
        """What was used so far."""
        return Cost(self._calls, self._prompt, self._completion, time.perf_counter() - self._started)

    @property
    def cancelled(self) -> threading.Event:
        """Set to cancel the run; agents that work for it are given the same one."""
        return self._cancel

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> GenerationStream:
        """Generate within what is left; ``max_tokens`` is cut to it. ``cancel`` stops this call as well as the run.

        Raises:
            LimitError: nothing is left.
            GenerationCancelledError: the run was cancelled.
        """
        self.count_call()
        left = self._limits.tokens - self._completion
        if left < 1:
            raise LimitError(f"the limit of {self._limits.tokens} generated tokens was reached")
        allowed = replace(request, max_tokens=min(request.max_tokens, left))
        return _MeteredStream(self, self.inner.generate(allowed, self._cancel), cancel)

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """Probabilities of the options, as ``Generator.choose``; counted as one call. Raises as ``generate``."""
        self.count_call()
        return self.inner.choose(messages, options)

    def write(self, name: str, request: GenerationRequest) -> Generation:
        """Generate to the end and record it as a step called ``name``. Raises as ``generate``."""
        stream = self.generate(request)
        for _ in stream:
            pass
        made = stream.result
        self.record(name, made.text, finish=made.finish, tokens=made.completion_tokens, seed=request.seed)
        return made

    def record(self, name: str, text: str = "", **notes: object) -> None:
        """Add a step to the trace and tell the listener."""
        now = time.perf_counter()
        step = Step(name, text, now - self._last, notes)
        self._last = now
        self.steps.append(step)
        if self._progress is not None:
            self._progress(step)

    def count_call(self) -> None:
        """Count a model or tool call that begins now.

        Raises:
            LimitError: too many calls or too many seconds.
            GenerationCancelledError: the run was cancelled.
        """
        self.check()
        if self._calls >= self._limits.steps:
            raise LimitError(f"the limit of {self._limits.steps} steps was reached")
        self._calls += 1

    def check(self) -> None:
        """Raise when the run was cancelled or its time is over, as ``count_call``."""
        if self._cancel.is_set():
            raise GenerationCancelledError("The run was cancelled. Start it again when you like.")
        if self.seconds_left() <= 0:
            raise LimitError(f"the limit of {self._limits.seconds:g} seconds was reached")

    def remaining(self) -> Limits:
        """What is left, at least one step and token, as the limits of an agent that works for this run.

        Raises:
            LimitError: the time is over.
            GenerationCancelledError: the run was cancelled.
        """
        self.check()
        return Limits(
            max(self._limits.steps - self._calls, 1),
            max(self._limits.tokens - self._completion, 1),
            max(self.seconds_left(), 1e-3),
        )

    def seconds_left(self) -> float:
        """Seconds until the run must end; negative afterwards."""
        return self._limits.seconds - (time.perf_counter() - self._started)

    def spend(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Count tokens that were used on behalf of this run."""
        self._prompt += prompt_tokens
        self._completion += completion_tokens


class _MeteredStream:
    """A stream that ends with its run's time and adds its tokens to the run's cost."""

    def __init__(self, meter: Meter, stream: GenerationStream, cancel: threading.Event | None) -> None:
        self._meter = meter
        self._stream = stream
        self._cancel = cancel or threading.Event()
        self._is_counted = False

    def __iter__(self) -> Iterator[str]:
        # A timer, because a long prompt may be read for seconds before the first piece arrives.
        timer = threading.Timer(max(self._meter.seconds_left(), 0.0), self._stream.cancel)
        timer.daemon = True
        timer.start()
        try:
            for piece in self._stream:
                if self._cancel.is_set():
                    self._stream.cancel()
                yield piece
        finally:
            timer.cancel()
        self._count(self._stream.result)

    @property
    def result(self) -> Generation:
        """The finished generation.

        Raises:
            LimitError: the run's time ended it.
            GenerationCancelledError: it was cancelled.
        """
        made = self._stream.result
        self._count(made)
        if made.finish == "cancelled":
            self._meter.check()
            raise GenerationCancelledError("The generation was cancelled.")
        return made

    def cancel(self) -> None:
        """Stop it now. Idempotent."""
        self._stream.cancel()

    def _count(self, made: Generation) -> None:
        if not self._is_counted:
            self._meter.spend(made.prompt_tokens, made.completion_tokens)
        self._is_counted = True


def failure(error: MingbaiError) -> str:
    """What a degraded result says about an error.

    Raises:
        MingbaiError: ``error`` itself, when it is no limit and no failure of the model: a cancelled run has no result,
            and a usage error is the caller's.
    """
    if isinstance(error, GenerationCancelledError) or not isinstance(error, LimitError | EngineError):
        raise error
    return f"{type(error).__name__}: {error}"
