"""What a person waits for: ingest as whole processes, search, answers, and how much memory all of it takes."""

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from evals.bench.figures import Figure, seconds_of
from evals.bench.scene import Scene
from rag.notebook import Notebook

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


_ASK = """
import resource, sys
import rag
with rag.open(sys.argv[1]) as notebook:
    title = next(entry.title for entry in notebook.entries() if not entry.is_empty)
    for mode in ("rcg", "rag", "rog"):
        notebook.ask(f"什么是{title}？", mode)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6))
"""


def ingests(scene: Scene) -> list[Figure]:
    """A first ingest, one without changes, one with a changed file."""
    copy = scene.folder / "notes"
    shutil.copytree(scene.notes, copy)
    return list(_ingest_figures(copy, scene.folder / "ingested", scene.say))


def searches(scene: Scene) -> list[Figure]:
    """Whole searches, the question's embedding included."""
    return _search_figures(scene.notebook)


def answers(scene: Scene) -> list[Figure]:
    """Answers of the engine on real prompts, and whole RCG answers."""
    return _answer_figures(scene.notebook)


def memory(scene: Scene) -> list[Figure]:
    """The most memory that a process holds which opens the notes and answers a question in each mode."""
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", _ASK, str(scene.index)], capture_output=True, text=True, check=True
    )
    peak = float(done.stdout.splitlines()[-1])
    how = "one process: search, an RCG, a RAG and a ROG answer; mapped weights counted"
    return [Figure("peak memory with the default models", f"{peak:.2f} GB", how, "≤ 5 GB", peak <= 5)]


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
    seconds = [seconds_of(lambda title=title: notebook.search(f"什么是{title}？", 5)) for title in titles[1:]]  # type: ignore[misc]
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
    asked = [seconds_of(lambda title=title: notebook.ask(f"什么是{title}？")) for title in titles]  # type: ignore[misc]
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


def _percentiles(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=20)
    return f"p50 {statistics.median(seconds) * 1000:.0f} ms, p95 {cuts[18] * 1000:.0f} ms"


def _median(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
