"""A task as the page shows it: a bar, what it does now, the seconds, and a button that stops it."""

import streamlit as st

from ui import markup
from ui.tasks import Progress, Task
from ui.words import Lang, say, work_stage

POLL_SECONDS = 0.5
_MB = 1e6


@st.fragment(run_every=POLL_SECONDS)
def show_running(lang: Lang, task: Task[object], key: str, *, in_bytes: bool = False) -> None:
    """A task under way; draws itself until it ended, then the whole page. ``key`` is unique on the page."""
    if task.is_done:
        st.rerun()
    now = task.progress()
    st.progress(min(now.done / now.total, 1.0) if now.total else 0.0, text=_words(lang, now, in_bytes=in_bytes))
    st.button(
        say(lang, "stopping" if now.is_stopping else "stop"),
        key=f"stop-{key}",
        icon=":material/stop_circle:",
        disabled=now.is_stopping,
        on_click=task.stop,
    )


def _words(lang: Lang, now: Progress, *, in_bytes: bool) -> str:
    counted = ""
    if now.total > 1:
        counted = f"{now.done / _MB:,.0f} / {now.total / _MB:,.0f} MB" if in_bytes else f"{now.done} / {now.total}"
    seconds = say(lang, "seconds", seconds=f"{now.seconds:.0f}")
    parts = [work_stage(lang, now.stage), counted, seconds]
    return markup.label(" · ".join(part for part in parts if part))
