"""The chat page: what is asked, what is answered, and where it stands in the notes. Drawing only."""

import logging
import shlex
from pathlib import Path

import streamlit as st

from rag import errors
from rag.errors import MingbaiError, ModelError, NotebookIndexError
from rag.text import detect_language
from rag.types import Mode, State
from ui import chat_details, chat_html, chat_sidebar
from ui.chat_job import Job
from ui.chat_session import CHAT, LANGUAGE, Desk, Phase, desk, session_id
from ui.conversations import Status, Turn
from ui.words import Lang, language_of, mode_line, mode_name, problem, say, what_is

STYLE = Path(__file__).with_name("chat.css")
# Often enough to read along, and cheap: one small message to the browser.
POLL_SECONDS = 0.25
LOADING_POLL_SECONDS = 0.5
MAX_QUESTION_CHARS = 4000
_MODE = "mode"
_QUESTION = "question"
_ASK = "ask"
_SCROLL = (
    "requestAnimationFrame(() => document.getElementById('q{turn_id}')?.scrollIntoView({{block: 'start', "
    "behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'}}))"
)

_log = logging.getLogger(__name__)


def show() -> None:
    """Draw the page. Errors become messages, never tracebacks."""
    st.set_page_config(page_title="明白 Mingbai", page_icon="📖", layout="centered")
    st.html(STYLE)
    lang = language_of(st.context.locale)
    try:
        at = desk()
        lang = _language(at)
        _page(at, lang)
    except MingbaiError as error:
        _show_problem(lang, error)
    except Exception as error:  # noqa: BLE001 - the edge of the page
        _log.exception("The page could not be drawn")
        st.html(chat_html.problem(problem(lang, error), say(lang, "unexpected", kind=type(error).__name__)))


def _language(at: Desk) -> Lang:
    chosen = st.query_params.get(LANGUAGE, "auto")
    return language_of(st.context.locale, chosen if chosen != "auto" else at.settings.ui.language)


def _page(at: Desk, lang: Lang) -> None:
    asked = st.session_state.pop(_ASK, None)
    if asked is not None and asked[0].strip() and at.library.error is None:
        st.query_params[CHAT] = at.ask(asked[0].strip(), asked[1], st.query_params.get(CHAT))
    conversation_id = st.query_params.get(CHAT)
    chat = at.store.find(conversation_id) if conversation_id else None
    job = at.jobs.of(chat.conversation_id) if chat else None
    chat_sidebar.show(at, lang, chat)
    _ask_bar(at, lang, job)
    if (failed := st.session_state.pop(chat_sidebar.PROBLEM, None)) is not None:
        _show_problem(lang, failed)
    if conversation_id and chat is None:
        st.html(chat_html.note(say(lang, "unknown_chat"), "warning"))
    turns = at.store.turns(chat.conversation_id) if chat else []
    if chat is not None:
        chat_sidebar.header(at, lang, chat, turns)
    for turn in turns[:-1]:
        _show_turn(lang, turn)
    with st.container(key="mb-last"):
        if turns:
            _show_last(at, lang, turns[-1], job)
        elif at.library.error is None:
            _welcome(at, lang)
        if at.library.error is not None:
            _show_problem(lang, at.library.error, at)
    if job is None and at.library.phase in (Phase.OPENING, Phase.WARMING):
        _await_library(at, at.library.phase)


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
        st.html(f'<p class="mb-line">{chat_html.text(mode_line(lang, Mode(mode or Mode.RCG)))}</p>')
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
    st.session_state[_ASK] = (question, mode or Mode(st.session_state.get(_MODE) or Mode.RCG))


def _show_last(at: Desk, lang: Lang, turn: Turn, job: Job | None) -> None:
    """The newest turn, finished or under way."""
    if job is None:
        _show_turn(lang, turn)
        if turn.status is not Status.DONE:
            st.button(say(lang, "again"), key=f"again-{turn.turn_id}", on_click=_queue, args=(turn.question, turn.mode))
        return
    st.html(chat_html.question(lang, turn.question, f"q{turn.turn_id}"))
    job.watch(session_id())
    _show_job(at, lang, job)
    with st.container(key="mb-scroll"):
        # Runs once, when a question appears: our own words and a number.
        st.html(f"<script>{_SCROLL.format(turn_id=int(turn.turn_id))}</script>", unsafe_allow_javascript=True)


def _show_turn(lang: Lang, turn: Turn) -> None:
    st.html(chat_html.question(lang, turn.question, f"q{turn.turn_id}"))
    parts = [f'<div class="mb-head">{chat_html.mode_badge(lang, turn.mode)}</div>']
    if turn.answer is not None:
        parts.append(chat_html.answer(lang, turn.answer, f"c{turn.turn_id}"))
    if remark := _remark(turn):
        parts.append(chat_html.note(say(lang, remark), "warning"))
    if turn.status is Status.FAILED:
        kind, _, message = turn.error.partition(": ")
        headline = problem(lang, _error_of(kind))
        parts.append(chat_html.problem(headline, message or say(lang, "unexpected", kind=kind)))
    st.html(f'<div role="article" aria-label="{say(lang, "the_answer")}">{"".join(parts)}</div>')
    if turn.answer is not None:
        if turn.answer.state is State.REFUSED and turn.status is Status.DONE:
            _nearest(lang, turn)
        st.html(chat_details.details(lang, turn.answer))


def _remark(turn: Turn) -> str:
    """The word about a turn that did not end as it should, or that ended with nothing."""
    if turn.status is Status.RUNNING:
        return "interrupted"
    shown = turn.answer is not None and bool(turn.answer.sentences)
    if turn.status is Status.STOPPED:
        return "stopped" if shown else "empty_answer"
    empty = turn.answer is not None and turn.answer.state is not State.REFUSED and not shown
    return "nothing" if empty else ""


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
            st.button(chat_html.label(question), key=key, on_click=_queue, args=(question, turn.mode))
        if turn.mode is Mode.RCG:
            wider = chat_html.label(say(lang, "wider", name=mode_name(lang, Mode.RAG)))
            key = f"wider-{turn.turn_id}"
            st.button(wider, key=key, type="tertiary", on_click=_queue, args=(turn.question, Mode.RAG))


@st.fragment(run_every=POLL_SECONDS)
def _show_job(at: Desk, lang: Lang, job: Job) -> None:
    """The answer under way; draws itself again until it is done, and leaves the rest of the page alone."""
    if job.is_done:
        st.rerun()
    now = job.progress(at.jobs.ahead(job))
    mode = job.turn.mode
    own = chat_html.note(say(lang, "own_all"), "own") if mode is Mode.ROG and now.written else ""
    written = chat_html.sentences(lang, mode, now.sentences, f"c{job.turn.turn_id}") + chat_html.draft(now.draft)
    st.html(
        f'<div class="mb-head">{chat_html.mode_badge(lang, mode)}</div>{chat_html.progress(lang, now)}'
        f'{own}<div class="mb-answer">{written}</div>'
    )


@st.fragment(run_every=LOADING_POLL_SECONDS)
def _await_library(at: Desk, drawn: Phase) -> None:
    """Draws the whole page again when the notebook gets further than the page shows."""
    if at.library.phase is not drawn:
        st.rerun()


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
            st.button(chat_html.label(question), key=f"try-{position}", on_click=_queue, args=(question, None))


def _show_problem(lang: Lang, error: MingbaiError, at: Desk | None = None) -> None:
    st.html(chat_html.problem(problem(lang, error), str(error)))
    if at is None:
        return
    commands = _commands(error, at.index)
    if commands:
        hint = "run_ingest" if isinstance(error, NotebookIndexError) else "run_this"
        st.html(f'<p class="mb-heading">{say(lang, hint)}</p>')
        st.code(commands, language=None, wrap_lines=True)
    st.button(say(lang, "retry"), key="retry", on_click=at.library.retry, icon=":material/refresh:")


def _commands(error: MingbaiError, index: Path) -> str:
    if isinstance(error, NotebookIndexError):
        return f"mingbai ingest NOTES --index {shlex.quote(str(index))}"
    return "mingbai models pull --defaults" if isinstance(error, ModelError) else ""


def _error_of(kind: str) -> BaseException:
    """An error of the class that a stored description names, for its headline."""
    found = getattr(errors, kind, None)
    return found() if isinstance(found, type) and issubclass(found, MingbaiError) else MingbaiError()
