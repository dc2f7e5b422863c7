"""What the notes hold more than once: equal or nearly equal passages, and entries of the same name. Drawing only."""

import streamlit as st

from rag.shelf import Shelf
from rag.types import Chunk, SourceSpan
from ui import markup
from ui.notes_browse import open_entry
from ui.words import Lang, lines, say

# More than anyone reads at once; the heading says how many there are.
SHOWN = 50


def show(shelf: Shelf, lang: Lang) -> None:
    """Draw both lists."""
    if not shelf.copies and not shelf.same_name:
        st.html(f'<div class="mb-empty"><p>{say(lang, "no_copies")}</p></div>')
        return
    if shelf.copies:
        st.html(_head(lang, "copies", "copies_hint", len(shelf.copies)))
        st.html("".join(_copy(lang, chunk) for chunk in shelf.copies[:SHOWN]))
    if shelf.same_name:
        st.html(_head(lang, "same_name", "same_name_hint", len(shelf.same_name)))
        for group in shelf.same_name[:SHOWN]:
            _group(shelf, lang, group)


def _head(lang: Lang, title: str, hint: str, count: int) -> str:
    return (
        f'<div class="mb-part"><h2>{say(lang, title)} <span class="mb-count">{count}</span></h2>'
        f"<p>{say(lang, hint)}</p></div>"
    )


def _copy(lang: Lang, chunk: Chunk) -> str:
    own = SourceSpan(chunk.file, chunk.start, chunk.end, chunk.line_start, chunk.line_end)
    places = "".join(
        f"<li>{markup.name(span.file)} · {markup.text(lines(lang, span.line_start, span.line_end))}</li>"
        for span in (own, *chunk.also_at)
    )
    first = " ".join(chunk.text.split())
    return (
        f'<details class="mb-source"><summary><span class="mb-number">{1 + len(chunk.also_at)}</span>'
        f'<span class="mb-where"><b>{markup.name(chunk.entry)}</b>'
        f'<span class="mb-quote">{markup.text(first[:120])}</span></span></summary>'
        f'<ul class="mb-places">{places}</ul><div class="mb-passage">{markup.text(chunk.text)}</div></details>'
    )


def _group(shelf: Shelf, lang: Lang, group: tuple[int, ...]) -> None:
    title = markup.name(shelf.entries[group[0]].title)
    st.html(f'<p class="mb-heading">{title}</p>')
    with st.container(horizontal=True, gap="xsmall"):
        for number in group:
            key = shelf.key(number)
            start, end = shelf.lines(number)
            place = f"{shelf.entries[number].file} · {lines(lang, start, end)}"
            st.button(markup.label(place), key=f"same-{key}", on_click=open_entry, args=(key,))
