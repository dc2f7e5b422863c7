"""Generate: ask the subject everything that a plan wants to know, and write it down.

Nothing is judged here; ``evals.score`` reads the run file later and never calls a generator.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evals.cases import LocatedCase
from evals.ladders import VARIANTS, Rungs
from evals.machine import peak_mb
from evals.runs import Answered, Record, Retrieval, RunFile
from evals.subject import LEG_NAMES, MODE_NAMES, Subject
from evals.types import CaseType
from rag.errors import MingbaiError, UsageError
from rag.types import Answer, Mode

MODES = (Mode.RCG, Mode.RAG, Mode.ROG)
TOP = 20
REPEAT = "repeat"
"""The variant of an answer that is generated a second time, to see that it comes out byte-identical."""

QUICK_ANSWERS = 20
QUICK_UNANSWERABLE = 6
QUICK_REPEATS = 4
FULL_REPEATS = 10
LADDER_CASES = 12

CASE_ERRORS = (MingbaiError, OSError, RuntimeError, ValueError)
"""What a case may fail with while the run goes on. A bug (TypeError, KeyError …) stops it; it can be continued."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work: the retrieval of a case (``mode`` None), or an answer to it."""

    case: LocatedCase
    mode: Mode | None
    variant: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of the record that it makes."""
        return (self.case.case.id, str(self.mode or ""), self.variant)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks. ``answers`` limits how many cases are answered (None: all), stratified by type."""

    modes: Sequence[Mode] = MODES
    answers: int | None = None
    repeats: int = FULL_REPEATS
    ladder_cases: int = LADDER_CASES

    @classmethod
    def quick(cls) -> "Plan":
        """All retrieval cases and about twenty RCG answers: under five minutes on two cores."""
        return cls(modes=(Mode.RCG,), answers=QUICK_ANSWERS, repeats=QUICK_REPEATS, ladder_cases=0)

    @classmethod
    def retrieval_only(cls) -> "Plan":
        """No answers: seconds instead of an hour."""
        return cls(modes=(), repeats=0, ladder_cases=0)

    def tasks(self, cases: Sequence[LocatedCase]) -> list[Task]:
        """The work in order: retrieval of all cases, answers mode by mode, repeats, ladders."""
        answered = cases if self.answers is None else stratified(cases, self.answers, unanswerable=QUICK_UNANSWERABLE)
        tasks = [Task(case, None) for case in cases]
        tasks += [Task(case, mode) for mode in self.modes for case in answered]
        if self.modes:
            tasks += [Task(case, self.modes[0], REPEAT) for case in answered[: self.repeats]]
        rungs = stratified([case for case in answered if case.gold], self.ladder_cases, unanswerable=0)
        return tasks + [Task(case, Mode.RCG, variant) for case in rungs for variant in VARIANTS]


def parse_modes(text: str) -> tuple[Mode, ...]:
    """Modes from names with commas. Raises UsageError for an unknown one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Mode)]
    if unknown or not names:
        raise UsageError(f"Unknown mode {', '.join(unknown) or text!r}. Use {', '.join(Mode)}, with commas.")
    return tuple(dict.fromkeys(Mode(name) for name in names))


def stratified(cases: Sequence[LocatedCase], size: int, *, unanswerable: int) -> list[LocatedCase]:
    """The same ``size`` cases every time: ``unanswerable`` of that type, the others evenly from the other types."""
    by_type: dict[CaseType, list[LocatedCase]] = {}
    for case in cases:
        by_type.setdefault(case.case.type, []).append(case)
    chosen = by_type.pop(CaseType.UNANSWERABLE, [])[: min(unanswerable, size)]
    rest = sum(len(queue) for queue in by_type.values())
    wanted = min(size - len(chosen), rest)
    picked: list[LocatedCase] = []
    while len(picked) < wanted:
        for queue in by_type.values():
            if queue and len(picked) < wanted:
                picked.append(queue.pop(0))
    keep = {case.case.id for case in (*chosen, *picked)}
    return [case for case in cases if case.case.id in keep]


def execute(
    subject: Subject, tasks: Sequence[Task], file: RunFile, *, clock: Clock = time.perf_counter
) -> Iterator[Record]:
    """Do the tasks that the file does not hold yet; every record is on the disk before it is yielded."""
    rungs = Rungs(subject) if any(task.variant in VARIANTS for task in tasks) else None
    for task in tasks:
        if task.key in file.done:
            continue
        record = _retrieve(subject, task.case, clock) if task.mode is None else _answer(subject, task, rungs, clock)
        file.append(record)
        yield record


def _retrieve(subject: Subject, case: LocatedCase, clock: Clock) -> Retrieval:
    started = clock()
    try:
        legs = {leg: tuple(subject.search(case.case.question, TOP, leg=name)) for leg, name in LEG_NAMES.items()}
    except CASE_ERRORS as error:
        return Retrieval(case.case.id, {}, clock() - started, _describe(error))
    return Retrieval(case.case.id, legs, clock() - started)


def _answer(subject: Subject, task: Task, rungs: Rungs | None, clock: Clock) -> Answered:
    mode = task.mode or Mode.RCG
    started = clock()
    answer: Answer | None = None
    problem = ""
    try:
        if rungs is not None and task.variant in VARIANTS:
            answer = subject.answer_from(
                task.case.case.question, rungs.passages(task.case, task.variant), MODE_NAMES[mode]
            )
        else:
            answer = subject.ask(task.case.case.question, MODE_NAMES[mode])
    except CASE_ERRORS as error:
        problem = _describe(error)
    return Answered(task.case.case.id, mode, task.variant, answer, clock() - started, peak_mb(), problem)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
