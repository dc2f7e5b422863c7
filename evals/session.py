"""One evaluation from the outside: index the notes, run the plan with a progress bar, score a run file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import rag
from evals.cases import load_cases, load_overlay, locate
from evals.judge_check import check, verdict_line
from evals.judges.base import Judge
from evals.judging import open_judge
from evals.naive import NaivePipeline
from evals.remembered import RememberedGenerator
from evals.run import TOP, Plan, execute
from evals.runs import RunFile, default_path, new_header, read_run
from evals.score import score_run
from evals.scored import Scored
from evals.subject import Subject, texts_of
from ingest import ingest
from rag import build
from rag.errors import UsageError
from rag.notebook import Notebook
from rag.settings import Settings, load

RUNS = Path("runs")
OUTPUT_SECTIONS = ("models", "chunk", "lexical", "dense", "retrieval", "pack", "generation")
"""Settings that change what comes out; the others change only where and how fast."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked about which notes. ``overrides`` are KEY=VALUE settings; ``naive`` asks the tutorial pipeline.

    What the model says is kept in ``remember`` and not asked again.
    """

    cases: Path
    notes: Path
    index: Path
    overlay: Path | None = None
    out: Path | None = None
    overrides: Sequence[str] = ()
    naive: bool = False
    remember: Path | None = None


def generate(work: Work, plan: Plan, *, limit: int | None = None, fresh: bool = False) -> Path:
    """Bring the index up to date, run what the run file does not hold yet, and return the file.

    Raises:
        UsageError: notes or cases cannot be read, or the named run file belongs to another run.
    """
    settings = settings_with(work.overrides)
    cases = load_cases(work.cases)
    overlay = load_overlay(work.overlay) if work.overlay else []
    if not work.notes.is_dir():
        raise UsageError(f"There is no folder {work.notes}. Name the notes with --notes.")
    with _progress() as progress:
        _ingest(work, settings, progress)
        with _open(work, settings) as notebook:
            subject: Subject = NaivePipeline(notebook) if work.naive else notebook
            located = locate(cases, texts_of(subject), overlay)
            fingerprint = {**subject.fingerprint(), "settings": settings_hash(settings)}
            header = new_header(work.cases.name, located, fingerprint, top=TOP)
            path = work.out or default_path(RUNS, header)
            if fresh:
                path.unlink(missing_ok=True)
            chosen = located[:limit]
            tasks = plan.tasks(chosen)
            file = RunFile(path, header, chosen)
            bar = progress.add_task("evaluating", total=len(tasks), completed=sum(t.key in file.done for t in tasks))
            for _ in execute(subject, tasks, file):
                progress.advance(bar)
    return path


def _open(work: Work, settings: Settings) -> Notebook:
    if work.remember is None:
        return rag.open(work.index, settings)
    return Notebook(work.index, settings, generator=RememberedGenerator(build.make_generator(settings), work.remember))


def score_file(
    run: Path, judge: str, *, nli_model: Path | None = None, overrides: Sequence[str] = ()
) -> tuple[Scored, list[str]]:
    """Score a run file; also the warnings that belong above its figures."""
    recorded = read_run(run)
    with judge_named(judge, run.parent, nli_model=nli_model, overrides=overrides) as chosen:
        scored = score_run(recorded, chosen)
        notes = [verdict_line(check(chosen))]
    if recorded.header.commit.endswith("-dirty"):
        notes.append("The code had uncommitted changes.")
    return scored, notes


@contextmanager
def judge_named(
    name: str, folder: Path, *, nli_model: Path | None = None, overrides: Sequence[str] = ()
) -> Iterator[Judge]:
    """A judge by name; what a model said is kept in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"verdicts-{name}.jsonl"
    with open_judge(name, settings_with(overrides), kept, nli_model=nli_model) as judge:
        yield judge


def settings_with(overrides: Sequence[str]) -> Settings:
    """The settings of file and environment with KEY=VALUE pairs on top. Raises SettingsError."""
    pairs: dict[str, object] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise UsageError(f"{override!r} is no setting. Write it as KEY=VALUE, such as retrieval.k=8.")
        pairs[key.strip()] = value.strip()
    return load(pairs)


def _ingest(work: Work, settings: Settings, progress: Progress) -> None:
    bar = progress.add_task("indexing", total=None)

    def show(stage: str, done: int, total: int) -> None:
        progress.update(bar, description=f"indexing: {stage}", completed=done, total=total)

    ingest([work.notes], work.index, settings=settings, progress=show)
    progress.update(bar, visible=False)


def settings_hash(settings: Settings) -> str:
    """Twelve hex digits that change with every setting that changes what comes out."""
    text = "".join(getattr(settings, name).model_dump_json() for name in OUTPUT_SECTIONS)
    return sha256(text.encode()).hexdigest()[:12]


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True))
