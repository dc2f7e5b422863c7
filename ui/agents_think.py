"""Think in steps: a chain of thought, several hops over the notes, tools, or what the router chooses. Drawing only."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import streamlit as st

from agents.reason import Hop, HopResult, Method, RouterResult, Solution
from agents.run import Progress, Result
from agents.tools import ToolCall, ToolResult
from rag.text import detect_language
from rag.types import Answer
from ui import agent_view, chat_details, chat_html, markup
from ui.agent_runs import AgentRun
from ui.desk import Desk
from ui.turn_html import MAX_QUESTION_CHARS
from ui.words import Lang, say, why

if TYPE_CHECKING:
    from rag.notebook import Notebook

KIND = "think"
AUTO, HOP, TOOLS = "auto", "hop", "tools"
METHODS = (AUTO, HOP, TOOLS, *(method.value for method in Method))
_QUESTION = "think-question"
_METHOD = "think-method"


def form(at: Desk, lang: Lang, *, busy: bool) -> None:
    """The question, the method with a line about it, and the button."""
    method = st.selectbox(
        say(lang, "think_method"), METHODS, format_func=lambda method: say(lang, f"method_{method}"), key=_METHOD
    )
    st.html(f'<p class="mb-line">{markup.text(say(lang, f"line_{method}"))}</p>')
    with (
        st.form("think-form", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input(
            say(lang, "think_question"),
            key=_QUESTION,
            max_chars=MAX_QUESTION_CHARS,
            placeholder=say(lang, "think_placeholder"),
            label_visibility="collapsed",
        )
        st.form_submit_button(
            say(lang, "think_start"),
            key="think-start",
            type="primary",
            disabled=busy or at.library.error is not None,
            on_click=_start,
            args=(at,),
        )


def outcome(lang: Lang, run: AgentRun) -> None:
    """The question, how it was thought about, and the answer."""
    result = cast("Result", run.task.result)
    st.html(chat_html.question(lang, result.question, "q-think"))
    if isinstance(result, RouterResult):
        route = say(lang, f"route_{result.choice.route.value}")
        line = say(lang, "routed", route=route, why=why(lang, result.choice.why))
        st.html(f'<p class="mb-line">{markup.text(line)}</p>')
    checked = _checked(result)
    body = chat_html.answer(lang, checked, "think") if checked is not None else ""
    st.html(
        agent_view.reasoning(lang, result.reasoning)
        + agent_view.answer(lang, result, checked=body)
        + "".join(_parts(lang, result))
        + agent_view.steps(lang, result.steps)
    )
    if checked is not None:
        st.html(chat_details.details(lang, checked))


def _parts(lang: Lang, result: Result) -> Sequence[str]:
    """What only some agents have: votes, hops, tool calls."""
    inner = (result.solution, result.hop, result.tools) if isinstance(result, RouterResult) else (result,)
    parts = []
    for one in inner:
        if isinstance(one, Solution) and len(one.thoughts) > 1:
            votes = "".join(f"<li>{markup.text(answer)} × {count}</li>" for answer, count in one.votes)
            parts.append(f'<p class="mb-heading">{say(lang, "votes")}</p><ul class="mb-places">{votes}</ul>')
        elif isinstance(one, HopResult):
            parts.append(_hops(lang, one.hops))
        elif isinstance(one, ToolResult) and one.calls:
            calls = "".join(_call(call) for call in one.calls)
            parts.append(f'<p class="mb-heading">{say(lang, "calls")}</p><ul class="mb-places">{calls}</ul>')
    return parts


def _hops(lang: Lang, hops: Sequence[Hop]) -> str:
    items = "".join(_hop(lang, hop) for hop in hops)
    return agent_view.fold(f"{say(lang, 'hops')} · {len(hops)}", f'<ol class="mb-trace">{items}</ol>') if hops else ""


def _hop(lang: Lang, hop: Hop) -> str:
    thought = ""
    if hop.thought:
        places = "；".join(f"{c.entry} · {c.file}:{c.line_start}" for c in hop.citations)
        where = places or say(lang, "hop_guess")
        thought = f'<div class="mb-reason">{markup.text(hop.thought)} <i>{markup.text(where)}</i></div>'
    return f"<li><b>{markup.text(hop.query)}</b> +{len(hop.found)}{thought}</li>"


def _call(call: ToolCall) -> str:
    said = call.error if call.output is None else call.output.shown or call.output.receipt
    arguments = ", ".join(f"{name}={value}" for name, value in call.arguments.items())
    return f"<li><code>{markup.text(f'{call.name}({arguments})')}</code> {markup.text(said)}</li>"


def _checked(result: Result) -> Answer | None:
    """The answer with its citations, where an agent read the notes and can show it."""
    found = result.checked if isinstance(result, HopResult | ToolResult | RouterResult) else None
    return found if found is not None and found.sentences else None


def _start(at: Desk) -> None:
    question = str(st.session_state.get(_QUESTION) or "").strip()
    method = str(st.session_state.get(_METHOD) or AUTO)
    if not question:
        return

    def work(progress: Progress, cancel: threading.Event) -> object:
        with at.library.lease() as notebook:
            return _think(notebook, question, method, progress, cancel)

    agent_view.remember(at.run_agent(KIND, question, work))


def _think(notebook: "Notebook", question: str, method: str, progress: Progress, cancel: threading.Event) -> Result:
    from agents.reason import MultiHop, Reasoner, Router
    from agents.tools import ToolAgent, computing_tools, note_tools

    if method == AUTO:
        return Router(notebook).run(question, cancel=cancel, progress=progress)
    if method == HOP:
        return MultiHop(notebook).run(question, cancel=cancel, progress=progress)
    if method == TOOLS:
        tools = [*computing_tools(), *note_tools(notebook, language=detect_language(question))]
        agent = ToolAgent(notebook.generator, tools, reader=notebook)
        return agent.run(question, cancel=cancel, progress=progress)
    return Reasoner(notebook.generator).solve(question, method, cancel=cancel, progress=progress)
