"""The door in front of all pages: open on this machine, a password where other machines can reach the page."""

import streamlit as st
from streamlit import runtime

from ui import markup, password
from ui.words import Lang, say

_OPEN = "unlocked"
_TYPED = "password"
_WRONG = "wrong-password"


def is_open(lang: Lang) -> bool:
    """Whether the page may be drawn; draws the form for the password when not.

    Raises:
        UsageError: other machines can reach the page and there is no password.
    """
    kept = password.kept_hash()
    if not kept:
        if runtime.exists():
            password.check_host(str(st.get_option("server.address") or "0.0.0.0"))  # noqa: S104 - Streamlit's default
        return True
    if st.session_state.get(_OPEN) == kept:
        return True
    st.html(f'<div class="mb-welcome"><h1>{say(lang, "brand")}</h1><p>{say(lang, "locked")}</p></div>')
    with st.form("door", border=False):
        st.text_input(say(lang, "password"), type="password", key=_TYPED, max_chars=200)
        st.form_submit_button(say(lang, "unlock"), key="unlock", type="primary", on_click=_try, args=(kept,))
    if wrong := st.session_state.pop(_WRONG, ""):
        st.html(markup.note(say(lang, wrong), "warning"))
    return False


def _try(kept: str) -> None:
    typed = str(st.session_state.pop(_TYPED, ""))
    throttle = _throttle()
    if not throttle.allows():
        st.session_state[_WRONG] = "password_wait"
        return
    is_right = password.fits(typed, kept)
    throttle.record(is_right=is_right)
    if is_right:
        st.session_state[_OPEN] = kept
    else:
        st.session_state[_WRONG] = "password_wrong"


@st.cache_resource(show_spinner=False)
def _throttle() -> password.Throttle:
    return password.Throttle()
