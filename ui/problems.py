"""Errors as cards, with what helps; and waiting for the notebook."""

import shlex
from pathlib import Path

import streamlit as st

from rag.errors import MingbaiError, ModelError, NotebookIndexError
from ui import markup, navigation
from ui.desk import Desk
from ui.library import Phase
from ui.words import Lang, problem, say

LOADING_POLL_SECONDS = 0.5


def show_problem(lang: Lang, error: BaseException, at: Desk | None = None) -> None:
    """An error as a card; with ``at`` also the way out of a notebook that cannot be opened."""
    known = isinstance(error, MingbaiError)
    message = str(error) if known else say(lang, "unexpected", kind=type(error).__name__)
    st.html(markup.problem(problem(lang, error), message))
    if at is None:
        return
    if commands := _commands(error, at.index):
        hint = "run_ingest" if isinstance(error, NotebookIndexError) else "run_this"
        st.html(f'<p class="mb-heading">{say(lang, hint)}</p>')
        st.code(commands, language=None, wrap_lines=True)
    with st.container(horizontal=True, gap="small"):
        st.button(say(lang, "retry"), key="retry", on_click=at.library.retry, icon=":material/refresh:")
        name = "notes" if isinstance(error, NotebookIndexError) else "models"
        if st.button(say(lang, f"help_{name}"), key="help", type="tertiary"):
            navigation.go(name, lang)


@st.fragment(run_every=LOADING_POLL_SECONDS)
def await_library(at: Desk, drawn: Phase) -> None:
    """Draws the whole page again when the notebook gets further than the page shows."""
    if at.library.phase is not drawn:
        st.rerun()


def _commands(error: BaseException, index: Path) -> str:
    if isinstance(error, NotebookIndexError):
        return f"mingbai ingest NOTES --index {shlex.quote(str(index))}"
    return "mingbai models pull --defaults" if isinstance(error, ModelError) else ""
