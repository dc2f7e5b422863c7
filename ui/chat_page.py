"""The chat page: what is asked, what is answered, and where it stands in the notes. Drawing only."""

from collections.abc import Sequence

import streamlit as st

from rag.text import detect_language
from rag.types import Mode, State
from ui import chat_drawer, chat_html, chat_rating, chat_sidebar, markup, navigation, shelves, turn_html
from ui.chat_job import Job
from ui.conversations import Rating, Status, Turn
from ui.desk import Desk, desk, session_id
from ui.navigation import ASK, CHAT
from ui.problems import await_library, show_problem
from ui.turn_html import MAX_QUESTION_CHARS, POLL_SECONDS
from ui.words import Lang, language_of, mode_line, mode_name, say, what_is

_MODE = "mode"
_QUESTION = "question"
_SCROLL = (
    "requestAnimationFrame(() => document.getElementById('q{turn_id}')?.scrollIntoView({{block: 'start', "
    "behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'}}))"
)


def show() -> None:
    """Draw the page."""
    at = desk()
    lang = navigation.language(at)
    _ask_what_was_queued(at)
    conversation_id = st.query_params.get(CHAT)
    chat = at.store.find(conversation_id) if conversation_id else None
    navigation.remember_chat(chat.conversation_id if chat else None)
    job = at.jobs.of(chat.conversation_id) if chat else None
    chat_sidebar.show(at, lang, chat)
    _ask_bar(at, lang, job)
    if (failed := st.session_state.pop(chat_sidebar.PROBLEM, None)) is not None:
        show_problem(lang, failed)
    if conversation_id and chat is None:
        st.html(markup.note(say(lang, "unknown_chat"), "warning"))
    turns = at.store.turns(chat.conversation_id) if chat else []
    if chat is not None:
        chat_sidebar.header(at, lang, chat, turns)
    _show_turns(at, lang, turns, job)
    if job is None and at.library.is_busy:
        await_library(at, at.library.phase)


def _ask_what_was_queued(at: Desk) -> None:
    asked = st.session_state.pop(ASK, None)
    if asked is not None and asked[0].strip() and at.library.error is None:
        st.query_params[CHAT] = at.ask(asked[0].strip(), asked[1], st.query_params.get(CHAT))


def _show_turns(at: Desk, lang: Lang, turns: Sequence[Turn], job: Job | None) -> None:
    ratings = at.store.ratings(turns[-1].conversation_id) if turns else {}
    for turn in turns[:-1]:
        _show_turn(at, lang, turn, ratings.get(turn.turn_id))
    with st.container(key="mb-last"):
        if turns:
            _show_last(at, lang, turns[-1], job, ratings.get(turns[-1].turn_id))
        elif at.library.error is None:
            _welcome(at, lang)
        if at.library.error is not None:
            show_problem(lang, at.library.error, at)


def _ask_bar(at: Desk, lang: Lang, job: Job | None) -> None:
    """The bar at the foot of the page: how to answer, the question, and stop while an answer is written."""
    busy, broken = job is not None, at.library.error is not None
    with st.bottom:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="mb-bar"):
            mode = st.segmented_control(
                say(lang, "mode"),
                list(Mode)[::-1],
                format_func=lambda mode: f"**{mode.value.upper()}** {mode_name(lang, mode)}",
                default=Mode.RCG,
                required=True,
                key=_MODE,
                label_visibility="collapsed",
            )
            if job is not None:
                st.button(
                    say(lang, "stop"), key="stop", icon=":material/stop_circle:", type="primary", on_click=job.cancel
                )
        st.html(f'<p class="mb-line">{markup.text(mode_line(lang, Mode(mode or Mode.RCG)))}</p>')
        hint = "placeholder_broken" if broken else "placeholder_busy" if busy else "placeholder"
        st.chat_input(
            say(lang, hint),
            key=_QUESTION,
            max_chars=MAX_QUESTION_CHARS,
            disabled=busy or broken,
            on_submit=_submit,
        )


def _submit() -> None:
    _queue(st.session_state.get(_QUESTION) or "", None)


def _queue(question: str, mode: Mode | None) -> None:
    """Ask at the beginning of the run that follows, inside the page's own error handling."""
    st.session_state[ASK] = (question, mode or Mode(st.session_state.get(_MODE) or Mode.RCG))


def _show_last(at: Desk, lang: Lang, turn: Turn, job: Job | None, rating: Rating | None) -> None:
    """The newest turn, finished or under way."""
    if job is None:
        _show_turn(at, lang, turn, rating)
        if turn.status is not Status.DONE:
            st.button(say(lang, "again"), key=f"again-{turn.turn_id}", on_click=_queue, args=(turn.question, turn.mode))
        return
    st.html(chat_html.question(lang, turn.question, f"q{turn.turn_id}"))
    job.watch(session_id())
    _show_job(at, lang, job)
    with st.container(key="mb-scroll"):
        # Runs once, when a question appears: our own words and a number.
        st.html(f"<script>{_SCROLL.format(turn_id=int(turn.turn_id))}</script>", unsafe_allow_javascript=True)


def _show_turn(at: Desk, lang: Lang, turn: Turn, rating: Rating | None) -> None:
    st.html(chat_html.question(lang, turn.question, f"q{turn.turn_id}"))
    links = shelves.links(at.library.opened, turn.answer, navigation.chosen())
    st.html(turn_html.answered(lang, turn, links=links))
    if turn.answer is not None:
        if turn.answer.state is State.REFUSED and turn.status is Status.DONE:
            _nearest(lang, turn)
        chat_drawer.show(at, lang, turn.turn_id, turn.answer)
        chat_rating.show(at, lang, turn, rating)


def _nearest(lang: Lang, turn: Turn) -> None:
    names = turn.answer.nearest if turn.answer else ()
    # Asked in the language of the first question, so that the answer comes in it as well.
    asked_in = language_of(None, detect_language(turn.question))
    if names:
        st.html(f'<p class="mb-heading">{say(lang, "nearest")}</p>')
    with st.container(horizontal=True, gap="xsmall"):
        for position, entry in enumerate(names):
            question = what_is(asked_in, entry)
            key = f"nearest-{turn.turn_id}-{position}"
            st.button(markup.label(question), key=key, on_click=_queue, args=(question, turn.mode))
        if turn.mode is Mode.RCG:
            wider = markup.label(say(lang, "wider", name=mode_name(lang, Mode.RAG)))
            key = f"wider-{turn.turn_id}"
            st.button(wider, key=key, type="tertiary", on_click=_queue, args=(turn.question, Mode.RAG))


@st.fragment(run_every=POLL_SECONDS)
def _show_job(at: Desk, lang: Lang, job: Job) -> None:
    """The answer under way; draws itself again until it is done, and leaves the rest of the page alone."""
    if job.is_done:
        st.rerun()
    st.html(turn_html.under_way(lang, job, at.jobs.ahead(job)))


def _welcome(at: Desk, lang: Lang) -> None:
    facts = at.library.facts
    names = facts.suggestions if facts else ()
    head = f'<p class="mb-heading">{say(lang, "try")}</p>' if names else ""
    # With an endpoint the questions and passages do leave this program, perhaps this computer.
    promise = say(lang, "promise") + ("" if at.settings.endpoint.url else say(lang, "local"))
    st.html(f'<div class="mb-welcome"><h1>{say(lang, "tagline")}</h1><p>{promise}</p>{head}</div>')
    with st.container(horizontal=True, gap="xsmall"):
        for position, entry in enumerate(names):
            question = what_is(lang, entry)
            st.button(markup.label(question), key=f"try-{position}", on_click=_queue, args=(question, None))
