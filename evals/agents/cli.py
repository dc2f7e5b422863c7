"""``python -m evals agents``: measure the agents. Every command continues its own run file and prints its tables."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evals.agents.sets import DATA, DialogueCase, ReasoningCase, ToolCase, load
from rag.errors import UsageError

if TYPE_CHECKING:
    from evals.tables import Table
    from rag.notebook import Notebook
    from rag.protocols import Embedder, Generator

app = typer.Typer(help="Measure the reasoning, memory and tool agents.", no_args_is_help=True)

RUNS = Path("runs")
NOTES = Path("data/sample_notes")
CASES = Path(__file__).parent.parent / "data" / "sample_questions.jsonl"
INDEX = Path(".mingbai/agents-index")
# The longest prompts of these measurements, with what may be written: tools and several hops.
TOKENS_A_JOB = 2048

CasesOption = Annotated[Path, typer.Option("--cases", help="Questions, one JSON object a line.")]
NotesOption = Annotated[Path, typer.Option("--notes", help="The notes that they are about.")]
IndexOption = Annotated[Path, typer.Option("--index", help="Where the index of these notes is kept.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many cases.")]
Seconds = Annotated[float, typer.Option("--seconds", min=0, help="Stop after so many; the same command goes on.")]
Out = Annotated[Path | None, typer.Option("--out", help="The run file.")]
Jobs = Annotated[
    int, typer.Option("--jobs", min=1, max=16, help="So many questions at once, decoded together (engine.parallel).")
]
Remember = Annotated[
    Path | None, typer.Option("--remember", help="A file of replies; what it holds is not generated again.")
]


@app.command()
def cot(
    *,
    methods: Annotated[str, typer.Option(help="With commas.")] = "direct,zero-shot,few-shot,plan,deep",
    limit: Limit = None,
    seconds: Seconds = 1e9,
    jobs: Jobs = 1,
    out: Out = None,
    remember: Remember = None,
) -> None:
    """Reasoning methods against direct answering on 64 questions."""
    from agents.reason import Method
    from evals.agents import reasoning
    from evals.agents.log import Log, fill

    chosen = [Method(name.strip()) for name in methods.split(",")]
    cases = load("reasoning.jsonl", ReasoningCase)[:limit]
    log = Log(out or RUNS / "agents-reasoning.jsonl")
    with _models(remember=remember, jobs=jobs) as models:
        fill(log, reasoning.tasks(cases, chosen, models.generator), seconds=seconds, show=_show, jobs=jobs)
    _print(reasoning.tables(cases, log, chosen))


@app.command()
def memory(
    *,
    replies: Annotated[bool, typer.Option("--replies/--recall-only", help="Also let the model reply.")] = True,
    budget: Annotated[int, typer.Option(min=1, help="Tokens of recalled turns.")] = 120,
    limit: Limit = None,
    seconds: Seconds = 1e9,
    out: Out = None,
) -> None:
    """Memory policies at one token budget on 48 dialogues."""
    from evals.agents import memory as measured
    from evals.agents.log import Log, fill

    cases = load("dialogues.jsonl", DialogueCase)[:limit]
    log = Log(out or RUNS / "agents-memory.jsonl")
    with _models() as models:
        todo = measured.tasks(cases, models.embedder, models.generator, replies=replies, budget=budget)
        fill(log, todo, seconds=seconds, show=_show)
    _print(measured.tables(cases, log, replies=replies, budget=budget))


@app.command()
def tools(
    *, limit: Limit = None, seconds: Seconds = 1e9, jobs: Jobs = 1, out: Out = None, remember: Remember = None
) -> None:
    """The tool agent on 80 questions, over a few notes of which some carry planted instructions."""
    from evals.agents import tool_calls
    from evals.agents.log import Log, fill

    cases = load("tool_calls.jsonl", ToolCase)[:limit]
    log = Log(out or RUNS / "agents-tools.jsonl")
    with _models(DATA / "notes", INDEX, remember=remember, jobs=jobs) as models:
        fill(log, tool_calls.tasks(cases, models.notebook), seconds=seconds, show=_show, jobs=jobs)
    _print(tool_calls.tables(cases, log))


@app.command()
def hop(  # noqa: PLR0913 - one parameter per option
    cases: CasesOption = CASES,
    notes: NotesOption = NOTES,
    index: IndexOption = INDEX / "hop",
    *,
    limit: Limit = None,
    seconds: Seconds = 1e9,
    jobs: Jobs = 1,
    out: Out = None,
    remember: Remember = None,
) -> None:
    """Several hops against single-shot RCG on the comparison and multi-hop questions."""
    from evals.agents import hops
    from evals.agents.log import Log, fill
    from evals.cases import load_cases, locate, texts_under

    located = [c for c in locate(load_cases(cases), texts_under(notes)) if c.case.type in hops.TYPES][:limit]
    log = Log(out or RUNS / f"agents-hop-{cases.stem}.jsonl")
    with _models(notes, index, remember=remember, jobs=jobs) as models:
        fill(log, hops.tasks(located, models.notebook), seconds=seconds, show=_show, jobs=jobs)
    _print(hops.tables(located, log))


@app.command()
def tune(  # noqa: PLR0913 - one parameter per option
    cases: CasesOption = CASES,
    notes: NotesOption = NOTES,
    index: IndexOption = INDEX / "hop",
    *,
    language: Annotated[str, typer.Option(help="Of the prompt and of the questions: zh or en.")] = "zh",
    limit: Limit = None,
    calls: Annotated[int, typer.Option("--calls", min=1, help="Answers that the search and its test may cost.")] = 120,
    seconds: Seconds = 1e9,
    seed: Annotated[int, typer.Option(help="Of the split, the minibatches and the rewrites.")] = 0,
    remember: Remember = None,
) -> None:
    """Improve the RCG prompt by its own metric, and say what the best version gains on held-out questions."""
    from agents import optimize
    from agents.tune import Budget
    from evals.agents import tune as measured
    from evals.cases import load_cases
    from rag.notebook import Notebook
    from rag.text import detect_language

    chosen = [case for case in load_cases(cases) if detect_language(case.question) == language][:limit]
    with _models(notes, index, remember=remember) as models:
        opened = models.notebook()
        prompted = measured.Prompted(opened.generator, language)
        metric = measured.RcgMetric(
            Notebook(index, opened.settings, generator=prompted, embedder=opened.embedder), prompted, language
        )
        tuned = optimize(
            measured.system_prompt(language),
            chosen,
            metric,
            Budget(metric_calls=calls, seconds=seconds),
            generator=opened.generator,
            seed=seed,
            progress=lambda step: _show(f"{step.name}: {step.text}"),
        )
    _print(measured.tables(tuned))
    typer.echo(f"```\n{tuned.program.prompt}\n```")


class Models:
    """The models and the notebook of a measurement, made at first use: a finished run loads nothing.

    With several ``jobs`` the engine decodes them together and has room for TOKENS_A_JOB of each.
    """

    def __init__(self, notes: Path | None, index: Path | None, remember: Path | None, jobs: int = 1) -> None:
        from rag.settings import load as load_settings

        several = {"engine.parallel": jobs, "engine.context_size": max(jobs, 2) * TOKENS_A_JOB}
        self._settings = load_settings(several if jobs > 1 else None)
        self._lock = threading.RLock()
        self._notes, self._index, self._remember = notes, index, remember
        self._generator: Generator | None = None
        self._embedder: Embedder | None = None
        self._notebook: Notebook | None = None

    def generator(self) -> "Generator":
        """The generator of the settings, which remembers its replies when there is a file for them."""
        from evals.remembered import RememberedGenerator
        from rag import build

        with self._lock:
            if self._generator is None:
                made = build.make_generator(self._settings)
                self._generator = RememberedGenerator(made, self._remember) if self._remember else made
            return self._generator

    def embedder(self) -> "Embedder":
        """The embedder of the settings."""
        from evals.agents.memory import OnceEmbedder
        from rag import build

        self._embedder = self._embedder or OnceEmbedder(build.make_embedder(self._settings))
        return self._embedder

    def notebook(self) -> "Notebook":
        """The notes, indexed when they changed.

        Raises:
            UsageError: this measurement has no notes.
        """
        from ingest import ingest
        from rag.notebook import Notebook

        if self._notes is None or self._index is None:
            raise UsageError("This measurement has no notes.")
        with self._lock:
            if self._notebook is None:
                ingest([self._notes], self._index, settings=self._settings)
                self._notebook = Notebook(self._index, self._settings, generator=self.generator())
            return self._notebook

    def close(self) -> None:
        """Stop what was started."""
        if self._notebook is not None:
            self._notebook.close()
        if self._generator is not None:
            self._generator.close()


@contextmanager
def _models(
    notes: Path | None = None, index: Path | None = None, *, remember: Path | None = None, jobs: int = 1
) -> Iterator[Models]:
    models = Models(notes, index, remember, jobs)
    try:
        yield models
    finally:
        models.close()


def _show(key: str) -> None:
    typer.echo(key, err=True)


def _print(tables: "Sequence[Table]") -> None:
    for table in tables:
        typer.echo(table.markdown())
