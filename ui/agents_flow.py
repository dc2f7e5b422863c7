"""Workflows: a shipped one or one's own, checked before it runs, with its nodes, its inputs and what came out."""

import threading
from importlib import resources
from typing import cast

import streamlit as st

from agents.run import Limits, Progress
from agents.workflow import EXAMPLES, Spec, Workflow, WorkflowResult, parse_workflow
from agents.workflow.model import successors
from rag.errors import UsageError
from ui import agent_view, markup
from ui.agent_runs import AgentRun
from ui.desk import Desk
from ui.problems import show_problem
from ui.words import Lang, lines, say

KIND = "flow"
OWN = "own"
_WHICH = "flow-which"
_YAML = "flow-yaml"
_MAX_CHARS = 100_000
_INPUT_CHARS = 4000
_LIMITS = Limits(steps=32, seconds=300.0)


def form(at: Desk, lang: Lang, *, busy: bool) -> None:
    """Which workflow, what it does, its inputs, and the button."""
    which = st.selectbox(
        say(lang, "flow_which"), (*EXAMPLES, OWN), format_func=lambda name: say(lang, f"flow_{name}"), key=_WHICH
    )
    spec = _spec(lang, str(which))
    if spec is None:
        return
    st.html(f'<p class="mb-line">{markup.text(spec.description)}</p>{_nodes(lang, spec, ())}')
    with st.form("flow-form", border=False):
        for name, meaning in spec.start.inputs.items():
            st.text_input(markup.label(f"{name}: {meaning}", 120), key=f"flow-{name}", max_chars=_INPUT_CHARS)
        st.form_submit_button(
            say(lang, "flow_start"),
            key="flow-start",
            type="primary",
            disabled=busy or at.library.error is not None,
            on_click=_start,
            args=(at, spec),
        )


def outcome(lang: Lang, run: AgentRun) -> None:
    """What came out, the way through the nodes, and the citations."""
    spec, result = cast("Spec", run.asked), cast("WorkflowResult", run.task.result)
    st.html(f'<div class="mb-part"><h2>{say(lang, "flow_path")}</h2></div>{_nodes(lang, spec, result.path)}')
    cited = "".join(_citation(lang, dict(one)) for one in result.citations)
    sources = f'<section class="mb-sources"><h4>{say(lang, "sources")}</h4>{cited}</section>' if cited else ""
    st.html(agent_view.answer(lang, result) + sources + agent_view.steps(lang, result.steps))


def _spec(lang: Lang, which: str) -> Spec | None:
    """The chosen workflow; None, with what is wrong with it on the page, when it cannot run."""
    if which == OWN:
        text = st.text_area(say(lang, "flow_text"), key=_YAML, height=220, max_chars=_MAX_CHARS) or ""
    else:
        text = resources.files("agents.workflow.examples").joinpath(f"{which}.yaml").read_text(encoding="utf-8")
        with st.expander(say(lang, "flow_shown")):
            st.code(text, language="yaml")
    if not text.strip():
        st.html(f'<p class="mb-line">{say(lang, "flow_empty")}</p>')
        return None
    try:
        return parse_workflow(text)
    except UsageError as error:
        show_problem(lang, error)
        return None


def _nodes(lang: Lang, spec: Spec, path: tuple[str, ...]) -> str:
    """The nodes in order, those on the path marked."""
    items = "".join(
        f'<li class="{"mb-ran" if node.id in path else ""}"><b>{markup.text(node.id)}</b>'
        f'<span class="mb-chip">{markup.text(say(lang, f"kind_{node.kind}"))}</span>'
        f'<span class="mb-soft">{markup.text(_onward(successors(node)))}</span></li>'
        for node in spec.nodes
    )
    return f'<ol class="mb-nodes" aria-label="{say(lang, "flow_nodes")}">{items}</ol>'


def _onward(names: tuple[str, ...]) -> str:
    return f"→ {' / '.join(names)}" if names else ""


def _citation(lang: Lang, one: dict[str, object]) -> str:
    line = int(str(one.get("line", 0)))
    where = f"{markup.name(str(one.get('file', '')))} · {markup.text(lines(lang, line, line))}"
    return (
        f'<div class="mb-source"><p class="mb-cited"><span class="mb-number">'
        f"{markup.text(one.get('marker', ''))}</span>"
        f'<span class="mb-where"><b>{markup.name(str(one.get("entry", "")))}</b> <span class="mb-place">{where}</span>'
        f'<span class="mb-cited-quote">“{markup.text(one.get("quote", ""))}”</span></span></p></div>'
    )


def _start(at: Desk, spec: Spec) -> None:
    inputs = {name: str(st.session_state.get(f"flow-{name}") or "").strip() for name in spec.start.inputs}

    def work(progress: Progress, cancel: threading.Event) -> object:
        with at.library.lease() as notebook:
            flow = Workflow(spec, notebook, limits=_LIMITS)
            return flow.run(inputs, cancel=cancel, progress=progress)

    agent_view.remember(at.run_agent(KIND, spec, work))
