"""The nouns of metric-driven optimisation: a program, what a metric says of it on a case, a budget, the report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from agents.prompts.types import Example
from agents.run import Step
from rag.errors import UsageError
from rag.protocols import GenerationRequest, Generator
from rag.types import Message, Role

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Program:
    """What is optimised: a system prompt and its few-shot examples."""

    prompt: str
    examples: tuple[Example, ...] = ()

    def messages(self, question: str) -> tuple[Message, ...]:
        """The chat that asks a question of this program."""
        shown = [
            message
            for example in self.examples
            for message in (Message(Role.USER, example.user), Message(Role.ASSISTANT, example.assistant))
        ]
        return (Message(Role.SYSTEM, self.prompt), *shown, Message(Role.USER, question))


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a metric says of one case: a score from 0 to 1, and in words what was wrong, for reflection.

    Raises:
        UsageError: the score is not between 0 and 1.
    """

    score: float
    text: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise UsageError(f"A metric gave {self.score}; a score is from 0 to 1, higher is better.")


class Metric(Protocol[C_contra]):
    """Runs a program on a case and judges it. Deterministic: the same program and case give the same feedback."""

    def __call__(self, program: Program, case: C_contra, /) -> Feedback:
        """The feedback. An EngineError or ModelError counts as the score 0."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerMetric:
    """A metric over (question, wanted) pairs: the model answers, ``judge(wanted, answer)`` says how well."""

    generator: Generator
    judge: Callable[[str, str], Feedback]
    max_tokens: int = 256

    def __call__(self, program: Program, case: tuple[str, str], /) -> Feedback:
        """Answer greedily and judge. A truncated answer scores 0."""
        request = GenerationRequest(program.messages(case[0]), max_tokens=self.max_tokens)
        stream = self.generator.generate(request)
        for _ in stream:
            pass
        made = stream.result
        if made.finish != "stop":
            return Feedback(0.0, "The answer was cut: it is too long.")
        return self.judge(case[1], made.text)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use. ``metric_calls`` include the held-out test; ``patience`` rejected versions end the search.

    Raises:
        UsageError: a number is out of range.
    """

    metric_calls: int = 300
    seconds: float = 3600.0
    minibatch: int = 6
    patience: int = 8

    def __post_init__(self) -> None:
        if min(self.metric_calls, self.minibatch, self.patience) < 1 or self.seconds <= 0:
            raise UsageError(f"{self}: every number of a budget must be positive.")


@dataclass(frozen=True, slots=True)
class Trial:
    """One version that was tried: where it came from, its scores, and why it was refused ("" when it was kept)."""

    origin: str
    refused: str = ""
    minibatch: float | None = None
    validation: float | None = None


@dataclass(frozen=True, slots=True)
class Gain:
    """The mean paired difference on the held-out cases, new minus old, with its 95 % bootstrap interval."""

    before: float
    after: float
    difference: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """The outcome. ``program`` is the best on validation, the given one when nothing was better.

    ``test`` is None only when no version was kept or the budget ended before; then ``stopped`` says so.
    Whether the gain is real is for the reader to judge by the interval: it is never used to choose.
    """

    program: Program
    original: Program
    validation: tuple[float, float]
    test: Gain | None
    trials: tuple[Trial, ...]
    stopped: str
    metric_calls: int
    seconds: float
    seed: int
    trace: tuple[Step, ...] = field(default=())

    @property
    def changed(self) -> bool:
        """Whether a version was kept."""
        return self.program != self.original


def texts_of(case: object) -> Sequence[str]:
    """The texts of a case that no version may copy: itself, or its parts where it is a tuple or list."""
    if isinstance(case, str):
        return [case]
    if isinstance(case, tuple | list):
        return [text for part in case for text in texts_of(part)]
    return [str(case)]
