"""The frame of every page: style, navigation, what is known about notes and model, the language, and the last net."""

import logging
from pathlib import Path

import streamlit as st

from rag.errors import MingbaiError
from ui import door, markup, navigation, page_script
from ui.desk import Desk, desk
from ui.library import Phase
from ui.problems import show_problem
from ui.words import LANGUAGES, NAMES, Lang, language_of, say

STYLES = tuple(Path(__file__).parent / "style" / name for name in ("frame.css", "chat.css", "pages.css"))
# A file of our own: Streamlit fetches the pictures of emoji and symbols from outside.
ICON = str(Path(__file__).parent / "style" / "icon.svg")
_DATE_CHARS = len("2026-01-31")

_log = logging.getLogger(__name__)


def run() -> None:
    """Draw the page that the address names. Errors become messages, never tracebacks."""
    st.set_page_config(page_icon=ICON, layout="centered")
    for style in STYLES:
        st.html(style)
    page_script.show()
    lang = language_of(st.context.locale)
    try:
        if not door.is_open(lang):
            return
        at = desk()
        lang = navigation.language(at)
        at.library.refresh()
        chosen = st.navigation([navigation.page(place, lang) for place in navigation.PLACES], position="hidden")
        _head(lang)
        _guarded(chosen, lang)
        _foot(at, lang)
    except MingbaiError as error:
        show_problem(lang, error)


def _guarded(page: st.Page, lang: Lang) -> None:
    try:
        page.run()
    except MingbaiError as error:
        show_problem(lang, error)
    except Exception as error:  # noqa: BLE001 - the edge of the page
        _log.exception("The page could not be drawn")
        show_problem(lang, error)


def _head(lang: Lang) -> None:
    with st.sidebar:
        st.html(f'<p class="mb-brand">{say(lang, "brand")}<small>{say(lang, "tagline")}</small></p>')
        with st.container(gap=None, key="mb-nav"):
            navigation.links(lang)


def _foot(at: Desk, lang: Lang) -> None:
    with st.sidebar, st.container(key="mb-foot"):
        st.html(_facts(at, lang))
        st.segmented_control(
            say(lang, "language"),
            LANGUAGES,
            format_func=NAMES.__getitem__,
            default=lang,
            required=True,
            key="language",
            label_visibility="collapsed",
            on_change=_speak,
        )


def _speak() -> None:
    if chosen := st.session_state.get("language"):
        navigation.choose_language(chosen)


def _facts(at: Desk, lang: Lang) -> str:
    library, facts = at.library, at.library.facts
    light, words = {
        Phase.OPENING: ("mb-light-busy", say(lang, "opening")),
        Phase.WARMING: ("mb-light-busy", say(lang, "warming")),
        Phase.RENEWING: ("mb-light-busy", say(lang, "renewing")),
        Phase.READY: ("", say(lang, "ready")),
        Phase.BROKEN: ("mb-light-bad", ""),
    }[library.phase]
    lines = [f'<span class="mb-light {light}"></span>{words or markup.text(at.index)}']
    if facts is not None:
        numbers = say(lang, "facts", documents=facts.documents, entries=facts.entries, chunks=facts.chunks)
        lines += [
            f"<b>{say(lang, 'notes')}</b> {numbers}",
            say(lang, "indexed_on", date=markup.text(facts.created[:_DATE_CHARS])),
            f"<b>{say(lang, 'model')}</b> {markup.text(facts.model)}",
        ]
    return f'<div class="mb-facts">{"<br>".join(lines)}</div>'
