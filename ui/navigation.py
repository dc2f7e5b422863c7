"""The pages of the app, the way between them, and what they take along: language, chat, a question to ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import streamlit as st

from rag.types import Mode
from ui.desk import Desk, desk
from ui.words import Lang, language_of, say

# Names in the address of a page: a reload and a bookmark keep what is shown.
CHAT = "chat"
LANGUAGE = "lang"
VIEW = "view"
# A question that the chat page asks when it is drawn next: (question, mode).
ASK = "ask"
_CHOSEN = "chosen-language"
_LAST_CHAT = "last-chat"


@dataclass(frozen=True, slots=True)
class Place:
    """A page: its name in the address and in ``words``, its icon, its script."""

    name: str
    icon: str

    @property
    def script(self) -> Path:
        """What Streamlit runs."""
        return Path(__file__).parent / "screens" / f"{self.name}.py"


PLACES = (
    Place("chat", ":material/forum:"),
    Place("compare", ":material/compare:"),
    Place("notes", ":material/menu_book:"),
    Place("lab", ":material/manage_search:"),
    Place("agents", ":material/account_tree:"),
    Place("evals", ":material/monitoring:"),
    Place("models", ":material/memory:"),
)


def page(place: Place, lang: Lang) -> st.Page:
    """A place as Streamlit knows it. The chat is the first page."""
    first = place is PLACES[0]
    title = say(lang, "brand_both") if first else f"{say(lang, f'page_{place.name}')} · {say(lang, 'brand_both')}"
    return st.Page(place.script, title=title, icon=place.icon, url_path=place.name, default=first)


def links(lang: Lang) -> None:
    """The links to all pages."""
    for place in PLACES:
        st.page_link(
            page(place, lang),
            label=say(lang, f"page_{place.name}"),
            icon=place.icon,
            width="stretch",
            query_params=_luggage(place.name),
        )


def go(name: str, lang: Lang, **query: str) -> NoReturn:
    """Open another page; not from a callback."""
    place = next(place for place in PLACES if place.name == name)
    st.switch_page(page(place, lang), query_params={**_chosen(), **query})


def ask_in_chat(question: str, mode: Mode, lang: Lang) -> NoReturn:
    """Ask a question in a new chat."""
    st.session_state[ASK] = (question, mode)
    go("chat", lang)


def remember_chat(conversation_id: str | None) -> None:
    """The chat to come back to from another page."""
    st.session_state[_LAST_CHAT] = conversation_id


def language(at: Desk) -> Lang:
    """The language of the page: chosen on it, named by its address, set, or that of the browser."""
    chosen = st.query_params.get(LANGUAGE) or st.session_state.get(_CHOSEN, "auto")
    return language_of(st.context.locale, chosen if chosen != "auto" else at.settings.ui.language)


def choose_language(lang: Lang) -> None:
    """Speak another language from now on."""
    st.session_state[_CHOSEN] = lang
    st.query_params[LANGUAGE] = lang


def wide() -> None:
    """Let the page that is being drawn use the width of the window."""
    st.html("<style>.stMainBlockContainer { max-width: 84rem; padding-inline: clamp(1rem, 3vw, 3rem); }</style>")


def heading(lang: Lang, name: str) -> None:
    """The title of a page and a line about it."""
    st.html(f'<div class="mb-page"><h1>{say(lang, f"page_{name}")}</h1><p>{say(lang, f"about_{name}")}</p></div>')


def opened(name: str, *, is_wide: bool = False) -> tuple[Desk, Lang]:
    """What every page begins with: its width and its title. The desk and the language of the page."""
    at = desk()
    lang = language(at)
    if is_wide:
        wide()
    heading(lang, name)
    return at, lang


def part(lang: Lang, name: str, views: Sequence[str], *leaving: str) -> str:
    """The part of a page that is shown, by the switch that this draws or by the address.

    Args:
        lang: the language of the page.
        name: the page.
        views: its parts, the first one shown at first.
        leaving: names in the address that belong to one part and go when another is chosen.
    """
    key = part_key(name)
    wanted = st.query_params.get(VIEW, views[0])
    st.session_state.setdefault(key, wanted if wanted in views else views[0])

    def changed() -> None:
        st.query_params[VIEW] = str(st.session_state.get(key) or views[0])
        for gone in leaving:
            st.query_params.pop(gone, None)

    chosen = st.segmented_control(
        say(lang, f"page_{name}"),
        views,
        format_func=lambda view: say(lang, f"view_{view}"),
        required=True,
        key=key,
        label_visibility="collapsed",
        on_change=changed,
    )
    return str(chosen or views[0])


def part_key(name: str) -> str:
    """The widget that chooses the part of a page."""
    return f"{name}-view"


def _luggage(name: str) -> Mapping[str, str]:
    last = st.session_state.get(_LAST_CHAT)
    return {**_chosen(), **({CHAT: last} if name == "chat" and last else {})}


def _chosen() -> dict[str, str]:
    chosen = st.query_params.get(LANGUAGE) or st.session_state.get(_CHOSEN)
    return {LANGUAGE: chosen} if chosen else {}
