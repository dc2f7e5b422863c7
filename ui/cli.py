"""``mingbai`` on the command line. Exit codes: 0 answered, 3 refused, 2 usage, 1 error, 130 interrupted."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from rag.errors import MingbaiError, UsageError
from ui import cli_agents_reason, cli_models, cli_serve, terminal
from ui.cli_eval import app as eval_app
from ui.cli_options import (
    DEFAULT_INDEX,
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    EXIT_USAGE,
    AsJson,
    Index,
    Overrides,
    Question,
    Trace,
)

app = typer.Typer(
    help="Ask your own notes, on your own machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(cli_models.app, name="models", help="List, download, check and add models.")
app.add_typer(eval_app, name="eval", help="Score retrieval, answers and grounding.")
app.command()(cli_serve.serve)
app.command()(cli_serve.mcp)
app.add_typer(cli_agents_reason.app, name="agent", help="Reason over the notes in steps, and check and repair prompts.")


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of notes.")],
    index: Index = DEFAULT_INDEX,
    *,
    warm: Annotated[
        bool, typer.Option("--warm", help="Also let the model read each passage ahead, for fast first answers.")
    ] = False,
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """Make the index hold exactly these notes; unchanged files cost nothing."""
    from ingest import ingest as run
    from ui.cli_warm import check, warm_index

    settings = terminal.settings(overrides)
    if warm:
        check(settings)
    with terminal.progress(quiet=as_json) as report_progress:
        report = run(paths, index, settings=settings, progress=report_progress)
    terminal.show_ingest(report, as_json=as_json)
    if warm:
        warm_index(index, settings, quiet=as_json)


@app.command()
def search(
    question: Question,
    index: Index = DEFAULT_INDEX,
    *,
    k: Annotated[int | None, typer.Option("-k", help="How many passages.")] = None,
    leg: Annotated[str, typer.Option(help="term, dense, lexical or hybrid.")] = "hybrid",
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """Find the passages that fit a question best, without a language model."""
    with terminal.open_notebook(index, overrides) as notebook:
        passages = notebook.search(question, k, leg=terminal.leg_name(leg))
    terminal.show_passages(passages, as_json=as_json)


@app.command()
def ask(
    question: Question,
    index: Index = DEFAULT_INDEX,
    *,
    mode: Annotated[str, typer.Option(help="rcg: only the notes; rag: mixed and marked; rog: no notes.")] = "rcg",
    as_json: AsJson = False,
    trace: Trace = False,
    overrides: Overrides = None,
) -> None:
    """Answer a question from the notes, with citations."""
    chosen = terminal.mode_name(mode)
    with terminal.open_notebook(index, overrides) as notebook:
        answer = terminal.ask(notebook, question, chosen, as_json=as_json, trace=trace)
    if answer.state == "refused":
        raise typer.Exit(EXIT_REFUSED)


@app.command()
def chat(
    index: Index = DEFAULT_INDEX,
    *,
    port: Annotated[int | None, typer.Option(help="The port of the page.")] = None,
    overrides: Overrides = None,
) -> None:
    """Open the chat page in the browser."""
    from ui.launch import launch

    raise typer.Exit(launch(index, terminal.settings(overrides), port))


@app.command()
def password() -> None:
    """Make the hash of a password, without which the page listens on this machine only."""
    from ui.password import VARIABLE, hashed

    typed = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    typer.echo(f"{VARIABLE}={hashed(typed)}")


@app.command()
def doctor(
    index: Index = DEFAULT_INDEX,
    *,
    bench: Annotated[bool, typer.Option("--bench", help="Also measure the fastest engine settings; a minute.")] = False,
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """Check the machine, the models and the index, and say what to do."""
    from ui import doctor as checks

    settings = terminal.settings(overrides)
    findings = checks.examine(index, settings)
    if bench:
        findings += checks.bench(settings, terminal.err.print)
    healthy = terminal.show_findings(findings, as_json=as_json)
    raise typer.Exit(0 if healthy else EXIT_ERROR)


@app.command()
def config(*, overrides: Overrides = None) -> None:
    """Print the settings in force as JSON."""
    typer.echo(json.dumps(terminal.settings(overrides).model_dump(mode="json"), ensure_ascii=False, indent=1))


def main() -> None:
    """Run the command line and turn our errors into messages and exit codes."""
    try:
        app()
    except UsageError as error:
        terminal.complain(error)
        sys.exit(EXIT_USAGE)
    except MingbaiError as error:
        terminal.complain(error)
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        terminal.complain("Interrupted.")
        sys.exit(EXIT_INTERRUPTED)
