"""The quick evaluation as a task of the server: the plan of ``make eval-quick`` with the models that are loaded."""

from collections.abc import Sequence
from pathlib import Path

from evals.cases import load_cases, locate
from evals.cli import CASES, INDEX, NOTES
from evals.run import TOP, Plan, Task, execute
from evals.runs import RunFile, default_path, new_header
from evals.session import RUNS, settings_hash
from evals.subject import texts_of
from ingest import ingest
from rag.errors import UsageError
from rag.notebook import Notebook
from ui.desk import Desk
from ui.tasks import Report

NAME = "eval-quick"
ANSWERS, RETRIEVAL = "answers", "retrieval"


def start(at: Desk, what: str) -> None:
    """Run the plan, or only its retrieval; continues where an earlier run of the same work was stopped."""
    plan = Plan.quick() if what == ANSWERS else Plan.retrieval_only()
    at.tasks.start(NAME, lambda report: _run(at, plan, report))


def _run(at: Desk, plan: Plan, report: Report) -> Path:
    if not NOTES.is_dir():
        raise UsageError(f"There is no folder {NOTES.absolute()}. Start Mingbai in its own folder.")
    with at.library.lease() as loaded:
        return _evaluate(at, plan, loaded, report)


def _evaluate(at: Desk, plan: Plan, loaded: Notebook, report: Report) -> Path:
    ingest([NOTES], INDEX, settings=at.settings, embedder=loaded.embedder, progress=report)
    notebook = Notebook(INDEX, at.settings, generator=loaded.generator, embedder=loaded.embedder)
    try:
        located = locate(load_cases(CASES), texts_of(notebook), [])
        fingerprint = {**notebook.fingerprint(), "settings": settings_hash(at.settings)}
        header = new_header(CASES.name, located, fingerprint, top=TOP)
        path = default_path(RUNS, header)
        _ask(notebook, plan.tasks(located), RunFile(path, header, located), report)
        return path
    finally:
        # The models belong to the page: only the index is closed.
        notebook.index.close()


def _ask(notebook: Notebook, tasks: Sequence[Task], file: RunFile, report: Report) -> None:
    done = sum(task.key in file.done for task in tasks)
    report("eval", done, len(tasks))
    for _ in execute(notebook, tasks, file):
        done += 1
        report("eval", done, len(tasks))
