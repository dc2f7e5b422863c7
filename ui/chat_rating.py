"""Thumbs up or down under an answer, with a reason, kept beside the chat. Drawing only."""

import streamlit as st

from rag.errors import MingbaiError
from ui import markup
from ui.chat_sidebar import PROBLEM
from ui.conversations import Rating, Status, Turn
from ui.desk import Desk
from ui.words import Lang, say

_REASON_CHARS = 500


def show(at: Desk, lang: Lang, turn: Turn, rating: Rating | None) -> None:
    """Draw the thumbs of a finished answer, and the box for the reason once it is rated down."""
    if turn.status is not Status.DONE:
        return
    thumb, reason = f"thumb-{turn.turn_id}", f"reason-{turn.turn_id}"
    if rating is not None:
        st.session_state.setdefault(thumb, int(rating.is_good))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"mb-rating-{turn.turn_id}"):
        st.feedback("thumbs", key=thumb, on_change=_keep, args=(at, turn.turn_id, thumb, reason))
        if rating is not None and not rating.is_good:
            st.session_state.setdefault(reason, rating.reason)
            st.text_input(
                say(lang, "rate_reason"),
                key=reason,
                max_chars=_REASON_CHARS,
                placeholder=say(lang, "rate_reason"),
                label_visibility="collapsed",
                on_change=_keep,
                args=(at, turn.turn_id, thumb, reason),
            )
    if rating is not None and (rating.is_good or rating.reason):
        st.html(f'<p class="mb-line">{markup.text(say(lang, "rate_kept"))}</p>')


def _keep(at: Desk, turn_id: int, thumb: str, reason: str) -> None:
    chosen = st.session_state.get(thumb)
    rating = None if chosen is None else Rating(bool(chosen), str(st.session_state.get(reason) or ""))
    try:
        at.store.rate(turn_id, rating)
    except MingbaiError as error:
        st.session_state[PROBLEM] = error
