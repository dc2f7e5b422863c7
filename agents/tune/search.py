"""``optimize``: hill climbing over versions of a program, with a held-out test that never chooses anything.

A version is scored on a minibatch of the training cases beside the program that stands; only a better one is scored on
the validation cases, and only a better one there takes its place. Guards refuse a version before it costs anything.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

import numpy as np

from agents.prompts.types import Example, examples_from
from agents.run import Progress, Step
from agents.tune.edits import Version, edits, reflected, split
from agents.tune.guards import Guards
from agents.tune.types import Budget, C, Feedback, Gain, Metric, Program, Trial, Tuned, texts_of
from rag.errors import EngineError, GenerationCancelledError, ModelError, UsageError
from rag.protocols import Generator

MIN_CASES = 10
REFLECTIONS = 3
RESAMPLES = 10_000


class _SpentError(Exception):
    """The budget is spent; its message says which part."""


def optimize(  # noqa: PLR0913 - one parameter per choice
    prompt: str,
    cases: Sequence[C],
    metric: Metric[C],
    budget: Budget | None = None,
    *,
    examples: Sequence[Example | Mapping[str, str]] = (),
    pool: Sequence[Example | Mapping[str, str]] = (),
    generator: Generator | None = None,
    versions: Callable[[Program], Iterable[Version]] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Tuned:
    """Improve a prompt and its examples by a metric.

    Args:
        prompt: the system prompt.
        cases: at least 10; split by the seed into training, validation and held-out cases.
        metric: runs a program on a case and judges it.
        budget: metric calls, seconds, size of the minibatch, patience.
        examples: the few-shot examples of the prompt.
        pool: demos that may be added; none of them may stand in a case.
        generator: the model that reflects on failures; without one there are no reflective versions.
        versions: another source of versions instead of the built-in edits; see ``agents.tune.dspy_engine``.
        seed: of the split, the minibatches and the reflection.
        progress: told of every version.
        cancel: set it to stop the run.

    Raises:
        UsageError: the prompt is empty, there are too few cases, or the budget cannot pay for one round.
        GenerationCancelledError: ``cancel`` was set.
    """
    original = Program(prompt, examples_from(examples))
    if not prompt.strip() or len(cases) < MIN_CASES:
        raise UsageError(
            f"Give a prompt and at least {MIN_CASES} cases; got {len(prompt)} characters, {len(cases)} cases."
        )
    run = _Run(original, list(cases), metric, budget or Budget(), seed, progress, cancel or threading.Event())
    source = versions or (lambda program: run.versions(program, examples_from(pool), generator))
    return run.climb(source)


@dataclass(slots=True)
class _Run(Generic[C]):
    """One search. Every (program, case) is scored once."""

    original: Program
    cases: list[C]
    metric: Metric[C]
    budget: Budget
    seed: int
    progress: Progress | None
    cancel: threading.Event
    calls: int = 0
    trials: list[Trial] = field(default_factory=list)
    trace: list[Step] = field(default_factory=list)
    _known: dict[tuple[Program, int], Feedback] = field(default_factory=dict)
    _started: float = field(default_factory=time.perf_counter)
    _reserved: int = 0

    def climb(self, source: Callable[[Program], Iterable[Version]]) -> Tuned:
        """Search until nothing is left to try, the patience ends or the budget is spent; then the held-out test."""
        train, validation, test = split(self.cases, self.seed)
        self._reserved = 2 * len(test)
        if self.budget.metric_calls < self._reserved + len(validation) + 2 * self.budget.minibatch:
            needed = self._reserved + len(validation) + 2 * self.budget.minibatch
            raise UsageError(f"{len(self.cases)} cases need a budget of at least {needed} metric calls.")
        guards = Guards(self.original, (text for case in self.cases for text in texts_of(case)))
        best, stopped = self.original, "nothing is left to try"
        self._mean(self.original, validation)  # what the search may not spend
        try:
            while (better := self._round(best, source(best), guards, train, validation)) is not None:
                best = better
            if self._rejected() >= self.budget.patience:
                stopped = f"{self.budget.patience} versions in a row were no better"
        except _SpentError as spent:
            stopped = str(spent)
        scores = self._mean(self.original, validation), self._mean(best, validation)
        self._reserved = 0
        gain = self._gain(best, test) if best != self.original else None
        return Tuned(best, self.original, scores, gain, tuple(self.trials), stopped, self.calls,
                     time.perf_counter() - self._started, self.seed, tuple(self.trace))  # fmt: skip

    def versions(self, program: Program, pool: Sequence[Example], generator: Generator | None) -> Iterator[Version]:
        """The built-in versions of a program."""
        train = split(self.cases, self.seed)[0][: self.budget.minibatch]
        with_demo = lambda demo: self._mean(Program(program.prompt, (*program.examples, demo)), train)  # noqa: E731
        yield from edits(program, pool, with_demo)
        for number in range(REFLECTIONS if generator is not None else 0):
            failures = [(texts_of(self.cases[i]), f) for i in train if (f := self._score(program, i)).score < 1]
            if generator is None or not failures:
                return
            made = reflected(program, failures, generator, self.seed + number)
            yield "reflection", made or program

    def _round(
        self, best: Program, source: Iterable[Version], guards: Guards, train: list[int], validation: list[int]
    ) -> Program | None:
        """The first version that beats the best one; None when there is none or the patience ended."""
        for origin, program in source:
            trial, is_better = self._try(origin, program, best, guards, (train, validation))
            self.trials.append(trial)
            self._tell(trial)
            if is_better:
                return program
            if self._rejected() >= self.budget.patience:
                return None
        return None

    def _try(
        self, origin: str, program: Program, best: Program, guards: Guards, parts: tuple[list[int], list[int]]
    ) -> tuple[Trial, bool]:
        train, validation = parts
        if program == best or (refused := guards.refusal(program)):
            return Trial(origin, "it changes nothing" if program == best else refused), False
        start = len(self.trials) * self.budget.minibatch
        batch = [train[(start + i) % len(train)] for i in range(min(self.budget.minibatch, len(train)))]
        mine, theirs = self._mean(program, batch), self._mean(best, batch)
        if mine <= theirs:
            return Trial(origin, f"no better on a minibatch: {mine:.3f} against {theirs:.3f}", mine), False
        mine_all, theirs_all = self._mean(program, validation), self._mean(best, validation)
        if mine_all <= theirs_all:
            why = f"no better on the validation cases: {mine_all:.3f} against {theirs_all:.3f}"
            return Trial(origin, why, mine, mine_all), False
        return Trial(origin, "", mine, mine_all), True

    def _rejected(self) -> int:
        """How many of the last versions were refused by their score, without one that was kept among them."""
        n = 0
        for trial in reversed(self.trials):
            if not trial.refused:
                break
            n += trial.minibatch is not None
        return n

    def _mean(self, program: Program, indices: Sequence[int]) -> float:
        return sum(self._score(program, i).score for i in indices) / len(indices)

    def _score(self, program: Program, index: int) -> Feedback:
        if (program, index) not in self._known:
            self._spend()
            try:
                self._known[program, index] = self.metric(program, self.cases[index])
            except GenerationCancelledError:
                raise
            except (EngineError, ModelError) as error:
                self._known[program, index] = Feedback(0.0, f"The run failed: {error}")
        return self._known[program, index]

    def _spend(self) -> None:
        if self.cancel.is_set():
            raise GenerationCancelledError("The run was cancelled. Start it again when you like.")
        if self._reserved and self.calls + self._reserved >= self.budget.metric_calls:
            raise _SpentError(f"the {self.budget.metric_calls} metric calls are spent")
        if self._reserved and time.perf_counter() - self._started > self.budget.seconds:
            raise _SpentError(f"the {self.budget.seconds:g} seconds are over")
        self.calls += 1

    def _gain(self, best: Program, test: list[int]) -> Gain:
        before = np.array([self._score(self.original, i).score for i in test])
        after = np.array([self._score(best, i).score for i in test])
        difference = after - before
        draws = np.random.default_rng(0).choice(difference, (RESAMPLES, len(difference))).mean(axis=1)
        low, high = np.quantile(draws, (0.025, 0.975))
        return Gain(
            float(before.mean()), float(after.mean()), float(difference.mean()), float(low), float(high), len(test)
        )

    def _tell(self, trial: Trial) -> None:
        notes = {"minibatch": trial.minibatch, "validation": trial.validation, "calls": self.calls}
        step = Step(trial.origin, trial.refused or "kept", time.perf_counter() - self._started, notes)
        self.trace.append(step)
        if self.progress is not None:
            self.progress(step)
