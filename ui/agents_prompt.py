"""Check a prompt with its examples: findings in place, patches to accept or reject, the diff. Drawing only."""

import json
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from typing import cast

import streamlit as st

from agents.prompts import Example, Optimization, Patch
from agents.prompts.patches import apply, diff
from agents.run import Progress
from ui import agent_view, markup, prompt_html
from ui.agent_runs import AgentRun
from ui.desk import Desk
from ui.words import Lang, say, why

KIND = "prompt"
MAX_EXAMPLES = 20
_TEXT = "prompt-text"
_COUNT = "prompt-examples"
_MODEL = "prompt-model"
_MAX_CHARS = 40_000
# One conflict, one unclear form, one example that breaks a rule: our own words, for a first look.
_SAMPLE = {
    "zh": (
        "你是图书馆的问答助手。\n请始终用中文回答。\n回答不超过 60 个字。\n"
        "每个回答至少写 300 个字，写得详细一些。\n语气礼貌，不要使用表情符号。",
        ("几点闭馆？", "We close at nine. 😀"),
    ),
    "en": (
        "You answer questions for a library.\nAlways answer in English.\nUse at most 40 words.\n"
        "Every answer has at least 300 words and goes into detail.\nBe polite, and never use emoji.",
        ("When do you close?", "晚上九点闭馆。😀"),
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was given to the agent."""

    prompt: str
    examples: tuple[Example, ...]


def form(at: Desk, lang: Lang, *, busy: bool) -> None:
    """The prompt, its examples, and the button."""
    st.text_area(
        say(lang, "prompt_text"),
        key=_TEXT,
        height=190,
        max_chars=_MAX_CHARS,
        placeholder=say(lang, "prompt_placeholder"),
    )
    count = int(st.session_state.setdefault(_COUNT, 0))
    with st.expander(f"{say(lang, 'prompt_examples')} · {count}", expanded=count > 0, key="mb-examples"):
        st.html(f'<p class="mb-line">{say(lang, "prompt_examples_hint")}</p>')
        for number in range(count):
            _pair(lang, number)
        with st.container(horizontal=True, gap="small"):
            st.button(
                say(lang, "example_add"),
                key="example-add",
                icon=":material/add:",
                type="tertiary",
                disabled=count >= MAX_EXAMPLES,
                on_click=_grow,
                args=(1,),
            )
            if count:
                st.button(say(lang, "example_drop"), key="example-drop", type="tertiary", on_click=_grow, args=(-1,))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        empty = not str(st.session_state.get(_TEXT) or "").strip()
        st.button(
            say(lang, "prompt_check"),
            key="prompt-check",
            type="primary",
            icon=":material/fact_check:",
            disabled=busy or empty,
            on_click=_start,
            args=(at,),
        )
        if empty:
            st.button(say(lang, "prompt_sample"), key="prompt-sample", type="tertiary", on_click=_try, args=(lang,))
        st.toggle(
            say(lang, "prompt_model"),
            key=_MODEL,
            help=say(lang, "prompt_model_hint"),
            disabled=at.library.error is not None,
        )


def outcome(lang: Lang, run: AgentRun) -> None:
    """What was found, and what can be done about it."""
    asked, made = cast("Asked", run.asked), cast("Optimization", run.task.result)
    if made.degraded:
        st.html(markup.note(say(lang, "prompt_degraded", reason=why(lang, made.degraded)), "warning"))
    if not made.before:
        st.html(markup.note(say(lang, "prompt_clean"), "good"))
    else:
        st.html(f'<div class="mb-part"><h2>{say(lang, "prompt_found", count=len(made.before))}</h2></div>')
        st.html(prompt_html.highlighted(asked.prompt, made.before) + prompt_html.finding_list(lang, made.before))
        if made.patches:
            _patches(lang, run.run_id, asked, made)
        else:
            st.html(markup.note(say(lang, "prompt_no_patch"), "info"))
    st.html(agent_view.steps(lang, made.trace))


def _patches(lang: Lang, run_id: str, asked: Asked, made: Optimization) -> None:
    head = f"<h2>{say(lang, 'prompt_patches')}</h2><p>{say(lang, 'prompt_patches_hint')}</p>"
    st.html(f'<div class="mb-part">{head}</div>')
    turns = [example.assistant for example in asked.examples]
    accepted: list[Patch] = []
    for number, patch in enumerate(made.patches):
        with st.container(horizontal=True, vertical_alignment="top", gap="small", key=f"mb-patch-{number}"):
            st.html(prompt_html.change(lang, asked.prompt, patch, turns))
            if st.checkbox(say(lang, "patch_accept"), value=True, key=f"accept-{run_id}-{number}"):
                accepted.append(patch)
    if made.decisions:
        items = "".join(f"<li>{markup.text(why(lang, one))}</li>" for one in made.decisions)
        st.html(f'<p class="mb-heading">{say(lang, "prompt_decisions")}</p><ul class="mb-places">{items}</ul>')
    _result(lang, asked, made, accepted)


def _result(lang: Lang, asked: Asked, made: Optimization, accepted: list[Patch]) -> None:
    try:
        prompt, examples = apply(asked.prompt, asked.examples, accepted)
    except ValueError:
        st.html(markup.note(say(lang, "prompt_unfit"), "warning"))
        return
    if len(accepted) == len(made.patches):
        left = len(made.after)
        st.html(markup.note(say(lang, "prompt_after", count=left), "warning" if left else "good"))
    if changed := diff(asked.prompt, asked.examples, prompt, examples):
        st.html(agent_view.fold(say(lang, "prompt_diff"), prompt_html.diff(changed)))
    st.html(f'<div class="mb-part"><h2>{say(lang, "prompt_result")}</h2></div>')
    st.code(prompt, language=None, wrap_lines=True)
    pairs = [{"user": one.user, "assistant": one.assistant} for one in examples]
    st.download_button(
        say(lang, "prompt_download"),
        json.dumps({"prompt": prompt, "examples": pairs}, ensure_ascii=False, indent=1),
        "prompt.json",
        "application/json",
        key="prompt-download",
        on_click="ignore",
        icon=":material/download:",
    )


def _pair(lang: Lang, number: int) -> None:
    one, two = st.columns(2)
    one.text_area(f"{say(lang, 'example_user')} {number + 1}", key=f"example-user-{number}", height=80)
    two.text_area(f"{say(lang, 'example_assistant')} {number + 1}", key=f"example-assistant-{number}", height=80)


def _grow(by: int) -> None:
    st.session_state[_COUNT] = max(int(st.session_state.get(_COUNT, 0)) + by, 0)


def _try(lang: Lang) -> None:
    prompt, (user, assistant) = _SAMPLE[lang]
    st.session_state[_TEXT], st.session_state[_COUNT] = prompt, 1
    st.session_state["example-user-0"], st.session_state["example-assistant-0"] = user, assistant


def _start(at: Desk) -> None:
    state = st.session_state
    pairs = (
        Example(str(state.get(f"example-user-{n}") or ""), str(state.get(f"example-assistant-{n}") or ""))
        for n in range(int(state.get(_COUNT, 0)))
    )
    asked = Asked(str(state.get(_TEXT) or ""), tuple(pair for pair in pairs if pair.user.strip()))
    use_model = bool(state.get(_MODEL))

    def work(progress: Progress, cancel: threading.Event) -> object:
        from agents import optimize_prompt

        with at.library.lease() if use_model else nullcontext() as notebook:
            return optimize_prompt(
                asked.prompt,
                asked.examples,
                generator=notebook.generator if notebook else None,
                use_model=use_model,
                progress=progress,
                cancel=cancel,
            )

    agent_view.remember(at.run_agent(KIND, asked, work))
