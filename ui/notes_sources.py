"""Where the notes come from: folders, uploads, and the ingest with its progress and its report. Drawing only."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from ingest.discover import SUFFIXES, discover
from ingest.report import FileStatus, IngestReport
from rag import manifest
from rag.errors import MingbaiError, NotebookIndexError
from ui import markup
from ui.desk import Desk
from ui.ingest_task import NAME, start
from ui.problems import show_problem
from ui.sources import MAX_BYTES, Upload
from ui.task_view import show_running
from ui.tasks import StoppedError
from ui.words import Lang, file_status, say

# A report names every file that failed or changed, and so many of the others.
ROWS = 200
LEAVING = 20
# The box speaks English only: its button gets our word, and its limits are said below it.
_BOX_WORDS = """[data-testid="stFileUploaderDropzone"] button p { font-size: 0; }
[data-testid="stFileUploaderDropzone"] button p::after { content: "%s"; font-size: .875rem; }
[data-testid="stFileUploaderDropzoneInstructions"] { display: none; }"""
_PATH = "source-path"
_PROBLEM = "source-problem"
_KEPT = "source-kept"
_ROUND = "upload-round"
_ORDER = (FileStatus.FAILED, FileStatus.ADDED, FileStatus.CHANGED, FileStatus.REMOVED, FileStatus.UNCHANGED)


def show(at: Desk, lang: Lang) -> None:
    """Draw the page."""
    task = at.tasks.of(NAME)
    busy = task is not None and not task.is_done
    if (failed := st.session_state.pop(_PROBLEM, None)) is not None:
        show_problem(lang, failed)
    _folders(at, lang, busy=busy)
    _uploads(at, lang, busy=busy)
    st.html(f'<div class="mb-part"><h2>{say(lang, "ingest")}</h2><p>{say(lang, "ingest_hint")}</p></div>')
    if task is not None and busy:
        show_running(lang, task, "ingest")
        return
    _begin(at, lang)
    if task is not None:
        _outcome(lang, task.result, task.error)


def _folders(at: Desk, lang: Lang, *, busy: bool) -> None:
    st.html(f'<div class="mb-part"><h2>{say(lang, "folders")}</h2><p>{say(lang, "folders_hint")}</p></div>')
    folders = at.sources.folders()
    for position, folder in enumerate(folders):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            missing = "" if folder.exists() else f' <span class="mb-bad">{say(lang, "not_there")}</span>'
            st.html(f'<p class="mb-file">{markup.name(str(folder))}{missing}</p>')
            _small(lang, "remove", f"remove-{position}", _remove, (at, folder), busy=busy)
    with (
        st.form("add-folder", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input(
            say(lang, "folder_path"),
            key=_PATH,
            max_chars=1000,
            placeholder=say(lang, "folder_placeholder"),
            label_visibility="collapsed",
        )
        st.form_submit_button(say(lang, "folder_add"), key="add-path", disabled=busy, on_click=_add, args=(at,))


def _uploads(at: Desk, lang: Lang, *, busy: bool) -> None:
    st.html(f'<div class="mb-part"><h2>{say(lang, "uploads")}</h2><p>{say(lang, "uploads_hint")}</p></div>')
    st.html(f"<style>{_BOX_WORDS % say(lang, 'upload_choose')}</style>")
    # Another key empties the box after its files were kept.
    box = f"uploads-{st.session_state.get(_ROUND, 0)}"
    chosen = st.file_uploader(
        say(lang, "uploads"),
        type=sorted(suffix.lstrip(".") for suffix in SUFFIXES),
        accept_multiple_files=True,
        key=box,
        max_upload_size=MAX_BYTES // 2**20,
        disabled=busy,
        label_visibility="collapsed",
    )
    kinds = " ".join(sorted(SUFFIXES))
    st.html(f'<p class="mb-line">{say(lang, "upload_limits", mb=MAX_BYTES // 2**20, kinds=kinds)}</p>')
    if chosen:
        st.button(
            say(lang, "upload_keep", count=len(chosen)), key="keep", type="primary", on_click=_keep, args=(at, box)
        )
    if kept := st.session_state.pop(_KEPT, 0):
        st.html(markup.note(say(lang, "upload_kept", count=kept), "info"))
    files = at.sources.uploaded()
    if files:
        with st.expander(say(lang, "upload_list", count=len(files))):
            for position, file in enumerate(files):
                with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                    st.html(f'<p class="mb-file">{markup.name(file.name)}</p>')
                    _small(lang, "remove", f"discard-{position}", _discard, (at, file.name), busy=busy)


def _begin(at: Desk, lang: Lang) -> None:
    """What an ingest would do, and the button; nothing leaves the index without a tick."""
    paths = at.sources.paths()
    if not paths:
        st.html(markup.note(say(lang, "no_sources"), "info"))
        return
    found = {source.file for source in discover(paths)[0]}
    indexed = _indexed(at.index)
    leaving = sorted(indexed - found)
    numbers = {"found": len(found), "fresh": len(found - indexed), "leaving": len(leaving)}
    st.html(f'<p class="mb-line">{say(lang, "ingest_plan", **numbers)}</p>')
    agreed = True
    if leaving:
        items = [f"<li>{markup.name(file)}</li>" for file in leaving[:LEAVING]]
        items += ["<li>…</li>"] if len(leaving) > LEAVING else []
        st.html(f'{markup.note(say(lang, "leaving_hint"), "warning")}<ul class="mb-places">{"".join(items)}</ul>')
        agreed = st.checkbox(say(lang, "leaving_agree", count=len(leaving)), key="leaving")
    st.button(
        say(lang, "ingest_start"),
        key="ingest",
        type="primary",
        icon=":material/sync:",
        disabled=not agreed or not found,
        on_click=start,
        args=(at,),
    )


def _indexed(index: Path) -> set[str]:
    try:
        return set(manifest.read(manifest.current(index)).sources)
    except NotebookIndexError:
        return set()


def _outcome(lang: Lang, result: object, error: BaseException | None) -> None:
    if isinstance(error, StoppedError):
        st.html(markup.note(say(lang, "ingest_stopped"), "warning"))
    elif error is not None:
        show_problem(lang, error)
    elif isinstance(result, IngestReport):
        st.html(report_html(lang, result))


def report_html(lang: Lang, report: IngestReport) -> str:
    """What an ingest did, file by file; what failed first."""
    head = say(
        lang,
        "ingest_done" if report.changed else "ingest_same",
        entries=report.entries,
        chunks=report.chunks,
        embedded=report.embedded,
        seconds=f"{report.seconds.get('total', 0.0):.1f}",
    )
    counts = " · ".join(f"{file_status(lang, one)} {report.count(one)}" for one in _ORDER if report.count(one))
    merged = say(lang, "ingest_merged", merged=report.merged) if report.merged else ""
    files = sorted(report.files, key=lambda file: (_ORDER.index(file.status), file.file))
    rows = "".join(
        f'<tr class="mb-{file.status.value}"><td>{file_status(lang, file.status)}</td><td>{markup.name(file.file)}'
        f"{_reason(file.reason)}</td><td>{file.entries}</td><td>{file.chunks}</td></tr>"
        for file in files[:ROWS]
    )
    rest = markup.note(say(lang, "report_rest", count=len(files) - ROWS), "info") if len(files) > ROWS else ""
    heads = "".join(f"<th>{say(lang, key)}</th>" for key in ("file_state", "file", "entries", "chunks"))
    return (
        f'{markup.note(" ".join(part for part in (head, merged) if part), "good")}<p class="mb-line">{counts}</p>'
        f"{markup.table(heads, rows)}{rest}"
    )


def _reason(reason: str) -> str:
    return f'<div class="mb-reason">{markup.text(reason)}</div>' if reason else ""


def _small(lang: Lang, word: str, key: str, do: object, args: Sequence[object], *, busy: bool) -> None:
    st.button(say(lang, word), key=key, type="tertiary", icon=":material/close:", disabled=busy, on_click=do, args=args)  # type: ignore[arg-type]


def _add(at: Desk) -> None:
    try:
        at.sources.add(str(st.session_state.get(_PATH) or ""))
    except MingbaiError as error:
        st.session_state[_PROBLEM] = error


def _remove(at: Desk, folder: Path) -> None:
    try:
        at.sources.remove(folder)
    except MingbaiError as error:
        st.session_state[_PROBLEM] = error


def _keep(at: Desk, box: str) -> None:
    try:
        files = [Upload(file.name, file.getvalue()) for file in st.session_state.get(box) or ()]
        st.session_state[_KEPT] = len(at.sources.upload(files))
        st.session_state[_ROUND] = int(st.session_state.get(_ROUND, 0)) + 1
    except MingbaiError as error:
        st.session_state[_PROBLEM] = error


def _discard(at: Desk, name: str) -> None:
    at.sources.discard(name)
