"""The page of the agents: check a prompt, think in steps, run a workflow. Drawing only."""

import streamlit as st

from ui import agent_view, agents_flow, agents_prompt, agents_think, markup, navigation
from ui.desk import Desk, session_id
from ui.problems import await_library, show_problem
from ui.words import say

VIEWS = ("prompt", "think", "flow")


def show() -> None:
    """Draw the page."""
    at, lang = navigation.opened("agents")
    view = navigation.part(lang, "agents", VIEWS, agent_view.RUN)
    run_id = st.query_params.get(agent_view.RUN)
    run = at.agents.find(run_id) if run_id else None
    if at.library.error is not None:
        show_problem(lang, at.library.error, at)
    if run_id and run is None:
        st.html(markup.note(say(lang, "run_gone"), "warning"))
    busy = run is not None and not run.task.is_done
    parts = {"prompt": agents_prompt, "think": agents_think, "flow": agents_flow}
    parts[view].form(at, lang, busy=busy)
    if run is None or run.kind != view:
        _await(at)
        return
    run.audience.watch(session_id())
    if busy:
        agent_view.running(lang, run)
    elif run.task.error is not None:
        agent_view.failed(lang, run.task.error)
    else:
        parts[view].outcome(lang, run)
        _await(at)


def _await(at: Desk) -> None:
    if at.library.is_busy:
        await_library(at, at.library.phase)
