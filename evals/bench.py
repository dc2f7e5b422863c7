"""Speed on this machine: ingest, search, answers. Whole processes where a person would start one.

Every row states what was done how often; medians are over the runs of one session, since machines differ
from hour to hour. Quality is measured elsewhere (``evals run``).
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import rag
from evals.machine import git_commit, machine
from evals.tables import Table
from rag.notebook import Notebook
from rag.settings import Settings

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
SEARCHES = 60
ANSWERS = 5
_PREFACE = "用一句话说明："

_INGEST = """
import json, resource, sys, time
from ingest import ingest
from rag.settings import load
started = time.perf_counter()
report = ingest([sys.argv[1]], sys.argv[2], settings=load())
print(json.dumps({
    "seconds": time.perf_counter() - started,
    "chunks": report.chunks,
    "embedded": report.embedded,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
}))
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was measured, its value with the unit, and how."""

    what: str
    value: str
    how: str


def measure(notes: Path, settings: Settings, say: Callable[[str], None]) -> list[Figure]:
    """All figures for a folder of notes; minutes, most of them for the first ingest.

    Args:
        notes: is copied, never changed.
        settings: as for ``rag.open``; the child processes load their own from file and environment.
        say: told what is measured next.
    """
    with tempfile.TemporaryDirectory(prefix="mingbai-bench-") as scratch:
        copy, index = Path(scratch) / "notes", Path(scratch) / "index"
        shutil.copytree(notes, copy)
        figures = list(_ingest_figures(copy, index, say))
        with rag.open(index, settings) as notebook:
            say("searching")
            figures += _search_figures(notebook)
            say("answering")
            figures += _answer_figures(notebook)
    return figures


def _ingest_figures(notes: Path, index: Path, say: Callable[[str], None]) -> Iterator[Figure]:
    say("full ingest")
    full = _ingest(notes, index)
    yield Figure(
        "full ingest",
        f"{full['seconds']:.1f} s, peak {full['peak_mb'] / 1000:.2f} GB",
        f"new process, {full['chunks']:.0f} chunks, {full['embedded']:.0f} vectors, model loading included",
    )
    say("unchanged ingest")
    unchanged = statistics.median(_ingest(notes, index)["seconds"] for _ in range(3))
    share = unchanged / full["seconds"]
    yield Figure("unchanged ingest", f"{unchanged:.2f} s ({share:.1%} of full)", "median of 3 new processes")
    say("one changed file")
    smallest = min((p for p in notes.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    portion = smallest.stat().st_size / sum(p.stat().st_size for p in notes.rglob("*") if p.is_file())
    text = smallest.read_text(encoding="utf-8")
    # One more line in the shape of the last one: an edit as a person makes it, whatever the kind of notes.
    smallest.write_text(f"{text.rstrip()}\n{text.rstrip().splitlines()[-1]}（补充）\n", encoding="utf-8")
    changed = _ingest(notes, index)
    allowed = portion * full["seconds"] + 2
    yield Figure(
        "one changed file",
        f"{changed['seconds']:.2f} s (its share + 2 s: {allowed:.2f} s)",
        f"smallest file, one line added, {changed['embedded']:.0f} vectors, new process, model loading included",
    )


def _search_figures(notebook: Notebook) -> list[Figure]:
    titles = list(dict.fromkeys(entry.title for entry in notebook.entries()))[: SEARCHES + 1]
    notebook.search(titles[0], 5)
    seconds = [_seconds(lambda title=title: notebook.search(f"什么是{title}？", 5)) for title in titles[1:]]  # type: ignore[misc]
    return [Figure("search", _percentiles(seconds), f"k = 5, {len(seconds)} different questions, models loaded")]


def _answer_figures(notebook: Notebook) -> list[Figure]:
    """The engine alone on real RCG prompts: cold, then the same passages with another question (warm prefix)."""
    titles = list(dict.fromkeys(entry.title for entry in notebook.entries() if not entry.is_empty))[:ANSWERS]
    notebook.ask(f"什么是{titles[-1]}？")
    cold, warm, rates, prompts = [], [], [], []
    for title in titles:
        passages = notebook.search(f"什么是{title}？", 5)
        first = notebook.answer_from(f"什么是{title}？", passages, mode="rag")
        again = notebook.answer_from(f"{_PREFACE}{title}。", passages, mode="rag")
        cold.append(first.timings["first_token"])
        warm.append(again.timings["first_token"])
        prompts.append(first.tokens["prompt"])
        rates += [a.tokens["completion"] / a.timings["decode"] for a in (first, again) if a.timings["decode"] > 0]
    asked = [_seconds(lambda title=title: notebook.ask(f"什么是{title}？")) for title in titles]  # type: ignore[misc]
    middle = statistics.median(prompts)
    return [
        Figure("time to first token, cold", _median(cold), f"{len(cold)} prompts, median {middle:.0f} tokens, k = 5"),
        Figure("time to first token, warm prefix", _median(warm), "same passages, another question"),
        Figure("decoding", f"{statistics.median(rates):.1f} tokens/s", f"median of {len(rates)} answers"),
        Figure("whole RCG answer", _median(asked), f"{len(asked)} questions: search, judge, write, check"),
    ]


def _ingest(notes: Path, index: Path) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", _INGEST, str(notes), str(index)], capture_output=True, text=True, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _percentiles(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=20)
    return f"p50 {statistics.median(seconds) * 1000:.0f} ms, p95 {cuts[18] * 1000:.0f} ms"


def _median(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def table(figures: Sequence[Figure]) -> Table:
    """The figures as a table."""
    return Table("Speed", ("what", "measured", "how"), tuple((f.what, f.value, f.how) for f in figures))


def block(figures: Sequence[Figure], notes: str) -> str:
    """The table with its origin, as it stands in the README."""
    where = machine()
    origin = f"{datetime.now(UTC):%Y-%m-%d}, commit {git_commit()}, {where['cores']} cores {where['processor']}"
    return f"{table(figures).markdown()}\nMeasured {origin}, on {notes}, by `make bench`. No GPU row was run.\n"
