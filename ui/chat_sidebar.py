"""The side of the page: the chats, what is known about the notes and the model, the language."""

from collections.abc import Sequence

import streamlit as st

from rag.errors import MingbaiError
from ui import chat_html
from ui.chat_export import file_name, to_markdown
from ui.chat_session import CHAT, LANGUAGE, Desk, Phase
from ui.conversations import TITLE_CHARS, Conversation, Turn
from ui.words import LANGUAGES, NAMES, Lang, say

PROBLEM = "problem"
_CONFIRM = "confirm-delete"
# About what fits into one line of the sidebar.
_LABEL_CHARS = 22
_DATE_CHARS = len("2026-01-31")


def show(at: Desk, lang: Lang, current: Conversation | None) -> None:
    """Draw the sidebar."""
    with st.sidebar:
        st.html(f'<p class="mb-brand">{say(lang, "brand")}<small>{say(lang, "tagline")}</small></p>')
        st.button(
            say(lang, "new_chat"), key="new", icon=":material/add:", width="stretch", on_click=_open, args=(None,)
        )
        st.html(f'<p class="mb-heading">{say(lang, "chats")}</p>')
        _chats(at, lang, current)
        with st.container(key="mb-foot"):
            st.html(_facts(at, lang))
            _language(lang)


def header(at: Desk, lang: Lang, chat: Conversation, turns: Sequence[Turn]) -> None:
    """The title of a chat and what can be done with it."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="mb-header"):
        st.html(f'<p class="mb-title">{chat_html.name(chat.title)}</p>')
        with st.popover(say(lang, "chat_menu"), type="tertiary", icon=":material/more_horiz:", key="manage"):
            _manage(at, lang, chat, turns)


def _manage(at: Desk, lang: Lang, chat: Conversation, turns: Sequence[Turn]) -> None:
    key = f"name-{chat.conversation_id}"
    st.text_input(say(lang, "chat_name"), value=chat.title, max_chars=TITLE_CHARS, key=key)
    st.button(
        say(lang, "save_name"), key="save-name", width="stretch", on_click=_rename, args=(at, chat.conversation_id, key)
    )
    st.download_button(
        say(lang, "export"),
        lambda: to_markdown(lang, chat, turns),
        file_name(chat),
        "text/markdown",
        key="export",
        on_click="ignore",
        width="stretch",
    )
    if st.session_state.get(_CONFIRM) != chat.conversation_id:
        st.button(say(lang, "delete"), key="delete", width="stretch", on_click=_confirm, args=(chat.conversation_id,))
        return
    st.html(f'<p class="mb-line">{say(lang, "delete_sure")}</p>')
    st.button(
        say(lang, "delete_yes"),
        key="delete-yes",
        type="primary",
        width="stretch",
        on_click=_delete,
        args=(at, chat.conversation_id),
    )
    st.button(say(lang, "delete_no"), key="delete-no", width="stretch", on_click=_confirm, args=(None,))


def _chats(at: Desk, lang: Lang, current: Conversation | None) -> None:
    chats = at.store.recent()
    if not chats:
        st.html(f'<p class="mb-line">{say(lang, "no_chats")}</p>')
    with st.container(gap=None, key="mb-chats"):
        for chat in chats:
            is_open = current is not None and chat.conversation_id == current.conversation_id
            st.button(
                chat_html.label(chat.title, _LABEL_CHARS) or say(lang, "untitled"),
                key=f"open-{chat.conversation_id}",
                type="secondary" if is_open else "tertiary",
                width="stretch",
                on_click=_open,
                args=(chat.conversation_id,),
            )


def _facts(at: Desk, lang: Lang) -> str:
    library, facts = at.library, at.library.facts
    light, words = {
        Phase.OPENING: ("mb-light-busy", say(lang, "opening")),
        Phase.WARMING: ("mb-light-busy", say(lang, "warming")),
        Phase.READY: ("", say(lang, "ready")),
        Phase.BROKEN: ("mb-light-bad", ""),
    }[library.phase]
    lines = [f'<span class="mb-light {light}"></span>{words or chat_html.text(at.index)}']
    if facts is not None:
        numbers = say(lang, "facts", documents=facts.documents, entries=facts.entries, chunks=facts.chunks)
        lines += [
            f"<b>{say(lang, 'notes')}</b> {numbers}",
            say(lang, "indexed_on", date=chat_html.text(facts.created[:_DATE_CHARS])),
            f"<b>{say(lang, 'model')}</b> {chat_html.text(facts.model)}",
        ]
    return f'<div class="mb-facts">{"<br>".join(lines)}</div>'


def _language(lang: Lang) -> None:
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
        st.query_params[LANGUAGE] = chosen


def _open(conversation_id: str | None) -> None:
    if conversation_id is None:
        st.query_params.pop(CHAT, None)
    else:
        st.query_params[CHAT] = conversation_id


def _confirm(conversation_id: str | None) -> None:
    st.session_state[_CONFIRM] = conversation_id


def _rename(at: Desk, conversation_id: str, key: str) -> None:
    try:
        at.store.rename(conversation_id, str(st.session_state.get(key, "")))
    except MingbaiError as error:
        st.session_state[PROBLEM] = error


def _delete(at: Desk, conversation_id: str) -> None:
    try:
        at.delete(conversation_id)
        _open(None)
    except MingbaiError as error:
        st.session_state[PROBLEM] = error
