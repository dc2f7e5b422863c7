"""What all agents have in common on the page: steps under way, failures, folded reasoning, the trace and the cost."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from ui import markup
from ui.agent_runs import AgentRun
from ui.problems import show_problem
from ui.tasks import StoppedError
from ui.words import Lang, say, step_name, why

if TYPE_CHECKING:
    from agents.run import Result, Step

# The name of a run in the address.
RUN = "run"
POLL_SECONDS = 0.3
_STEP_CHARS = 300


@st.fragment(run_every=POLL_SECONDS)
def running(lang: Lang, run: AgentRun) -> None:
    """The steps so far and a button that stops; draws itself until the run ended, then the whole page."""
    if run.task.is_done:
        st.rerun()
    now = run.task.progress()
    done = "".join(_step(lang, step_name(lang, step.name), step.seconds, "done") for step in tuple(run.steps))
    rest = max(now.seconds - sum(step.seconds for step in run.steps), 0.0)
    word = say(lang, "stopping" if now.is_stopping else "run_begins" if not run.steps else "run_goes_on")
    spoken = step_name(lang, run.steps[-1].name) if run.steps else word
    st.html(
        f'<div class="mb-steps" aria-hidden="true">{done}{_step(lang, word, rest, "running")}</div>'
        f'<div class="mb-sr" role="status">{markup.text(spoken)}</div>'
    )
    st.button(
        say(lang, "stopping" if now.is_stopping else "stop"),
        key="stop-agent",
        icon=":material/stop_circle:",
        disabled=now.is_stopping,
        on_click=run.task.stop,
    )


def failed(lang: Lang, error: BaseException) -> None:
    """A run without a result."""
    if isinstance(error, StoppedError):
        st.html(markup.note(say(lang, "run_stopped"), "warning"))
    else:
        show_problem(lang, error)


def remember(run_id: str) -> None:
    """Show this run from now on, also after a reload."""
    st.query_params[RUN] = run_id


def answer(lang: Lang, result: "Result", *, checked: str = "") -> str:
    """How a run ended: its answer, why it is none, the reasoning folded, the steps, the cost.

    ``checked`` is the answer with its citations as HTML, shown instead of the plain one.
    """
    kind = {"done": "good", "refused": "info"}.get(result.outcome.value, "warning")
    state = f'<span class="mb-chip mb-outcome-{kind}">{say(lang, f"outcome_{result.outcome.value}")}</span>'
    plain = f'<div class="mb-answer">{markup.text(result.answer)}</div>' if result.answer else ""
    shown = checked or plain or f'<p class="mb-refusal">{say(lang, "no_answer")}</p>'
    line = say(lang, "reason_line", reason=why(lang, result.reason))
    reason = markup.note(line, "warning") if result.reason else ""
    return (
        f'<div role="article" aria-label="{say(lang, "the_answer")}"><div class="mb-head">{state}'
        f'<span class="mb-line">{_cost(lang, result)}</span></div>{shown}{reason}</div>'
    )


def reasoning(lang: Lang, text: str) -> str:
    """The thought of a model, folded: it is not the answer."""
    return fold(say(lang, "reasoning"), f'<div class="mb-thought">{markup.text(text)}</div>') if text.strip() else ""


def fold(summary: str, body: str) -> str:
    """Something that opens by a click; ``body`` is HTML."""
    return f'<details class="mb-fold"><summary>{markup.text(summary)}</summary>{body}</details>'


def steps(lang: Lang, taken: "Sequence[Step]") -> str:
    """Every step of a run, folded."""
    rows = "".join(
        f"<li><b>{markup.text(step_name(lang, step.name))}</b> {say(lang, 'seconds', seconds=f'{step.seconds:.2f}')} "
        f"<code>{markup.text(_notes(step.notes))}</code>{_text(step.text)}</li>"
        for step in taken
    )
    return fold(f"{say(lang, 'agent_steps')} · {len(taken)}", f'<ol class="mb-trace">{rows}</ol>') if rows else ""


def _step(lang: Lang, name: str, seconds: float, state: str) -> str:
    words = say(lang, "seconds", seconds=f"{seconds:.1f}")
    return f'<span class="mb-step mb-step-{state}">{markup.text(name)} <i>{words}</i></span>'


def _cost(lang: Lang, result: "Result") -> str:
    cost = result.cost
    return say(lang, "agent_cost", calls=cost.calls, tokens=cost.completion_tokens, seconds=f"{cost.seconds:.1f}")


def _notes(notes: Mapping[str, object]) -> str:
    return " · ".join(f"{name} {value}" for name, value in notes.items() if value not in ("", None, [], ()))


def _text(text: str) -> str:
    line = " ".join(text.split())
    return f'<div class="mb-reason">{markup.text(line[:_STEP_CHARS])}</div>' if line else ""
