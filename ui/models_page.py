"""The page about models: what is loaded and how, the catalogue, downloads, and the doctor. Drawing only."""

import streamlit as st

from rag import catalogue, model_store
from rag.model_card import Kind, ModelCard
from rag.model_memory import MemoryNeed, free_memory, memory_need
from rag.settings import Settings
from ui import markup, models_engine, navigation
from ui.desk import Desk
from ui.problems import await_library, show_problem
from ui.task_view import show_running
from ui.tasks import Report, StoppedError
from ui.words import Lang, model_kind, model_state, say

DOCTOR = "doctor"
_GB = 1e9
_SHA_CHARS = 12


def show() -> None:
    """Draw the page."""
    at, lang = navigation.opened("models")
    if at.library.error is not None:
        show_problem(lang, at.library.error)
    st.html(_memory(lang))
    models_engine.show(at, lang)
    _catalogue(at, lang)
    _doctor(at, lang)
    if at.library.is_busy:
        await_library(at, at.library.phase)


def _memory(lang: Lang) -> str:
    free = free_memory()
    shown = say(lang, "memory_unknown") if free is None else say(lang, "memory_free", gb=f"{free / _GB:.1f}")
    return f'<p class="mb-line" role="status">{shown}</p>'


def _catalogue(at: Desk, lang: Lang) -> None:
    st.html(f'<div class="mb-part"><h2>{say(lang, "catalogue")}</h2><p>{say(lang, "catalogue_hint")}</p></div>')
    for card in catalogue.all_models():
        with st.container(border=True, key=f"mb-model-{card.id.replace('.', '-')}"):
            _card(at, lang, card)


def _card(at: Desk, lang: Lang, card: ModelCard) -> None:
    task_name = f"pull {card.id}"
    task = at.tasks.of(task_name)
    state = model_store.state_of(card)
    st.html(_about(at.settings, lang, card, state))
    if task is not None and not task.is_done:
        show_running(lang, task, task_name, in_bytes=True)
        return
    if task is not None and task.error is not None:
        if isinstance(task.error, StoppedError):
            st.html(markup.note(say(lang, "pull_stopped"), "warning"))
        else:
            show_problem(lang, task.error)
    if state in ("missing", "changed"):
        agreed = st.checkbox(say(lang, "licence_agree", licence=markup.label(card.licence)), key=f"agree-{card.id}")
        st.button(
            say(lang, "pull", gb=f"{card.size / _GB:.2f}"),
            key=f"pull-{card.id}",
            icon=":material/download:",
            disabled=not agreed,
            on_click=_pull,
            args=(at, task_name, card.id),
        )


def _about(settings: Settings, lang: Lang, card: ModelCard, state: str) -> str:
    used = card.id in (settings.models.generator, settings.models.embedder, settings.models.reranker)
    chips = [
        f'<span class="mb-chip">{model_kind(lang, card.kind)}</span>',
        f'<span class="mb-chip mb-state-{state}">{model_state(lang, state)}</span>',
        *([f'<span class="mb-chip mb-chosen">{say(lang, "model_used")}</span>'] if used else []),
        *([f'<span class="mb-chip">{say(lang, "model_gpu")}</span>'] if card.for_gpu else []),
    ]
    facts = [
        ("size", f"{card.size / _GB:.2f} GB"),
        ("memory", _need(lang, memory_need(card, settings.engine))),
        ("licence", card.licence),
        ("sources", ", ".join(source.type for source in card.sources)),
        ("sha256", card.sha256[:_SHA_CHARS]),
    ]
    if card.kind is Kind.GENERATOR and card.context:
        facts.insert(2, ("context", say(lang, "tokens_count", count=f"{card.context:,}")))
    pairs = "".join(f"<div><dt>{say(lang, key)}</dt><dd>{markup.text(value)}</dd></div>" for key, value in facts)
    summary = f'<p class="mb-line">{markup.text(card.licence_summary)}</p>' if card.licence_summary else ""
    return (
        f'<div class="mb-model"><h3>{markup.name(card.id)}</h3><p class="mb-chips">{"".join(chips)}</p>'
        f'<dl class="mb-pairs">{pairs}</dl>{summary}</div>'
    )


def _need(lang: Lang, need: MemoryNeed) -> str:
    return say(lang, "memory_about" if need.is_exact else "memory_least", gb=f"{need.size / _GB:.1f}")


def _pull(at: Desk, task_name: str, model_id: str) -> None:
    def work(report: Report) -> object:
        place = model_store.pull(model_id, accept_licence=lambda _: True, progress=report)
        at.library.retry()
        return place

    at.tasks.start(task_name, work)


def _doctor(at: Desk, lang: Lang) -> None:
    st.html(f'<div class="mb-part"><h2>{say(lang, "doctor")}</h2><p>{say(lang, "doctor_hint")}</p></div>')
    task = at.tasks.of(DOCTOR)
    if task is not None and not task.is_done:
        show_running(lang, task, DOCTOR)
        return
    st.button(say(lang, "doctor_start"), key="doctor", icon=":material/stethoscope:", on_click=_examine, args=(at,))
    if task is None:
        return
    if task.error is not None:
        show_problem(lang, task.error)
        return
    findings = task.result if isinstance(task.result, list) else []
    rows = "".join(
        f'<li class="{"mb-ok" if finding.healthy else "mb-not"}"><b>{markup.text(finding.name)}</b>'
        f"<span>{markup.text(finding.message)}</span></li>"
        for finding in findings
    )
    st.html(f'<ul class="mb-findings">{rows}</ul>')


def _examine(at: Desk) -> None:
    def work(report: Report) -> object:
        from ui.doctor import examine

        report("checking", 0, 0)
        return examine(at.index, at.settings)

    at.tasks.start(DOCTOR, work)
