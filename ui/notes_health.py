"""How the index is: what it was made of, whether it is whole, and which files could not be read. Drawing only."""

import streamlit as st

from rag import manifest
from rag.errors import MingbaiError, NotebookIndexError
from rag.index import check_fresh
from rag.manifest import Manifest
from ui import markup
from ui.desk import Desk
from ui.problems import show_problem
from ui.task_view import show_running
from ui.tasks import Report
from ui.words import Lang, problem, say

CHECK = "check-index"
_GB, _MB = 1e9, 1e6
_HASH_CHARS = 12


def show(at: Desk, lang: Lang) -> None:
    """Draw the page; everything is read anew, so that an ingest of another program shows as well."""
    try:
        snapshot = manifest.current(at.index)
        made = manifest.read(snapshot)
    except NotebookIndexError as error:
        show_problem(lang, error, at)
        return
    st.html(_verdict(at, lang, made))
    size = sum(file.stat().st_size for file in snapshot.rglob("*") if file.is_file())
    st.html(_numbers(lang, made, size))
    _check(at, lang)
    st.html(_sources(lang, made))


def _verdict(at: Desk, lang: Lang, made: Manifest) -> str:
    try:
        check_fresh(made, at.settings)
    except MingbaiError as error:
        return markup.problem(problem(lang, error), str(error))
    failed = sum(bool(source.failures) for source in made.sources.values())
    if failed:
        return markup.note(say(lang, "health_partly", count=failed), "warning")
    return markup.note(say(lang, "health_good"), "good")


def _numbers(lang: Lang, made: Manifest, size: int) -> str:
    shown = (
        ("documents", f"{made.documents:,}"),
        ("entries", f"{made.entries:,}"),
        ("chunks", f"{made.chunks:,}"),
        ("size", f"{size / _GB:.2f} GB" if size > _GB else f"{size / _MB:.1f} MB"),
    )
    tiles = "".join(f"<div><b>{value}</b><span>{say(lang, key)}</span></div>" for key, value in shown)
    rest = (
        ("made_on", made.created.replace("T", " ")[:16] + " UTC"),
        ("embedder", f"{made.embedder} · {made.dimension} · {made.embedder_hash[:_HASH_CHARS]}"),
        ("dense_index", f"{made.dense_backend} / {made.dense_metric}"),
        ("lexical_index", f"{made.lexical_backend} · k1 {made.lexical_k1} · b {made.lexical_b}"),
        ("chunker", made.chunker),
        ("corpus_hash", made.corpus_hash[:_HASH_CHARS]),
    )
    pairs = "".join(f"<div><dt>{say(lang, key)}</dt><dd>{markup.text(value)}</dd></div>" for key, value in rest)
    return f'<div class="mb-tiles">{tiles}</div><dl class="mb-facts-list">{pairs}</dl>'


def _check(at: Desk, lang: Lang) -> None:
    task = at.tasks.of(CHECK)
    if task is not None and not task.is_done:
        show_running(lang, task, "check")
        return
    st.button(say(lang, "check_index"), key="check-index", icon=":material/fact_check:", on_click=_start, args=(at,))
    if task is not None and task.error is not None:
        show_problem(lang, task.error)
    elif task is not None:
        st.html(markup.note(say(lang, "check_good", seconds=f"{task.progress().seconds:.1f}"), "good"))


def _start(at: Desk) -> None:
    def work(report: Report) -> object:
        report("checking", 0, 0)
        snapshot = manifest.current(at.index)
        made = manifest.read(snapshot)
        check_fresh(made, at.settings)
        manifest.verify(snapshot, made, full=True)
        return made

    at.tasks.start(CHECK, work)


def _sources(lang: Lang, made: Manifest) -> str:
    failing = {file: source for file, source in made.sources.items() if source.failures}
    ordered = [*sorted(failing.items()), *sorted((f, s) for f, s in made.sources.items() if f not in failing)]
    rows = "".join(
        f"<tr><td>{markup.name(file)}{''.join(map(_reason, source.failures))}</td><td>{len(source.documents)}</td>"
        f"<td><code>{markup.text(source.sha256[:_HASH_CHARS])}</code></td></tr>"
        for file, source in ordered
    )
    heads = "".join(f"<th>{say(lang, key)}</th>" for key in ("file", "documents", "sha256"))
    return (
        f'<details class="mb-details"><summary>{say(lang, "all_files_of", count=len(made.sources))}</summary>'
        f"{markup.table(heads, rows)}</details>"
    )


def _reason(reason: str) -> str:
    return f'<div class="mb-reason">{markup.text(reason)}</div>'
