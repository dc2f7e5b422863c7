"""``python -m evals redteam``: its options only; what it does is in evals.redteam."""

from pathlib import Path
from typing import Annotated

import typer

ATTACKS = Path(__file__).parent / "data" / "redteam"
ATTACK_INDEXES = Path(".mingbai/redteam")


def redteam(  # noqa: PLR0913 - one parameter per option
    *,
    attacks: Annotated[Path, typer.Option("--attacks", help="A folder with cases.jsonl and notes/.")] = ATTACKS,
    index: Annotated[Path, typer.Option("--index", help="Where the indexes are kept.")] = ATTACK_INDEXES,
    only: Annotated[str, typer.Option("--only", help="Ids or kinds of attacks, with commas.")] = "",
    floor: Annotated[
        float | None, typer.Option("--floor", min=0, max=1, help="The lowest pass rate; default: the committed one.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The run file; default: one of its own in runs/.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write every case and figure here.")] = None,
    readme: Annotated[Path | None, typer.Option("--readme", help="Rewrite the block between the markers here.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again instead of continuing.")] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting for this call, such as retrieval.k=8.", metavar="KEY=VALUE"),
    ] = None,
) -> None:
    """Ask questions over notes that attack the reader; exit code 1 when too many attacks go through. Minutes."""
    from evals import redteam_report, redteam_run
    from rag.manifest import write_atomically

    names = tuple(name.strip() for name in only.split(",") if name.strip())
    work = redteam_run.RedTeam(attacks, index, out=out, only=names, overrides=tuple(overrides or ()))
    header, outcomes = redteam_run.run(work, lambda line: typer.echo(line, err=True), fresh=fresh)
    lowest = redteam_report.FLOOR if floor is None else floor
    typer.echo("\n".join(filter(None, (table.markdown() for table in redteam_report.tables(outcomes)))))
    if json_path is not None:
        write_atomically(json_path, redteam_report.as_json(header, outcomes, lowest))
    if readme is not None:
        redteam_report.update_readme(readme, header, outcomes)
    if not redteam_report.is_above(outcomes, lowest):
        typer.echo(f"FAIL the pass rate is below the floor of {lowest:.3f}", err=True)
        raise typer.Exit(1)
