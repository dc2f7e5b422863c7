"""``python -m evals fit-gate``: its options only; what it does is in evals.fit_gate."""

from pathlib import Path
from typing import Annotated

import typer


def fit_gate(run: Annotated[Path, typer.Argument(help="A run with RCG answers.", metavar="RUN")]) -> None:
    """Fit the weights of the refusal gate on a run, in five folds by section; print them and the operating points."""
    from evals.fit_gate import examples, fit, operating_points, weights_table
    from evals.runs import read_run

    found = examples(read_run(run))
    fitted = fit(found)
    for table in (operating_points(found, fitted), weights_table(fitted)):
        typer.echo(table.markdown())
