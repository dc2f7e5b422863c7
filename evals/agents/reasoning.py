"""Methods of reasoning against direct answering, on the same questions."""

from collections.abc import Callable, Iterator, Sequence

from agents.reason import Method, Reasoner, same_answer
from agents.run import Limits
from evals.agents.log import Log, Row
from evals.agents.sets import ReasoningCase
from evals.metrics.statistics import bootstrap, mcnemar, paired_bootstrap
from evals.tables import Table, signed, with_interval
from rag.protocols import Generator

BASE = Method.DIRECT
LIMITS = Limits(steps=20, tokens=4000, seconds=900)


def tasks(
    cases: Sequence[ReasoningCase], methods: Sequence[Method], generator: Callable[[], Generator]
) -> Iterator[tuple[str, Callable[[], Row]]]:
    """One task a case and method; all methods of a case together, so that a cut run still compares."""
    for case in cases:
        for method in methods:
            yield f"{case.id}/{method}", _task(case, method, generator)


def _task(case: ReasoningCase, method: Method, generator: Callable[[], Generator]) -> Callable[[], Row]:
    def run() -> Row:
        made = Reasoner(generator(), limits=LIMITS).solve(case.question, method)
        return {
            "id": case.id,
            "method": str(method),
            "answer": made.answer,
            "right": is_right(case, made.answer),
            "outcome": str(made.outcome),
            "reason": made.reason,
            "reasoning": made.reasoning,
            "calls": made.cost.calls,
            "tokens": made.cost.completion_tokens,
        }

    return run


def is_right(case: ReasoningCase, answer: str) -> bool:
    """Whether an answer is the wanted one: the same number, yes or no, or a text that names it."""
    if same_answer(case.answer, answer):
        return True
    wanted, said = case.answer.casefold(), answer.casefold()
    return case.kind == "logic" and not case.answer.isdigit() and len(said) <= 60 and wanted in said


def tables(cases: Sequence[ReasoningCase], log: Log, methods: Sequence[Method]) -> list[Table]:
    """Accuracy by method, and the paired difference to direct answering, over the cases that all methods have."""
    complete = [c for c in cases if all(f"{c.id}/{m}" in log.rows for m in methods)]
    groups = {"all": complete}
    for name in ("zh", "en"):
        groups[name] = [c for c in complete if c.lang == name]
    for name in ("arithmetic", "logic"):
        groups[name] = [c for c in complete if c.kind == name]
    rows = [_row(log, method, groups) for method in methods]
    columns = ["method", *(f"{name} ({len(group)})" for name, group in groups.items())]
    accuracy = Table("Accuracy of reasoning", [*columns, "degraded", "seconds", "tokens"], rows)
    paired = [_difference(log, method, complete) for method in methods if method is not BASE]
    return [accuracy, Table("Difference to direct answering", ["method", "difference", "won", "lost", "p"], paired)]


def _row(log: Log, method: Method, groups: dict[str, list[ReasoningCase]]) -> list[str]:
    shares = [with_interval(bootstrap(_rights(log, group, method))) for group in groups.values()]
    found = [log.rows[f"{case.id}/{method}"] for case in groups["all"]]
    many = max(len(found), 1)
    degraded = sum(row["outcome"] == "degraded" for row in found)
    seconds = sum(float(str(row["seconds"])) for row in found) / many
    tokens = sum(int(str(row["tokens"])) for row in found) / many
    return [str(method), *shares, str(degraded), f"{seconds:.1f}", f"{tokens:.0f}"]


def _difference(log: Log, method: Method, cases: Sequence[ReasoningCase]) -> list[str]:
    ours, theirs = _rights(log, cases, method), _rights(log, cases, BASE)
    won = sum(a > b for a, b in zip(ours, theirs, strict=True))
    lost = sum(a < b for a, b in zip(ours, theirs, strict=True))
    return [str(method), signed(paired_bootstrap(ours, theirs)), str(won), str(lost), f"{mcnemar(won, lost):.3f}"]


def _rights(log: Log, cases: Sequence[ReasoningCase], method: Method) -> list[float]:
    return [float(bool(log.rows[f"{case.id}/{method}"]["right"])) for case in cases]
