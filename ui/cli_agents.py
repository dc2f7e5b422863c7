"""``mingbai agent``: the agents on the command line. Exit codes as for ``mingbai``."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from rag.errors import UsageError
from ui import terminal
from ui.cli_options import AsJson

if TYPE_CHECKING:
    from agents.prompts import Example, Finding, Optimization

app = typer.Typer(help="Reason over the notes in steps, and check and repair prompts.", no_args_is_help=True)

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@app.callback()
def agents() -> None:
    """Reason over the notes in steps, and check and repair prompts."""


@app.command()
def optimize(
    source: Annotated[
        str, typer.Argument(help="A file, or - for standard input: text, or JSON with prompt and examples.")
    ] = "-",
    *,
    as_json: AsJson = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Only what rules can decide; no model is loaded.")
    ] = False,
    ask: Annotated[bool, typer.Option("--ask", help="Ask which rule stays where only their order decides.")] = False,
    seed: Annotated[int, typer.Option(help="The seed of the model's second attempts.")] = 0,
) -> None:
    """Check a prompt and its few-shot examples, and mend what is wrong with the smallest patches.

    JSON input: {"prompt": "…", "examples": [{"user": "…", "assistant": "…"}]}.
    """
    from agents import optimize_prompt

    if ask and (source == "-" or as_json):
        raise UsageError("--ask needs a terminal: name a file, and leave --json out.")
    prompt, examples = _read(source)
    with terminal.err.status("") as status:
        result = optimize_prompt(
            prompt,
            examples,
            use_model=not no_model,
            seed=seed,
            choose=_choose if ask else None,
            progress=None if as_json else lambda step: status.update(step.name),
        )
    if as_json:
        terminal.out.print_json(json.dumps(result.to_dict(), ensure_ascii=False))
    else:
        _show(result)


def _read(source: str) -> "tuple[str, list[Example]]":
    """The prompt and examples of a file or of standard input."""
    from agents.prompts import Example

    try:
        text = sys.stdin.buffer.read().decode() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} cannot be read: {error}. Name a UTF-8 file, or - for standard input.") from error
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text, []
    rows = value.get("examples", []) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(value.get("prompt"), str) or not isinstance(rows, list):
        raise UsageError('The JSON input must be {"prompt": "…", "examples": [{"user": "…", "assistant": "…"}]}.')
    if not all(
        isinstance(row, dict) and isinstance(row.get("user"), str) and isinstance(row.get("assistant"), str)
        for row in rows
    ):
        raise UsageError('Every example must be {"user": "…", "assistant": "…"} with two strings.')
    return value["prompt"], [Example(row["user"], row["assistant"]) for row in rows]


def _choose(finding: "Finding", rules: object) -> str:
    """Ask a person which of two rules stays; an empty answer takes the default."""
    for name, quote in zip(finding.rule_ids, finding.quotes, strict=True):
        terminal.err.print(Text.assemble((f"{name} ", "bold cyan"), quote))
    answer: str = typer.prompt(
        f"{finding.detail}. Which stays? (empty: the first)", default="", show_default=False, err=True
    )
    return answer.strip().upper()


def _show(result: "Optimization") -> None:
    """What was found, what was changed, what is left."""
    for finding in result.before:
        place = "" if finding.example_index is None else f" (example {finding.example_index + 1})"
        terminal.out.print(Text.assemble((f"{finding.type}{place}: ", "bold yellow"), finding.detail))
        for quote in finding.quotes:
            terminal.out.print(Text(f"    “{' '.join(quote.split())[:100]}”", style="dim"))
    for line in result.diff.splitlines():
        terminal.out.print(Text(line, style=_COLOURS.get(line[:1], "")))
    for decision in result.decisions:
        terminal.out.print(Text(decision))
    state = (
        "nothing found, nothing changed"
        if not result.before
        else "mended"
        if result.accepted
        else "not changed: no repair passed the checks"
    )
    left = f", {len(result.after)} findings left" if result.accepted and result.after else ""
    terminal.out.print(Text(state + left))
    if result.degraded:
        terminal.err.print(Text(f"degraded: {result.degraded}", style="yellow"))
    terminal.err.print(Text(f"{result.cost.seconds:.1f} s, {result.cost.calls} model calls", style="dim"))
