"""``python -m evals prompts``: measure the prompt agents on the planted-defect set."""

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.errors import UsageError

if TYPE_CHECKING:
    from evals.prompts.planted import Planted
    from evals.prompts.score import Outcome

RUNS = Path("runs/prompts")


def prompts(
    system: Annotated[
        str, typer.Argument(help="solver, hybrid, monolithic, never or always; with commas for several.")
    ] = "solver",
    *,
    split: Annotated[str, typer.Option("--split", help="dev, test or hand.")] = "test",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many cases, evenly over the split.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Where outcomes are kept; a run that was stopped continues.")
    ] = RUNS,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again.")] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="Stop after so many; the same command goes on.")
    ] = 1e9,
    remember: Annotated[
        Path | None, typer.Option("--remember", help="A file of replies; what it holds is not generated again.")
    ] = None,
) -> None:
    """Find and repair planted defects, and print what was found and what was repaired."""
    from evals.prompts.planted import load
    from evals.prompts.score import score, tables
    from evals.prompts.systems import SYSTEMS

    names = [name.strip() for name in system.split(",")]
    if unknown := [name for name in names if name not in SYSTEMS]:
        raise UsageError(f"Unknown system {unknown[0]!r}. Use: {', '.join(SYSTEMS)}.")
    cases = load(split)
    cases = cases[:: max(len(cases) // limit, 1)][:limit] if limit else cases
    scores = []
    for name in names:
        path = out / f"{name}-{split}.jsonl"
        outcomes = _outcomes(name, cases, path, fresh=fresh, seconds=seconds, remember=remember)
        scores.append(score(name, cases, outcomes))
    for table in tables(scores):
        typer.echo(table.markdown())


def _outcomes(
    name: str, cases: "list[Planted]", path: Path, *, fresh: bool, seconds: float, remember: Path | None
) -> "dict[str, Outcome]":
    from evals.prompts.score import Outcome
    from evals.prompts.systems import opened
    from evals.records import from_plain
    from rag.settings import load as load_settings

    path.parent.mkdir(parents=True, exist_ok=True)
    if fresh:
        path.unlink(missing_ok=True)
    done = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = from_plain(Outcome, json.loads(line), str(path))
        done[row.case] = row
    left = [case for case in cases if case.id not in done]
    # In one random order, so that a run that was cut short is a sample of the split.
    left.sort(key=lambda case: hashlib.sha256(case.id.encode()).digest())
    if left:
        with opened(name, load_settings(), remember) as run, path.open("a", encoding="utf-8") as file:
            started = time.perf_counter()
            for number, case in enumerate(left, start=1):
                if time.perf_counter() - started > seconds:
                    break
                outcome = done[case.id] = run(case)
                written = asdict(outcome) | {"found": sorted(outcome.found)}
                file.write(json.dumps(written, ensure_ascii=False) + "\n")
                file.flush()
                typer.echo(f"{name} {number}/{len(left)} {case.id} {outcome.seconds:.1f} s", err=True)
    return done
