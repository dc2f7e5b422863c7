"""``python -m evals`` (and ``mingbai eval``): run, score, compare, report, gate; ``quick`` and ``full`` do it all.

Generation and scoring are separate: only ``run``, ``quick``, ``full``, ``redteam`` and ``baseline`` without a run
file ask the model questions. Exit codes: 0 passed, 1 a gate or something else failed, 2 usage.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evals.agents.cli import app as agents_app
from evals.cli_bench import bench
from evals.cli_fit import fit_gate
from evals.cli_redteam import redteam
from evals.prompts.cli import prompts
from rag.errors import MingbaiError, UsageError

if TYPE_CHECKING:
    from evals.run import Plan
    from evals.scored import Scored

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
CASES = Path(__file__).parent / "data" / "sample_questions.jsonl"
BASELINE = Path(__file__).parent / "data" / "baseline.json"
MUST_REFUSE = Path(__file__).parent / "data" / "must_refuse.txt"
NOTES = Path("data/sample_notes")
INDEX = Path(".mingbai/eval-index")
RUNS = Path("runs")

app = typer.Typer(
    help="Score retrieval, answers and grounding on questions with known answers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(agents_app, name="agents")

app.command()(prompts)
app.command("fit-gate")(fit_gate)
app.command()(redteam)
app.command()(bench)

RunPath = Annotated[Path, typer.Argument(help="A run file.", metavar="RUN")]
Cases = Annotated[Path, typer.Option("--cases", help="Questions, one JSON object a line.")]
Overlay = Annotated[Path | None, typer.Option("--overlay", help="Further valid evidence, one JSON object a line.")]
Notes = Annotated[Path, typer.Option("--notes", help="The folder of notes that the questions are about.")]
Index = Annotated[Path, typer.Option("--index", help="Where the index of these notes is kept.")]
Out = Annotated[Path | None, typer.Option("--out", help="The run file; default: one of its own in runs/.")]
Judge = Annotated[str, typer.Option("--judge", help="lexical, llm, combined, endpoint or nli.")]
NliModel = Annotated[Path | None, typer.Option("--nli-model", help="Folder of a cross-encoder for the judge nli.")]
BaselinePath = Annotated[Path, typer.Option("--baseline", help="The committed figures to hold the run against.")]
Readme = Annotated[Path | None, typer.Option("--readme", help="Rewrite the block between the markers here.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="A setting for this call, such as retrieval.k=8.", metavar="KEY=VALUE")
]


@app.command()
def run(  # noqa: PLR0913 - one parameter per option
    cases: Cases = CASES,
    notes: Notes = NOTES,
    index: Index = INDEX,
    *,
    overlay: Overlay = None,
    out: Out = None,
    modes: Annotated[str, typer.Option("--modes", help="Of rcg, rag and rog, with commas.")] = "rcg,rag,rog",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many questions.")] = None,
    answers: Annotated[
        int | None, typer.Option("--answers", min=1, help="Answer only so many, evenly by type.")
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=0, help="Answers to generate a second time.")] = 10,
    ladders: Annotated[int, typer.Option("--ladders", min=0, help="Questions for the mode and noise ladders.")] = 12,
    retrieval_only: Annotated[bool, typer.Option("--retrieval-only", help="No answers: seconds, not an hour.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again instead of continuing.")] = False,
    remember: Annotated[
        Path | None, typer.Option("--remember", help="Keep what the model said here, and ask it once.")
    ] = None,
    naive: Annotated[bool, typer.Option("--naive", help="Ask a tutorial's pipeline instead, as a yardstick.")] = False,
    overrides: Overrides = None,
) -> None:
    """Search and answer every question and write it down; a killed run continues where it was."""
    from evals.run import Plan, parse_modes
    from evals.session import Work, generate
    from rag.types import Mode

    plan = Plan(parse_modes(modes), answers, repeats, ladders) if not retrieval_only else Plan.retrieval_only()
    if naive:
        plan = Plan((Mode.RAG,), answers, repeats=0, ladder_cases=0)
    if remember is not None:
        plan = replace(plan, repeats=0)  # a remembered answer repeats itself
    work = Work(
        cases, notes, index, overlay=overlay, out=out, overrides=tuple(overrides or ()), naive=naive, remember=remember
    )
    typer.echo(generate(work, plan, limit=limit, fresh=fresh))


@app.command()
def score(run: RunPath, *, judge: Judge = "lexical", nli_model: NliModel = None, overrides: Overrides = None) -> None:
    """Print the figures of a run. Never calls a generator; fails when more than 2 % of the run are errors."""
    from evals.report import markdown
    from evals.score import check_errors

    scored, notes = _scored(run, judge, nli_model, overrides)
    typer.echo(markdown(scored, notes))
    check_errors(scored)


@app.command()
def compare(before: RunPath, after: RunPath, *, judge: Judge = "lexical", overrides: Overrides = None) -> None:
    """Paired differences between two runs, with intervals, exact tests, and the cases that changed."""
    from evals.compare import compare as paired
    from evals.compare import comparison_tables

    old, _ = _scored(before, judge, None, overrides)
    new, _ = _scored(after, judge, None, overrides)
    for table in comparison_tables(paired(old, new)):
        typer.echo(table.markdown())


@app.command()
def report(
    run: RunPath,
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the pages; default: beside the run.")] = None,
    readme: Readme = None,
    judge: Judge = "lexical",
    nli_model: NliModel = None,
    overrides: Overrides = None,
) -> None:
    """Write the report as one HTML page, as Markdown and as JSON."""
    scored, notes = _scored(run, judge, nli_model, overrides)
    for path in _write_report(scored, notes, folder=out or run.parent, stem=run.stem, readme=readme):
        typer.echo(path)


@app.command("judge-check")
def judge_check(judge: Judge = "lexical", *, nli_model: NliModel = None, overrides: Overrides = None) -> None:
    """Measure a judge on labelled pairs, beside its lexical floor; fails when a must-pass pair is judged wrong."""
    from evals.judge_check import check, render
    from evals.session import judge_named

    with judge_named(judge, RUNS, nli_model=nli_model, overrides=overrides or ()) as chosen:
        found = check(chosen)
    typer.echo(render(found))
    if not found.is_fit:
        raise typer.Exit(EXIT_ERROR)


@app.command()
def gate(
    run: RunPath, *, baseline: BaselinePath = BASELINE, judge: Judge = "lexical", overrides: Overrides = None
) -> None:
    """Hold a run against the baseline and the floors; exit code 1 when one fails."""
    scored, _ = _scored(run, judge, None, overrides)
    _gate(scored, baseline)


@app.command()
def baseline(
    run: Annotated[Path | None, typer.Argument(help="A run file; default: a new quick run.", metavar="[RUN]")] = None,
    *,
    path: BaselinePath = BASELINE,
    overrides: Overrides = None,
) -> None:
    """Make this run the baseline that later runs are held against. Commit the file."""
    from evals.gates import baseline_of, write_baseline
    from evals.score import check_errors

    scored, _ = _scored(run or _sample_run(_plan(quick=True), overrides), "lexical", None, overrides)
    check_errors(scored)
    write_baseline(path, baseline_of(scored))
    typer.echo(path)


@app.command()
def quick(*, baseline: BaselinePath = BASELINE, readme: Readme = None, overrides: Overrides = None) -> None:
    """The check of CI: all retrieval cases, about twenty answers, the gates. Under five minutes on two cores."""
    path = _sample_run(_plan(quick=True), overrides)
    scored, notes = _scored(path, "lexical", None, overrides)
    _write_report(scored, notes, folder=path.parent, stem=path.stem, readme=readme)
    _gate(scored, baseline)


@app.command()
def full(*, judge: Judge = "lexical", readme: Readme = None, overrides: Overrides = None) -> None:
    """Everything on the sample questions: every mode, the ladders, the report. Up to an hour on two cores."""
    from evals.score import check_errors

    path = _sample_run(_plan(quick=False), overrides)
    scored, notes = _scored(path, judge, None, overrides)
    for written in _write_report(scored, notes, folder=path.parent, stem=path.stem, readme=readme):
        typer.echo(written)
    check_errors(scored)


def main() -> None:
    """Run the command line and turn our errors into messages and exit codes."""
    try:
        app()
    except MingbaiError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(EXIT_USAGE if isinstance(error, UsageError) else EXIT_ERROR)
    except KeyboardInterrupt:
        typer.echo("Interrupted. The same command continues.", err=True)
        sys.exit(EXIT_INTERRUPTED)


def _plan(*, quick: bool) -> "Plan":
    from evals.run import Plan

    return Plan.quick() if quick else Plan()


def _sample_run(plan: "Plan", overrides: list[str] | None) -> Path:
    from evals.session import Work, generate

    return generate(Work(CASES, NOTES, INDEX, overrides=tuple(overrides or ())), plan)


def _scored(run: Path, judge: str, nli_model: Path | None, overrides: list[str] | None) -> tuple["Scored", list[str]]:
    from evals.session import score_file

    return score_file(run, judge, nli_model=nli_model, overrides=overrides or ())


def _write_report(scored: "Scored", notes: list[str], *, folder: Path, stem: str, readme: Path | None) -> list[Path]:
    from evals.page import page
    from evals.report import as_json, markdown, update_readme
    from rag.manifest import write_atomically

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, text in (
        (".html", page(scored, notes)),
        (".md", markdown(scored, notes)),
        (".json", as_json(scored, notes)),
    ):
        path = folder / f"{stem}{suffix}"
        write_atomically(path, text)
        written.append(path)
    if readme is not None:
        update_readme(readme, scored, notes)
    return written


def _gate(scored: "Scored", baseline: Path) -> None:
    from evals.gates import check, must_pass, read_baseline, read_must_refuse
    from evals.judge_check import check as check_judge
    from evals.judges.lexical import LexicalJudge

    failed = check_judge(LexicalJudge()).must_pass_failed
    results = [*check(scored, read_baseline(baseline), read_must_refuse(MUST_REFUSE)), must_pass("lexical", failed)]
    for result in results:
        typer.echo(f"{'ok  ' if result.is_passed else 'FAIL'} {result.name}: {result.message}")
    if not all(result.is_passed for result in results):
        raise typer.Exit(EXIT_ERROR)
