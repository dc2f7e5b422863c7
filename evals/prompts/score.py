# ruff: noqa: E501 - a pattern or a table is read as one line
"""Figures over the planted-defect set: what was found, what was repaired, what was broken on the way.

Beside every system stand the ones that anybody could write in a line: never flag, always flag. A type that a case
only ``tolerates`` is not scored on it. Intervals are bootstrap over cases for F1, Wilson's for shares.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.metrics.statistics import Estimate, wilson
from evals.prompts.planted import Planted
from evals.prompts.repaired import is_repaired
from evals.tables import Table, with_interval

TYPES = ("contradiction", "format", "fewshot")
RESAMPLES = 2000
LENGTH_LIMIT = 1.5
"""A repaired prompt that is longer by this factor counts as a new defect."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a system made of one case. ``found`` are finding types; ``after`` those of its own result."""

    case: str
    found: frozenset[str]
    prompt: str
    assistants: tuple[str, ...]
    users_kept: bool = True
    after: tuple[str, ...] = ()
    new_findings: int = 0
    seconds: float = 0.0
    calls: int = 0
    degraded: str = ""


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of one system on one split."""

    system: str
    n: int
    precision: Mapping[str, Estimate]
    recall: Mapping[str, Estimate]
    f1: Mapping[str, Estimate]
    false_positives: Estimate
    fixed: Estimate
    new_defects: Estimate
    rules_kept: Estimate
    untouched: Estimate
    by_lang: Mapping[str, float | None]
    seconds: float
    calls: float


def score(system: str, cases: Sequence[Planted], outcomes: Mapping[str, Outcome]) -> Scores:
    """All figures of a system; the cases without an outcome are left out."""
    done = [(case, outcomes[case.id]) for case in cases if case.id in outcomes]
    defective = [(c, o) for c, o in done if c.group != "clean" and c.checks]
    clean = [(c, o) for c, o in done if c.group == "clean"]
    kept = [line in o.prompt.split("\n") for c, o in done for line in c.kept]
    return Scores(
        system,
        len(done),
        {kind: _share(done, kind, of_found=True) for kind in TYPES},
        {kind: _share(done, kind, of_found=False) for kind in TYPES},
        {kind: f1(done, kind) for kind in TYPES},
        wilson(sum(bool(o.found) for _, o in clean), len(clean)),
        wilson(sum(is_fixed(c, o) for c, o in defective), len(defective)),
        wilson(sum(has_new_defect(c, o) for c, o in done), len(done)),
        wilson(sum(kept), len(kept)),
        wilson(sum(_is_untouched(c, o) for c, o in clean), len(clean)),
        {lang: _macro_f1([(c, o) for c, o in done if c.lang == lang]) for lang in ("zh", "en")},
        sum(o.seconds for _, o in done) / max(len(done), 1),
        sum(o.calls for _, o in done) / max(len(done), 1),
    )


def is_fixed(case: Planted, outcome: Outcome) -> bool:
    """Whether every planted defect of a case is gone."""
    return all(
        is_repaired(check, outcome.prompt if at is None else outcome.assistants[at]) for at, check in case.checks
    )


def has_new_defect(case: Planted, outcome: Outcome) -> bool:
    """Whether something is wrong that was not: a rule lost, a sound example or a user turn changed, a swollen prompt."""
    if (
        any(line not in outcome.prompt.split("\n") for line in case.kept)
        or not outcome.users_kept
        or outcome.new_findings
    ):
        return True
    flagged = {at for at, _ in case.checks}
    is_free = bool(case.tolerated) or case.split == "hand"
    sound = [] if is_free else [i for i in range(len(case.examples)) if i not in flagged]
    changed = any(outcome.assistants[i] != case.examples[i].assistant for i in sound)
    return changed or len(outcome.prompt) > LENGTH_LIMIT * len(case.prompt)


def f1(done: Sequence[tuple[Planted, Outcome]], kind: str) -> Estimate:
    """F1 of one type with a bootstrap interval over cases; undefined when nothing is of that type."""
    rows = np.array(
        [_cells(case, outcome, kind) for case, outcome in done if kind not in case.tolerated], dtype=np.float64
    )
    if not len(rows) or rows[:, [0, 2]].sum() == 0:
        return Estimate(None, None, None, len(rows), "no case has this type")
    value = _f1(rows.sum(axis=0))
    weights = np.random.default_rng(0).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=RESAMPLES)
    draws = [_f1(total) for total in weights @ rows]
    low, high = np.quantile(draws, (0.025, 0.975))
    return Estimate(value, float(low), float(high), len(rows))


def tables(scores: Sequence[Scores]) -> list[Table]:
    """The figures side by side."""
    found = [
        (s.system, kind, _interval(s.precision[kind]), _interval(s.recall[kind]), _interval(s.f1[kind]))
        for s in scores
        for kind in TYPES
    ]
    other = [
        (
            s.system, _interval(s.false_positives), _interval(s.fixed), _interval(s.new_defects), _interval(s.rules_kept),
            _interval(s.untouched), _number(s.by_lang["zh"]), _number(s.by_lang["en"]), f"{s.seconds:.2f}", f"{s.calls:.1f}",
        )
        for s in scores
    ]  # fmt: skip
    columns = (
        "system",
        "false positives",
        "fixed",
        "new defects",
        "rules kept",
        "clean byte-identical",
        "macro F1 zh",
        "macro F1 en",
        "s",
        "calls",
    )
    return [
        Table("What was found [95 % CI]", ("system", "type", "precision", "recall", "F1"), found),
        Table("What was done", columns, other),
    ]


def constant(cases: Sequence[Planted], found: frozenset[str]) -> dict[str, Outcome]:
    """A system that says the same of every case, and changes nothing."""
    return {case.id: Outcome(case.id, found, case.prompt, tuple(e.assistant for e in case.examples)) for case in cases}


def _cells(case: Planted, outcome: Outcome, kind: str) -> tuple[bool, bool, bool]:
    """True positive, false positive, false negative."""
    has, said = kind in case.types, kind in outcome.found
    return has and said, said and not has, has and not said


def _f1(total: Sequence[float]) -> float:
    tp, fp, fn = (float(value) for value in total)
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0


def _share(done: Sequence[tuple[Planted, Outcome]], kind: str, *, of_found: bool) -> Estimate:
    rows = [_cells(case, outcome, kind) for case, outcome in done if kind not in case.tolerated]
    hits = sum(tp for tp, _, _ in rows)
    return wilson(hits, hits + sum(row[1 if of_found else 2] for row in rows))


def _macro_f1(done: Sequence[tuple[Planted, Outcome]]) -> float | None:
    values = [f1(done, kind).value for kind in TYPES]
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def _is_untouched(case: Planted, outcome: Outcome) -> bool:
    return outcome.prompt == case.prompt and outcome.assistants == tuple(e.assistant for e in case.examples)


def _interval(estimate: Estimate) -> str:
    return with_interval(estimate)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


Run = Callable[[Planted], Outcome]
