"""Several hops against single-shot RCG, on the comparison and multi-hop cases of a question set."""

from collections.abc import Callable, Iterator, Sequence

from agents.reason import MultiHop
from agents.run import Limits
from evals.agents.log import Log, Row
from evals.cases import LocatedCase
from evals.metrics.statistics import bootstrap, mcnemar, paired_bootstrap
from evals.tables import Table, signed, with_interval
from evals.types import CaseType
from rag.notebook import Notebook
from rag.text import fold
from rag.types import Answer, Passage, State

TYPES = (CaseType.COMPARISON, CaseType.MULTI_HOP)
SYSTEMS = ("rcg", "hop")
LIMITS = Limits(steps=16, tokens=2000, seconds=900)
MEASURES = ("facts", "whole", "evidence", "answered")


def tasks(cases: Sequence[LocatedCase], notebook: Callable[[], Notebook]) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Both systems of a case together, so that a cut run still compares."""
    for case in cases:
        if case.case.type in TYPES:
            for system in SYSTEMS:
                yield f"{case.case.id}/{system}", _task(case, system, notebook)


def _task(case: LocatedCase, system: str, notebook: Callable[[], Notebook]) -> Callable[[], Row]:
    def run() -> Row:
        question = case.case.question
        if system == "rcg":
            answer: Answer | None = notebook().ask(question)
            passages = answer.passages if answer else ()
            hops = 1
        else:
            made = MultiHop(notebook(), limits=LIMITS).run(question)
            answer, hops = made.checked, len(made.hops)
            passages = answer.passages if answer else ()
        text = answer.text if answer and answer.state is not State.REFUSED else ""
        held = [_holds(text, forms) for forms in case.case.key_facts]
        return {
            "id": case.case.id,
            "type": str(case.case.type),
            "facts": sum(held) / len(held) if held else 0.0,
            "whole": float(all(held)),
            "evidence": float(_has_all(case, passages)),
            "answered": float(bool(text)),
            "hops": hops,
            "answer": answer.text if answer else "",
        }

    return run


def _holds(text: str, forms: Sequence[str]) -> bool:
    plain = fold(text).replace(" ", "")
    return any(fold(form).replace(" ", "") in plain for form in forms)


def _has_all(case: LocatedCase, passages: Sequence[Passage]) -> bool:
    """Whether every piece of evidence lies inside a passage that was read."""
    return all(
        any(p.file == s.file and p.start <= s.start and s.end <= p.end for p in passages for s in spans)
        for spans in case.gold
    )


def tables(cases: Sequence[LocatedCase], log: Log) -> list[Table]:
    """Measures by system and type, and their paired difference."""
    complete = [c.case for c in cases if all(f"{c.case.id}/{s}" in log.rows for s in SYSTEMS)]
    rows, paired = [], []
    for kind in ("all", *TYPES):
        ids = [case.id for case in complete if kind in ("all", case.type)]
        if not ids:
            continue
        for system in SYSTEMS:
            found = [log.rows[f"{name}/{system}"] for name in ids]
            cells = [with_interval(bootstrap([float(str(row[m])) for row in found])) for m in MEASURES]
            seconds = sum(float(str(row["seconds"])) for row in found) / len(found)
            rows.append([str(kind), system, str(len(ids)), *cells, f"{seconds:.1f}"])
        paired.append([str(kind), *(_difference(log, ids, measure) for measure in MEASURES)])
    return [
        Table("Single-shot RCG and several hops", ["type", "system", "n", *MEASURES, "seconds"], rows),
        Table("Difference of several hops to single-shot RCG", ["type", *MEASURES], paired),
    ]


def _difference(log: Log, ids: Sequence[str], measure: str) -> str:
    ours, theirs = ([float(str(log.rows[f"{name}/{s}"][measure])) for name in ids] for s in ("hop", "rcg"))
    won = sum(a > b for a, b in zip(ours, theirs, strict=True))
    lost = sum(a < b for a, b in zip(ours, theirs, strict=True))
    return f"{signed(paired_bootstrap(ours, theirs))} p={mcnemar(won, lost):.3f}"
