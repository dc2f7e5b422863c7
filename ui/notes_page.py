"""The page about the notes: entries to read, what is there twice, where the notes come from, how the index is."""

import streamlit as st

from ui import navigation, notes_browse, notes_copies, notes_health, notes_sources
from ui.desk import Desk, desk
from ui.notes_browse import CHOSEN, VIEW
from ui.problems import await_library, show_problem
from ui.shelves import shelf_of
from ui.words import Lang, say

VIEWS = ("browse", "copies", "sources", "health")


def show() -> None:
    """Draw the page."""
    at = desk()
    lang = navigation.language(at)
    navigation.heading(lang, "notes")
    view = _view(lang)
    if view == "sources":
        notes_sources.show(at, lang)
    elif view == "health":
        notes_health.show(at, lang)
    else:
        _entries(at, lang, view)
    if at.library.is_busy:
        await_library(at, at.library.phase)


def _entries(at: Desk, lang: Lang, view: str) -> None:
    """Entries can be read as soon as the index is open, with or without models."""
    notebook = at.library.opened
    if at.library.error is not None:
        show_problem(lang, at.library.error, at)
    elif notebook is None:
        st.html(f'<div class="mb-empty" role="status"><p>{say(lang, "opening")}</p></div>')
    if notebook is not None:
        shelf = shelf_of(notebook)
        notes_browse.show(notebook, shelf, lang) if view == "browse" else notes_copies.show(shelf, lang)


def _view(lang: Lang) -> str:
    wanted = st.query_params.get(VIEW, VIEWS[0])
    st.session_state.setdefault(CHOSEN, wanted if wanted in VIEWS else VIEWS[0])
    chosen = st.segmented_control(
        say(lang, "page_notes"),
        VIEWS,
        format_func=lambda view: say(lang, f"view_{view}"),
        required=True,
        key=CHOSEN,
        label_visibility="collapsed",
        on_change=_changed,
    )
    return str(chosen or VIEWS[0])


def _changed() -> None:
    st.query_params[VIEW] = str(st.session_state.get(CHOSEN) or VIEWS[0])
    notes_browse.to_list()
