"""The chats: their list at the side, the title of the open one, and what can be done with it."""

from collections.abc import Sequence

import streamlit as st

from rag.errors import MingbaiError
from ui import markup
from ui.chat_export import file_name, to_markdown
from ui.conversations import TITLE_CHARS, Conversation, Turn
from ui.desk import Desk
from ui.navigation import CHAT
from ui.words import Lang, say

PROBLEM = "problem"
_CONFIRM = "confirm-delete"
_WORDS = "find-chat"
# Fewer are seen at a glance.
_SEARCHABLE = 6
# About what fits into one line of the sidebar.
_LABEL_CHARS = 22


def show(at: Desk, lang: Lang, current: Conversation | None) -> None:
    """Draw the list of chats."""
    with st.sidebar:
        st.button(
            say(lang, "new_chat"), key="new", icon=":material/add:", width="stretch", on_click=_open, args=(None,)
        )
        st.html(f'<p class="mb-heading">{say(lang, "chats")}</p>')
        words = st.session_state.get(_WORDS) or ""
        chats = at.store.recent(words=words)
        if words or len(chats) >= _SEARCHABLE:
            st.text_input(
                say(lang, "find_chat"),
                key=_WORDS,
                max_chars=100,
                placeholder=say(lang, "find_chat"),
                label_visibility="collapsed",
            )
        _chats(lang, current, chats, "no_chat_found" if words else "no_chats")


def header(at: Desk, lang: Lang, chat: Conversation, turns: Sequence[Turn]) -> None:
    """The title of a chat and what can be done with it."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="mb-header"):
        st.html(f'<p class="mb-title">{markup.name(chat.title)}</p>')
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


def _chats(lang: Lang, current: Conversation | None, chats: Sequence[Conversation], empty: str) -> None:
    if not chats:
        st.html(f'<p class="mb-line">{say(lang, empty)}</p>')
    with st.container(gap=None, key="mb-chats"):
        for chat in chats:
            is_open = current is not None and chat.conversation_id == current.conversation_id
            st.button(
                markup.label(chat.title, _LABEL_CHARS) or say(lang, "untitled"),
                key=f"open-{chat.conversation_id}",
                type="secondary" if is_open else "tertiary",
                width="stretch",
                on_click=_open,
                args=(chat.conversation_id,),
            )


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
