"""The search lab: what each leg finds for a query, side by side, and a way to keep a case. Drawing only."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from rag.errors import MingbaiError
from rag.types import Leg, Passage
from ui import lab_case_form, markup, navigation
from ui.desk import Desk
from ui.problems import await_library, show_problem
from ui.turn_html import MAX_QUESTION_CHARS
from ui.words import Lang, leg_line, leg_name, lines, say

if TYPE_CHECKING:
    from rag.notebook import LegName

LEGS: tuple["LegName", ...] = ("hybrid", "term", "dense", "lexical")
QUERY = "q"
_TEXT = "lab-query"
_K = "lab-k"
_FOUND = "lab-found"
_MAX_K = 30
_QUOTE_CHARS = 140

Found = Mapping["LegName", Sequence[Passage]]


def show() -> None:
    """Draw the page."""
    at, lang = navigation.opened("lab", is_wide=True)
    query = str(st.query_params.get(QUERY, ""))
    _form(at, lang, query)
    if at.library.error is not None:
        show_problem(lang, at.library.error, at)
    elif not query.strip():
        _empty(at, lang)
    else:
        _results(at, lang, query)
    if at.library.is_busy:
        await_library(at, at.library.phase)


def _form(at: Desk, lang: Lang, query: str) -> None:
    st.session_state.setdefault(_TEXT, query)
    st.session_state.setdefault(_K, min(at.settings.retrieval.k, _MAX_K))
    with st.form("lab-form", border=False), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input(
            say(lang, "lab_query"),
            max_chars=MAX_QUESTION_CHARS,
            key=_TEXT,
            placeholder=say(lang, "lab_placeholder"),
            label_visibility="collapsed",
        )
        st.number_input(
            say(lang, "lab_k"),
            min_value=1,
            max_value=_MAX_K,
            key=_K,
            width=130,
            label_visibility="collapsed",
            help=say(lang, "lab_k"),
        )
        st.form_submit_button(
            say(lang, "lab_search"),
            key="lab-search",
            type="primary",
            disabled=at.library.error is not None,
            on_click=_submit,
        )


def _submit() -> None:
    st.query_params[QUERY] = str(st.session_state.get(_TEXT) or "").strip()


def _try(query: str) -> None:
    st.query_params[QUERY] = st.session_state[_TEXT] = query


def _empty(at: Desk, lang: Lang) -> None:
    cards = "".join(
        f'<div class="mb-card"><b>{leg_name(lang, Leg(leg))}</b><p>{leg_line(lang, Leg(leg))}</p></div>' for leg in LEGS
    )
    st.html(f'<div class="mb-cards">{cards}</div>')
    names = at.library.facts.suggestions if at.library.facts else ()
    if names:
        st.html(f'<p class="mb-heading">{say(lang, "try")}</p>')
        with st.container(horizontal=True, gap="xsmall"):
            for position, entry in enumerate(names):
                st.button(markup.label(entry), key=f"try-{position}", on_click=_try, args=(entry,))


def _results(at: Desk, lang: Lang, query: str) -> None:
    k = int(st.session_state.get(_K) or at.settings.retrieval.k)
    with st.spinner(say(lang, "lab_busy")):
        try:
            found = _search(at, query, k)
        except MingbaiError as error:
            show_problem(lang, error)
            return
    if not any(found.values()):
        st.html(f'<div class="mb-empty"><p>{say(lang, "lab_nothing")}</p></div>')
        return
    ranks = {leg: {passage.chunk_id: passage.rank for passage in passages} for leg, passages in found.items()}
    columns = "".join(_column(lang, leg, passages, ranks) for leg, passages in found.items())
    st.html(f'<div class="mb-legs">{columns}</div>')
    lab_case_form.show(at, lang, query, found["hybrid"])


def _search(at: Desk, query: str, k: int) -> Found:
    """What every leg finds; kept until the query, the number or the index changes."""
    notebook = at.library.notebook()
    wanted = (query, k, notebook.index.manifest.corpus_hash)
    kept = st.session_state.get(_FOUND)
    if kept is None or kept[0] != wanted:
        kept = (wanted, {leg: notebook.search(query, k, leg=leg) for leg in LEGS})
        st.session_state[_FOUND] = kept
    found: Found = kept[1]
    return found


def _column(
    lang: Lang, leg: "LegName", passages: Sequence[Passage], ranks: Mapping["LegName", Mapping[str, int]]
) -> str:
    items = "".join(_item(lang, leg, passage, ranks) for passage in passages)
    body = f"<ol>{items}</ol>" if items else f'<p class="mb-line">{say(lang, "lab_none")}</p>'
    name = leg_name(lang, Leg(leg))
    return f'<section class="mb-leg mb-leg-{leg}" aria-label="{name}"><h2>{name}</h2>{body}</section>'


def _item(lang: Lang, leg: "LegName", passage: Passage, ranks: Mapping["LegName", Mapping[str, int]]) -> str:
    """A passage: rank, entry, score, and where the other legs have it."""
    if leg == "hybrid":
        others = " · ".join(f"{leg_name(lang, one)} #{rank}" for one, rank in passage.found_by.items())
    else:
        place = ranks["hybrid"].get(passage.chunk_id)
        others = f"{leg_name(lang, Leg.HYBRID)} #{place}" if place else say(lang, "lab_not_in_hybrid")
    quote = " ".join(passage.text.split())[:_QUOTE_CHARS]
    where = f"{markup.name(passage.file)} · {markup.text(lines(lang, passage.line_start, passage.line_end))}"
    missing = " mb-missing" if leg != "hybrid" and passage.chunk_id not in ranks["hybrid"] else ""
    return (
        f'<li class="mb-hit{missing}"><details><summary><span class="mb-number">{passage.rank}</span>'
        f'<span class="mb-where"><b>{markup.name(passage.entry)}</b> <span class="mb-score">{passage.score:.3f}</span>'
        f'<span class="mb-legs-of">{markup.text(others)}</span>'
        f'<span class="mb-quote">{markup.text(quote)}</span></span></summary>'
        f'<p class="mb-path">{where}</p><div class="mb-passage">{markup.text(passage.text)}</div></details></li>'
    )
