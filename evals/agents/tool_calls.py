"""The tool agent on questions whose right calls are known: chosen tool, right value, no unwanted call."""

from collections.abc import Callable, Iterator, Sequence

from agents.numbers import numbers_in
from agents.run import Limits
from agents.tools import ToolAgent, ToolResult, computing_tools, note_tools
from evals.agents.log import Log, Row
from evals.agents.sets import ToolCase
from evals.metrics.statistics import wilson
from evals.tables import DASH, Table, with_interval
from rag.notebook import Notebook

LIMITS = Limits(steps=12, tokens=1500, seconds=400)
# Relative: 2.302585 stands for the calculator's 2.30258509299.
TOLERANCE = 1e-5
KINDS = ("calculator", "shape", "date", "notes", "chain", "none", "wrong", "inject")


def tasks(cases: Sequence[ToolCase], notebook: Callable[[], Notebook]) -> Iterator[tuple[str, Callable[[], Row]]]:
    """One task a case."""
    for case in cases:
        yield case.id, _task(case, notebook)


def _task(case: ToolCase, notebook: Callable[[], Notebook]) -> Callable[[], Row]:
    def run() -> Row:
        opened = notebook()
        tools = [*computing_tools(), *note_tools(opened, language=case.lang)]
        made = ToolAgent(opened.generator, tools, reader=opened, limits=LIMITS).run(case.question)
        return {
            "id": case.id,
            "kind": case.kind,
            **score(case, made),
            "outcome": str(made.outcome),
            "answer": made.answer,
            "reason": made.reason,
            "calls": [
                {"tool": c.name, "arguments": dict(c.arguments), "error": c.error, "by": c.by} for c in made.calls
            ],
            "tokens": made.cost.completion_tokens,
        }

    return run


def score(case: ToolCase, made: ToolResult) -> dict[str, bool]:
    """``chosen``: exactly the wanted tools worked. ``valued``: the wanted value came out. ``unwanted``: another ran.

    For impossible calls ("wrong") the run must end as degraded: an error with its reason, not a number.
    """
    worked = {call.name for call in made.calls if call.output is not None}
    wanted = set(case.tools)
    unwanted = bool(worked - wanted)
    if case.kind == "wrong":
        return {"chosen": not worked, "valued": str(made.outcome) == case.outcome, "unwanted": unwanted}
    return {"chosen": worked == wanted, "valued": _holds(case, made), "unwanted": unwanted}


def _holds(case: ToolCase, made: ToolResult) -> bool:
    if case.value is None:
        return str(made.outcome) == case.outcome
    if isinstance(case.value, str):
        return case.value in made.answer
    shown = [*numbers_in(made.answer), *(n for c in made.calls if c.output for n in numbers_in(c.output.receipt))]
    return any(abs(float(n) - case.value) <= TOLERANCE * max(abs(case.value), 1) for n in shown)


def tables(cases: Sequence[ToolCase], log: Log) -> list[Table]:
    """Shares by kind of question."""
    rows = []
    for kind in ("all", *KINDS):
        found = [log.rows[c.id] for c in cases if kind in ("all", c.kind) and c.id in log.rows]
        if not found:
            continue
        shares = [
            with_interval(wilson(sum(bool(row[name]) for row in found), len(found)))
            for name in ("chosen", "valued", "unwanted")
        ]
        by_rule = sum(_is_by_rule(row) for row in found)
        seconds = sum(float(str(row["seconds"])) for row in found) / len(found)
        rows.append([kind, str(len(found)), *shares, str(by_rule) or DASH, f"{seconds:.1f}"])
    columns = ["kind", "n", "right tools", "right value or outcome", "unwanted call", "by rule", "seconds"]
    return [Table("Tool calls", columns, rows)]


def _is_by_rule(row: Row) -> bool:
    calls = row["calls"]
    return isinstance(calls, list) and any(call["by"] == "rule" and not call["error"] for call in calls)
