"""``bench``: how fast this machine is with Mingbai, row by row."""

from pathlib import Path
from typing import Annotated

import typer

NOTES = Path("data/sample_notes")
OUT = Path("runs/bench.json")


def bench(
    notes: Annotated[Path, typer.Option("--notes", help="The folder of notes to measure with.")] = NOTES,
    *,
    rows: Annotated[str, typer.Option("--rows", help="Only these, with commas; default: all.")] = "",
    out: Annotated[Path, typer.Option("--out", help="Where the figures are kept; rows in it are not run again.")] = OUT,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run rows again that were measured before.")] = False,
    readme: Annotated[Path | None, typer.Option("--readme", help="Rewrite the block between the markers here.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, such as retrieval.k=8.", metavar="KEY=VALUE")
    ] = None,
) -> None:
    """Measure this machine, print a table, draw it beside the figures (.svg); a killed run continues."""
    from evals.bench.figures import BEGIN, END, Ledger, block
    from evals.bench.plot import plot
    from evals.bench.run import ROWS, measure
    from evals.bench.scene import Scene
    from evals.report import rewrite_block
    from evals.session import settings_with
    from rag.manifest import write_atomically

    ledger = Ledger(out)
    names = [name.strip() for name in rows.split(",") if name.strip()] or list(ROWS)
    if fresh:
        for name in names:
            ledger.rows.pop(name, None)

    def say(step: str) -> None:
        typer.echo(step, err=True)

    measured = measure(names, ledger, lambda: Scene(notes, settings_with(tuple(overrides or ())), say), say)
    text = block(measured, f"`{notes.name}`")
    typer.echo(text)
    if picture := plot(measured):
        write_atomically(out.with_suffix(".svg"), picture)
    if readme is not None:
        rewrite_block(readme, (BEGIN, END), text)
