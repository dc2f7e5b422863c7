"""The drawer under an answer of a chat: how it came about, and a meter of how much of it came from the notes."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from rag.types import Answer, Mode, Support
from ui import chat_details, markup
from ui.desk import Desk
from ui.problems import show_problem
from ui.task_view import show_running
from ui.tasks import Report, Task
from ui.words import Lang, say

if TYPE_CHECKING:
    from rag.provenance import SentenceProvenance

# A gain of so many nats a token fills the bar: the notes made the word about twenty times as likely.
FULL_BAR = 3.0
_STAGE = "provenance"


def show(at: Desk, lang: Lang, turn_id: int, answer: Answer) -> None:
    """Draw it, closed."""
    with (
        st.container(key=f"mb-drawer-{turn_id}"),
        st.expander(markup.label(chat_details.summary(lang, answer), 90), type="compact", key=f"drawer-{turn_id}"),
    ):
        if _can_measure(answer):
            _meter(at, lang, turn_id, answer)
        st.html(f'<div class="mb-details">{chat_details.inside(lang, answer)}</div>')


def task_name(turn_id: int) -> str:
    """The name under which the measurement of a turn runs."""
    return f"provenance-{turn_id}"


def _can_measure(answer: Answer) -> bool:
    """Whether the model wrote something beside notes."""
    worded = any(sentence.support is not Support.QUOTED for sentence in answer.sentences)
    return answer.mode is not Mode.ROG and bool(answer.passages) and worded


def _meter(at: Desk, lang: Lang, turn_id: int, answer: Answer) -> None:
    """Measured on demand: it takes the engine for as long as two short prompts do."""
    task = at.tasks.of(task_name(turn_id))
    st.html(f'<p class="mb-heading mb-meter-head">{say(lang, "meter")}</p>')
    if task is not None and not task.is_done:
        show_running(lang, task, f"meter-{turn_id}")
        return
    if task is not None and task.error is not None:
        show_problem(lang, task.error)
    if task is not None and task.error is None:
        st.html(_bars(lang, task))
        return
    st.html(f'<p class="mb-line">{say(lang, "meter_hint")}</p>')
    st.button(
        say(lang, "meter_start"),
        key=f"meter-{turn_id}",
        icon=":material/speed:",
        disabled=at.library.error is not None,
        on_click=_start,
        args=(at, turn_id, answer),
    )


def _start(at: Desk, turn_id: int, answer: Answer) -> None:
    def work(report: Report) -> "list[SentenceProvenance]":
        report(_STAGE, 0, 2)
        with at.library.lease() as notebook:
            return notebook.provenance(answer, lambda done, total: report(_STAGE, done, total))

    at.tasks.start(task_name(turn_id), work)


def _bars(lang: Lang, task: Task[object]) -> str:
    measured = cast("list[SentenceProvenance]", task.result)
    rows = "".join(
        f'<li><span class="mb-bar" role="img" aria-label="{one.gain:.2f}"><i style="width:{_share(one.gain):.0f}%"></i>'
        f"</span><b>{one.gain:+.2f}</b> <span>{markup.text(one.text)}</span></li>"
        for one in measured
    )
    return (
        f'<ul class="mb-meter">{rows}</ul><p class="mb-line">{say(lang, "meter_unit")}</p>'
        f'<p class="mb-line">{say(lang, "meter_signal")}</p>'
    )


def _share(gain: float) -> float:
    return 100 * min(max(gain / FULL_BAR, 0.0), 1.0)
