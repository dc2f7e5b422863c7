"""Entries: find one, read it, ask about it, go on to what is related. Drawing only."""

from collections.abc import Sequence
from textwrap import dedent
from typing import TYPE_CHECKING

import streamlit as st

from rag.shelf import Shelf
from rag.types import Entry, Mode
from ui import markup, mind_map, navigation
from ui.words import Lang, lines, say, what_is

if TYPE_CHECKING:
    from rag.notebook import Notebook

# The name in the address of the entry that is read.
ENTRY = "entry"
PER_PAGE = 40
_WORDS = "entry-words"
_FILE = "entry-file"
_PAGE = "entry-page"
_ALIASES_SHOWN = 3
# Longer entries are whole chapters: the browser should not have to lay out a book.
_TEXT_CHARS = 40_000


def show(notebook: "Notebook", shelf: Shelf, lang: Lang) -> None:
    """Draw the list, or the entry that the address names."""
    key = st.query_params.get(ENTRY)
    number = shelf.number(key) if key else None
    if number is not None:
        _read(shelf, lang, number)
        _mind_map(notebook, shelf, lang, number)
        return
    if key:
        st.html(markup.note(say(lang, "entry_gone"), "warning"))
    _list(shelf, lang)


def open_entry(key: str) -> None:
    """Show an entry, from any part of the page; for callbacks."""
    st.query_params[navigation.VIEW] = st.session_state[navigation.part_key("notes")] = "browse"
    st.query_params[ENTRY] = key


def _list(shelf: Shelf, lang: Lang) -> None:
    words, file = _filter(shelf, lang)
    found = [n for n in shelf.find(words) if file is None or shelf.entries[n].file == file]
    pages = max(-(-len(found) // PER_PAGE), 1)
    page = min(int(st.session_state.get(_PAGE, 0)), pages - 1)
    st.html(f'<p class="mb-line" role="status">{say(lang, "entries_found", count=len(found))}</p>')
    if not found:
        st.html(f'<div class="mb-empty"><p>{say(lang, "no_entry")}</p></div>')
    with st.container(gap=None, key="mb-entries"):
        for number in found[page * PER_PAGE : (page + 1) * PER_PAGE]:
            _row(shelf, lang, number)
    if pages > 1:
        _pager(lang, page, pages)


def _filter(shelf: Shelf, lang: Lang) -> tuple[str, str | None]:
    """The words and the file to look for; any file where there is only one."""
    files = sorted({entry.file for entry in shelf.entries})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        words = st.text_input(
            say(lang, "filter"),
            key=_WORDS,
            max_chars=100,
            placeholder=say(lang, "filter_hint"),
            label_visibility="collapsed",
            on_change=_first_page,
        )
        if len(files) < 2:
            return words or "", None
        file = st.selectbox(
            say(lang, "all_files"),
            files,
            index=None,
            key=_FILE,
            placeholder=say(lang, "all_files"),
            label_visibility="collapsed",
            on_change=_first_page,
        )
    return words or "", file


def _row(shelf: Shelf, lang: Lang, number: int) -> None:
    entry = shelf.entries[number]
    aliases = " · ".join(_other_names(entry)[:_ALIASES_SHOWN])
    title = markup.label(entry.title) or say(lang, "untitled")
    grey = markup.label(f"{aliases}  {say(lang, 'only_name')}" if entry.is_empty else aliases, 80)
    st.button(
        f"**{title}**" + (f"  :gray[{grey}]" if grey else ""),
        key=f"entry-{shelf.key(number)}",
        type="tertiary",
        width="stretch",
        on_click=_open,
        args=(shelf.key(number),),
    )


def _pager(lang: Lang, page: int, pages: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="center"):
        st.button(
            "←", key="page-before", disabled=page == 0, on_click=_turn, args=(page - 1,), help=say(lang, "before")
        )
        st.html(f'<p class="mb-line">{page + 1} / {pages}</p>', width="content")
        st.button(
            "→", key="page-after", disabled=page == pages - 1, on_click=_turn, args=(page + 1,), help=say(lang, "after")
        )


def _read(shelf: Shelf, lang: Lang, number: int) -> None:
    entry = shelf.entries[number]
    st.button(
        say(lang, "to_list"), key="to-list", type="tertiary", icon=":material/arrow_back:", on_click=_open, args=(None,)
    )
    st.html(_head(shelf, lang, number))
    with st.container(horizontal=True, gap="small", key="mb-about"):
        if st.button(say(lang, "ask_about"), key="ask-about", type="primary", icon=":material/forum:"):
            navigation.ask_in_chat(what_is(lang, entry.title), Mode.RCG, lang)
    body = shelf.text(number)
    if not body.strip():
        st.html(f'<div class="mb-empty"><p>{say(lang, "entry_empty")}</p></div>')
    else:
        cut = markup.note(say(lang, "entry_cut", count=_TEXT_CHARS), "info") if len(body) > _TEXT_CHARS else ""
        st.html(f'<article class="mb-entry">{markup.text(dedent(body[:_TEXT_CHARS]))}</article>{cut}')
    related = shelf.related(number)
    _neighbours(shelf, lang, "mentions", related.mentions)
    _neighbours(shelf, lang, "mentioned_by", related.mentioned_by)
    _neighbours(shelf, lang, "similar", related.similar)


def _mind_map(notebook: "Notebook", shelf: Shelf, lang: Lang, number: int) -> None:
    """The entry as a tree, once somebody wants to see it: other entries are read for it."""
    title = shelf.entries[number].title
    if title.strip() and st.toggle(say(lang, "mind_map"), key=f"map-{shelf.key(number)}"):
        found = mind_map.branches(notebook, title)
        st.html(mind_map.as_html(title, found) if found else f'<p class="mb-line">{say(lang, "mind_map_none")}</p>')


def _head(shelf: Shelf, lang: Lang, number: int) -> str:
    entry = shelf.entries[number]
    start, end = shelf.lines(number)
    aliases = "".join(f'<span class="mb-chip">{markup.name(alias)}</span>' for alias in _other_names(entry))
    path = " › ".join(markup.name(part) for part in entry.path[:-1])
    where = " · ".join(part for part in (markup.name(entry.file), path, markup.text(lines(lang, start, end))) if part)
    also = (
        f'<p class="mb-chips"><span class="mb-soft">{say(lang, "also_called")}</span>{aliases}</p>' if aliases else ""
    )
    return f'<div class="mb-entry-head"><h2>{markup.name(entry.title)}</h2>{also}<p class="mb-line">{where}</p></div>'


def _neighbours(shelf: Shelf, lang: Lang, kind: str, numbers: Sequence[int]) -> None:
    if not numbers:
        return
    st.html(f'<p class="mb-heading">{say(lang, kind)}</p>')
    with st.container(horizontal=True, gap="xsmall", key=f"mb-{kind}"):
        for number in numbers:
            key = shelf.key(number)
            label = markup.label(shelf.entries[number].title, 30) or say(lang, "untitled")
            st.button(label, key=f"{kind}-{key}", on_click=_open, args=(key,))


def _other_names(entry: Entry) -> list[str]:
    """Its aliases but the title, and but the whole heading, "title (alias, alias)", which repeats them."""
    heads = (f"{entry.title}(", f"{entry.title}（", f"{entry.title} (")
    return [a for a in dict.fromkeys(entry.aliases) if a != entry.title and not a.startswith(heads)]


def _open(key: str | None) -> None:
    if key is None:
        st.query_params.pop(ENTRY, None)
    else:
        st.query_params[ENTRY] = key


def _first_page() -> None:
    st.session_state[_PAGE] = 0


def _turn(page: int) -> None:
    st.session_state[_PAGE] = page
