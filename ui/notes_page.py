"""The page about the notes: entries, what is there twice or contradicts itself, the sources, the index."""

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import streamlit as st

from rag.shelf import Shelf
from ui import navigation, notes_browse, notes_copies, notes_disagree, notes_health, notes_sources
from ui.desk import Desk
from ui.problems import await_library, show_problem
from ui.words import Lang, say

if TYPE_CHECKING:
    from rag.notebook import Notebook

VIEWS = ("browse", "copies", "disagree", "sources", "health")
_shelves: "WeakKeyDictionary[Notebook, Shelf]" = WeakKeyDictionary()


def show() -> None:
    """Draw the page."""
    at, lang = navigation.opened("notes")
    view = navigation.part(lang, "notes", VIEWS, notes_browse.ENTRY)
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
        if view == "browse":
            notes_browse.show(notebook, shelf, lang)
        elif view == "copies":
            notes_copies.show(shelf, lang)
        else:
            notes_disagree.show(at, notebook, shelf, lang)


def shelf_of(notebook: "Notebook") -> Shelf:
    """The entries of a notebook, read once and as long as it is in use."""
    shelf = _shelves.get(notebook)
    if shelf is None:
        shelf = _shelves.setdefault(notebook, Shelf(notebook.index))
    return shelf
