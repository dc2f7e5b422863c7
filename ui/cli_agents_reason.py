"""``mingbai agent cot | hop | tools | auto | workflow``. Exit codes: 0 done, 3 refused, 1 degraded, 2 usage."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.text import Text

from rag.errors import UsageError
from ui import terminal
from ui.cli_agents import app
from ui.cli_options import DEFAULT_INDEX, EXIT_ERROR, EXIT_REFUSED, AsJson, Index, Overrides, Question, Trace

if TYPE_CHECKING:
    from agents.run import Limits, Progress, Result, Step
    from rag.protocols import Generator
    from rag.types import Answer

EXIT_DEGRADED = EXIT_ERROR

Seed = Annotated[int, typer.Option(help="The seed of the decoding.")]
Steps = Annotated[int, typer.Option(help="At most so many model and tool calls.")]
Seconds = Annotated[float, typer.Option(help="At most so many seconds.")]

R = TypeVar("R", bound="Result")


@app.command()
def cot(  # noqa: PLR0913 - one parameter per option
    question: Question,
    *,
    method: Annotated[str, typer.Option(help="direct, zero-shot, few-shot, plan or deep.")] = "few-shot",
    samples: Annotated[int, typer.Option(help="Thoughts to vote among with deep, up to 5.")] = 5,
    seed: Seed = 0,
    steps: Steps = 16,
    seconds: Seconds = 180.0,
    as_json: AsJson = False,
    trace: Trace = False,
    overrides: Overrides = None,
) -> None:
    """Reason step by step, without the notes. The reasoning is shown apart from the answer."""
    from agents.reason import Method, Reasoner

    if method not in list(Method):
        raise UsageError(f"--method is one of {', '.join(Method)}; got '{method}'.")
    with _generator(overrides) as generator:
        agent = Reasoner(generator, limits=_limits(steps, seconds), seed=seed, samples=samples)
        result = _run(lambda progress: agent.solve(question, method, progress=progress))
    _finish(result, as_json=as_json, trace=trace)


@app.command()
def hop(  # noqa: PLR0913 - one parameter per option
    question: Question,
    index: Index = DEFAULT_INDEX,
    *,
    hops: Annotated[int, typer.Option(help="At most so many retrievals, up to 3.")] = 3,
    seed: Seed = 0,
    steps: Steps = 16,
    seconds: Seconds = 180.0,
    as_json: AsJson = False,
    trace: Trace = False,
    overrides: Overrides = None,
) -> None:
    """Answer from several entries of the notes: retrieve, think one sentence, retrieve again. Every step cites."""
    from agents.reason import MultiHop

    with terminal.open_notebook(index, overrides) as notebook:
        agent = MultiHop(notebook, hops=hops, limits=_limits(steps, seconds), seed=seed)
        result = _run(lambda progress: agent.run(question, progress=progress))
    _finish(result, as_json=as_json, trace=trace, checked=result.checked)


@app.command()
def tools(  # noqa: PLR0913 - one parameter per option
    question: Question,
    index: Index = DEFAULT_INDEX,
    *,
    seed: Seed = 0,
    steps: Steps = 16,
    seconds: Seconds = 180.0,
    as_json: AsJson = False,
    trace: Trace = False,
    overrides: Overrides = None,
) -> None:
    """Answer with tools: calculator, tensor shapes, dates, and the notes when there is an index."""
    from agents.tools import ToolAgent, computing_tools, note_tools
    from rag.text import detect_language

    limits = _limits(steps, seconds)
    if not index.exists():
        terminal.err.print(Text(f"There is no index {index}: the tools that read notes are left out.", style="yellow"))
        with _generator(overrides) as generator:
            agent = ToolAgent(generator, computing_tools(), limits=limits, seed=seed)
            result = _run(lambda progress: agent.run(question, progress=progress))
    else:
        with terminal.open_notebook(index, overrides) as notebook:
            given = [*computing_tools(), *note_tools(notebook, language=detect_language(question))]
            reading = ToolAgent(notebook.generator, given, reader=notebook, limits=limits, seed=seed)
            result = _run(lambda progress: reading.run(question, progress=progress))
    for notice in result.notices if not as_json else ():
        terminal.err.print(Text(notice, style="yellow"))
    _finish(result, as_json=as_json, trace=trace, checked=result.checked)


@app.command()
def auto(  # noqa: PLR0913 - one parameter per option
    question: Question,
    index: Index = DEFAULT_INDEX,
    *,
    seed: Seed = 0,
    steps: Steps = 16,
    seconds: Seconds = 180.0,
    as_json: AsJson = False,
    trace: Trace = False,
    overrides: Overrides = None,
) -> None:
    """Let the router choose: the notes at once, a chain of thought, several hops, tools, or a refusal."""
    from agents.reason import Router

    with terminal.open_notebook(index, overrides) as notebook:
        router = Router(notebook, limits=_limits(steps, seconds), seed=seed)
        result = _run(lambda progress: router.run(question, progress=progress))
    if not as_json:
        terminal.err.print(Text(f"{result.choice.route}: {result.choice.why}", style="dim"))
    _finish(result, as_json=as_json, trace=trace, checked=result.checked)


@app.command()
def workflow(  # noqa: PLR0913 - one parameter per option
    source: Annotated[str, typer.Argument(help="A YAML file, or answer_verify, compare_terms, mind_map.")],
    inputs: Annotated[list[str] | None, typer.Argument(help="The inputs as NAME=VALUE.", metavar="NAME=VALUE")] = None,
    index: Index = DEFAULT_INDEX,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only check the file.")] = False,
    seed: Seed = 0,
    steps: Steps = 32,
    seconds: Seconds = 300.0,
    as_json: AsJson = False,
    trace: Trace = False,
    overrides: Overrides = None,
) -> None:
    """Run a workflow of nodes over the notes."""
    from agents.workflow import EXAMPLES, Workflow, example, load_workflow

    spec = example(source) if source in EXAMPLES else load_workflow(Path(source))
    if check:
        shown = {"name": spec.name, "nodes": [node.id for node in spec.nodes], "inputs": dict(spec.start.inputs)}
        terminal.out.print_json(json.dumps(shown, ensure_ascii=False))
        return
    with terminal.open_notebook(index, overrides) as notebook:
        made = Workflow(spec, notebook, limits=_limits(steps, seconds), seed=seed)
        given = _pairs(inputs or ())
        result = _run(lambda progress: made.run(given, progress=progress))
    _finish(result, as_json=as_json, trace=trace)


def _limits(steps: int, seconds: float) -> "Limits":
    from agents.run import Limits

    return Limits(steps=steps, seconds=seconds)


def _pairs(inputs: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in inputs]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise UsageError(f"An input is NAME=VALUE; got '{wrong[0]}'. Example: term=BM25")
    return {name.strip(): value for name, _, value in pairs}


@contextmanager
def _generator(overrides: Sequence[str] | None) -> "Iterator[Generator]":
    from rag.build import make_generator

    generator = make_generator(terminal.settings(overrides))
    try:
        yield generator
    finally:
        generator.close()


def _run(work: "Callable[[Progress], R]") -> R:
    """Run with a line that names the step under way."""
    with terminal.err.status("thinking", spinner="dots") as status:

        def show(step: "Step") -> None:
            status.update(f"{step.name} done after {step.seconds:.1f} s")

        return work(show)


def _finish(result: "Result", *, as_json: bool, trace: bool, checked: "Answer | None" = None) -> None:
    """Print a result and end with its exit code."""
    from agents.run import Outcome

    if as_json:
        terminal.out.print_json(json.dumps(result.to_dict(), ensure_ascii=False))
    else:
        _show(result, trace=trace, checked=checked)
    if result.outcome is Outcome.REFUSED:
        raise typer.Exit(EXIT_REFUSED)
    if result.outcome is Outcome.DEGRADED:
        raise typer.Exit(EXIT_DEGRADED)


def _show(result: "Result", *, trace: bool, checked: "Answer | None") -> None:
    if result.reasoning:
        terminal.err.print(Text(result.reasoning, style="dim"))
    terminal.out.print(Text(result.answer or "–"))
    if checked is not None:
        terminal.show_sources(checked, trace=False)
    if result.reason:
        terminal.err.print(Text(f"{result.outcome}: {result.reason}", style="yellow"))
    cost = result.cost
    used = f"{cost.calls} calls · {cost.completion_tokens} tokens · {cost.seconds:.1f} s"
    line = f"{result.agent} · {result.outcome} · {used}"
    terminal.err.print(Text(line, style="dim"))
    for step in result.steps if trace else ():
        text = " ".join(step.text.split())[:160]
        terminal.err.print(Text(f"{step.name} {step.seconds:.2f} s {dict(step.notes)} {text}", style="dim"))


__all__ = ["app"]
