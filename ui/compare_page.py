"""The page that answers one question in several ways and marks where the answers differ. Drawing only."""

from collections.abc import Sequence
from itertools import pairwise

import streamlit as st

from rag.types import Answer, State
from ui import chat_details, chat_html, compare_choice, markup, navigation, turn_html
from ui.chat_html import Extent
from ui.chat_job import Job
from ui.compare_job import Comparison
from ui.compare_sides import ORDER, Side
from ui.conversations import Turn
from ui.desk import Desk, session_id
from ui.problems import await_library, show_problem
from ui.turn_html import MAX_QUESTION_CHARS, POLL_SECONDS
from ui.words import Lang, mode_line, mode_name, say, what_is

SHOWN = "compare"
_QUESTION = "compare-question"
_ASKED = "compare-asked"
_MARK = "compare-mark"
_STATES = {State.ANSWERED: "answered", State.REFUSED: "refused_short", State.CONFLICT: "conflicting"}


def show() -> None:
    """Draw the page."""
    at, lang = navigation.opened("compare", is_wide=True)
    asked = str(st.session_state.pop(_ASKED, "")).strip()
    sides = compare_choice.choose(at, lang)
    if asked and sides and at.library.error is None:
        st.query_params[SHOWN] = at.compare(asked, sides)
    comparison_id = st.query_params.get(SHOWN)
    comparison = at.comparisons.find(comparison_id) if comparison_id else None
    _form(at, lang, comparison, can_start=bool(sides))
    if at.library.error is not None:
        show_problem(lang, at.library.error, at)
    if comparison is None:
        if comparison_id:
            st.html(markup.note(say(lang, "compare_gone"), "warning"))
        _empty(at, lang)
    elif comparison.is_done:
        _finished(lang, comparison)
    else:
        comparison.watch(session_id())
        _running(at, lang, comparison)
    if at.library.is_busy and (comparison is None or comparison.is_done):
        await_library(at, at.library.phase)


def _form(at: Desk, lang: Lang, comparison: Comparison | None, *, can_start: bool) -> None:
    """The question, and stop while answers are written."""
    busy = comparison is not None and not comparison.is_done
    st.session_state.setdefault(_QUESTION, comparison.question if comparison else "")
    with (
        st.form("compare-form", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input(
            say(lang, "compare_question"),
            max_chars=MAX_QUESTION_CHARS,
            key=_QUESTION,
            placeholder=say(lang, "placeholder"),
            label_visibility="collapsed",
        )
        st.form_submit_button(
            say(lang, "compare_start"),
            key="compare-start",
            type="primary",
            disabled=busy or not can_start or at.library.error is not None,
            on_click=_submit,
        )
    if comparison is not None and busy:
        st.button(
            say(lang, "stop"), key="stop", icon=":material/stop_circle:", type="primary", on_click=comparison.cancel
        )


def _submit() -> None:
    st.session_state[_ASKED] = st.session_state.get(_QUESTION) or ""


def _queue(question: str) -> None:
    st.session_state[_ASKED] = st.session_state[_QUESTION] = question


def _empty(at: Desk, lang: Lang) -> None:
    """What the page is for, and questions to begin with."""
    with st.container(key="mb-modes"):
        for column, mode in zip(st.columns(len(ORDER)), ORDER, strict=True):
            about = (
                f'<div class="mb-card">{chat_html.mode_badge(lang, mode)}<p>{markup.text(mode_line(lang, mode))}</p>'
            )
            column.html(f"{about}</div>")
    names = at.library.facts.suggestions if at.library.facts else ()
    # A comparison needs two things.
    questions = [say(lang, "difference", one=one, other=other) for one, other in pairwise(names)][:2]
    questions += [what_is(lang, entry) for entry in names[:1]]
    if questions and at.library.error is None:
        st.html(f'<p class="mb-heading">{say(lang, "try")}</p>')
        with st.container(horizontal=True, gap="xsmall"):
            for position, question in enumerate(questions):
                st.button(markup.label(question), key=f"try-{position}", on_click=_queue, args=(question,))


@st.fragment(run_every=POLL_SECONDS)
def _running(at: Desk, lang: Lang, comparison: Comparison) -> None:
    """The answers under way; draw themselves again until the last is done."""
    if comparison.is_done:
        st.rerun()
    columns = st.columns(len(comparison.jobs))
    for column, job, turn, side in zip(columns, comparison.jobs, comparison.turns, comparison.sides, strict=True):
        column.html(compare_choice.title(lang, side) + _body(at, lang, job, turn))


def _body(at: Desk, lang: Lang, job: Job, turn: Turn) -> str:
    return turn_html.answered(lang, turn) if job.is_done else turn_html.under_way(lang, job, at.jobs.ahead(job))


def _finished(lang: Lang, comparison: Comparison) -> None:
    answers = [turn.answer for turn in comparison.turns]
    st.html(_table(lang, comparison))
    can_mark = sum(answer is not None and bool(answer.sentences) for answer in answers) > 1
    marked = can_mark and st.toggle(say(lang, "compare_mark"), value=True, key=_MARK)
    marks = _marks(answers) if marked else [()] * len(answers)
    columns = st.columns(len(answers))
    for column, side, turn, spans in zip(columns, comparison.sides, comparison.turns, marks, strict=True):
        with column, st.container(key=f"mb-column-{side.key}"):
            st.html(compare_choice.title(lang, side) + turn_html.answered(lang, turn, spans))
            if turn.answer is not None:
                st.html(chat_details.details(lang, turn.answer))
            key = f"go-on-{side.key}"
            # The chat works with the settings in force.
            if side.settings is None and st.button(
                say(lang, "go_on"), key=key, type="tertiary", icon=":material/forum:"
            ):
                navigation.ask_in_chat(turn.question, turn.mode, lang)


def _marks(answers: Sequence[Answer | None]) -> list[Sequence[Sequence[Extent]]]:
    """For each answer and sentence what no other answer says."""
    from rag.differences import only_here

    shown = [[s.text for s in answer.sentences] if answer else [] for answer in answers]
    # A line end is no content: a unit never reaches over two sentences.
    spans = only_here(["\n".join(sentences) for sentences in shown])
    return [_by_sentence(sentences, found) for sentences, found in zip(shown, spans, strict=True)]


def _by_sentence(sentences: Sequence[str], spans: Sequence[Extent]) -> list[list[Extent]]:
    found, start = [], 0
    for sentence in sentences:
        end = start + len(sentence)
        found.append([(max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and b > start])
        start = end + 1
    return found


def _table(lang: Lang, comparison: Comparison) -> str:
    """The answers in numbers."""
    turns = comparison.turns
    heads = "".join(f"<th>{_name(lang, side)}</th>" for side in comparison.sides)
    rows = (
        ("compare_state", [_state(lang, turn.answer) for turn in turns]),
        ("compare_cited", [_counted(turn.answer, cited=True) for turn in turns]),
        ("compare_own", [_counted(turn.answer, cited=False) for turn in turns]),
        ("compare_sources", [_cited_entries(turn.answer) for turn in turns]),
        ("compare_seconds", [_seconds(lang, turn.answer) for turn in turns]),
    )
    body = "".join(
        f"<tr><th>{say(lang, key)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for key, cells in rows
    )
    return markup.table(f"<td></td>{heads}", body)


def _name(lang: Lang, side: Side) -> str:
    changed = compare_choice.value(lang, side)
    return markup.text(changed or f"{side.mode.value.upper()} {mode_name(lang, side.mode)}")


def _state(lang: Lang, answer: Answer | None) -> str:
    return "–" if answer is None else say(lang, _STATES[answer.state])


def _counted(answer: Answer | None, *, cited: bool) -> str:
    return "–" if answer is None else str(sum(s.is_backed is cited for s in answer.sentences))


def _cited_entries(answer: Answer | None) -> str:
    names = dict.fromkeys(c.entry for s in answer.sentences for c in s.citations) if answer else {}
    return "、".join(map(markup.name, names)) or "–"


def _seconds(lang: Lang, answer: Answer | None) -> str:
    total = answer.timings.get("total") if answer else None
    return "–" if total is None else say(lang, "seconds", seconds=f"{total:.1f}")
