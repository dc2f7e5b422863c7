"""The page about evaluations: start one, look at a run, compare two. Drawing only."""

from pathlib import Path

import streamlit as st

from evals.cases import load_cases
from evals.cli import CASES
from evals.session import RUNS
from ui import eval_task, evals_changes, evals_run, markup, navigation, rating_cases
from ui.desk import Desk
from ui.eval_runs import RunShelf
from ui.problems import await_library, show_problem
from ui.task_view import show_running
from ui.tasks import StoppedError
from ui.words import Lang, say

VIEWS = ("runs", "changes")


def show() -> None:
    """Draw the page."""
    at, lang = navigation.opened("evals", is_wide=True)
    if at.library.error is not None:
        show_problem(lang, at.library.error, at)
    task = at.tasks.of(eval_task.NAME)
    busy = task is not None and not task.is_done
    _start(at, lang, busy=busy)
    view = navigation.part(lang, "evals", VIEWS)
    _rated(at, lang)
    parts = {"runs": evals_run, "changes": evals_changes}
    parts[view].show(shelf(str(RUNS.absolute())), lang)
    if at.library.is_busy and not busy:
        await_library(at, at.library.phase)


@st.cache_resource(show_spinner=False)
def shelf(folder: str) -> RunShelf:
    """The runs of a folder, shared by all pages of the server."""
    return RunShelf(Path(folder))


def _start(at: Desk, lang: Lang, *, busy: bool) -> None:
    """Start the quick evaluation, its progress, and how the last one ended."""
    task = at.tasks.of(eval_task.NAME)
    hint = say(lang, "eval_start_hint", cases=_count())
    st.html(f'<div class="mb-part"><h2>{say(lang, "eval_start")}</h2><p>{hint}</p></div>')
    if task is not None and busy:
        show_running(lang, task, eval_task.NAME)
        return
    with st.container(horizontal=True, gap="small"):
        for what in (eval_task.ANSWERS, eval_task.RETRIEVAL):
            st.button(
                say(lang, f"eval_{what}"),
                key=f"eval-{what}",
                type="primary" if what == eval_task.ANSWERS else "secondary",
                icon=":material/play_arrow:",
                disabled=at.library.error is not None,
                on_click=eval_task.start,
                args=(at, what),
            )
    if task is None:
        return
    if isinstance(task.error, StoppedError):
        st.html(markup.note(say(lang, "eval_stopped"), "warning"))
    elif task.error is not None:
        show_problem(lang, task.error)
    else:
        st.html(markup.note(say(lang, "eval_done", seconds=f"{task.progress().seconds:.0f}"), "good"))


def _rated(at: Desk, lang: Lang) -> None:
    """What readers thought of answers, for download."""
    rated = at.store.rated()
    if not rated:
        return
    good = sum(rating.is_good for _, rating in rated)
    found = rating_cases.cases(rated)
    with st.expander(f"{say(lang, 'rated')} · {len(rated)}", icon=":material/thumbs_up_down:", key="mb-rated"):
        st.html(f'<p class="mb-line">{say(lang, "rated_line", good=good, bad=len(rated) - good)}</p>')
        for word, count, make in (
            ("rated_cases", len(found), rating_cases.case_lines),
            ("rated_bad", len(rated) - good, rating_cases.disliked_lines),
        ):
            st.download_button(
                say(lang, word, count=count),
                make(rated),
                f"{word}.jsonl",
                "application/x-ndjson",
                key=word,
                disabled=not count,
                on_click="ignore",
            )


@st.cache_data(show_spinner=False)
def _count() -> int:
    return len(load_cases(CASES))
