"""Which model answers and how it is loaded: chosen, estimated, then loaded while the server runs. Drawing only."""

import streamlit as st

from rag import catalogue, model_store
from rag.errors import MingbaiError
from rag.model_card import Kind, ModelCard
from rag.model_memory import free_memory, memory_need
from rag.settings import Settings
from ui import markup
from ui.desk import Desk
from ui.words import Lang, say

_MODEL = "engine-model"
_CONTEXT = "engine-context"
_LAYERS = "engine-layers"
_GB = 1e9
_CONTEXTS = (1024, 2048, 4096, 8192, 16_384, 32_768)


def show(at: Desk, lang: Lang) -> None:
    """Draw the choice of the answering model."""
    st.html(f'<div class="mb-part"><h2>{say(lang, "engine")}</h2><p>{say(lang, "engine_hint")}</p></div>')
    settings = at.settings
    if settings.endpoint.url:
        st.html(markup.note(say(lang, "engine_endpoint", url=settings.endpoint.url), "info"))
        return
    here = [c for c in catalogue.all_models() if c.kind is Kind.GENERATOR and model_store.state_of(c) != "missing"]
    if not here:
        st.html(markup.note(say(lang, "engine_none"), "info"))
        return
    wanted = _choose(lang, settings, here)
    _estimate(lang, wanted)
    unchanged = wanted == settings
    held = at.library.is_held
    st.button(
        say(lang, "engine_load"),
        key="engine-load",
        type="primary",
        disabled=unchanged or held or at.library.is_busy,
        on_click=at.library.switch,
        args=(wanted,),
    )
    if not unchanged and (held or at.jobs.is_busy):
        st.html(f'<p class="mb-line">{say(lang, "engine_held" if held else "engine_busy")}</p>')
    if not unchanged or settings != _stored():
        st.html(f'<p class="mb-heading">{say(lang, "engine_keep")}</p>')
        st.code(_toml(wanted), language="toml")


def _choose(lang: Lang, settings: Settings, here: list[ModelCard]) -> Settings:
    ids = [card.id for card in here]
    current = settings.models.generator
    contexts = sorted({*_CONTEXTS, settings.engine.context_size})
    one, two, three = st.columns([5, 2, 2])
    model = one.selectbox(say(lang, "model"), ids, index=ids.index(current) if current in ids else 0, key=_MODEL)
    context = two.selectbox(
        say(lang, "context"), contexts, index=contexts.index(settings.engine.context_size), key=_CONTEXT
    )
    layers = three.number_input(
        say(lang, "gpu_layers"),
        min_value=-1,
        max_value=1000,
        value=settings.engine.gpu_layers,
        key=_LAYERS,
        help=say(lang, "gpu_layers_hint"),
    )
    models = settings.models.model_copy(update={"generator": model or ids[0]})
    engine = settings.engine.model_copy(update={"context_size": int(context or contexts[0]), "gpu_layers": int(layers)})
    return settings.model_copy(update={"models": models, "engine": engine})


def _estimate(lang: Lang, wanted: Settings) -> None:
    need = memory_need(catalogue.find(wanted.models.generator), wanted.engine)
    free = free_memory()
    words = say(lang, "memory_about" if need.is_exact else "memory_least", gb=f"{need.size / _GB:.1f}")
    if free is None:
        st.html(markup.note(say(lang, "estimate", need=words), "info"))
        return
    fits = need.size < free
    line = say(lang, "estimate_fits" if fits else "estimate_tight", need=words, free=f"{free / _GB:.1f}")
    st.html(markup.note(line, "info" if fits else "warning"))


def _stored() -> Settings | None:
    from rag.settings import load

    try:
        return load()
    except MingbaiError:
        return None


def _toml(wanted: Settings) -> str:
    return (
        f'# mingbai.toml\n[models]\ngenerator = "{wanted.models.generator}"\n\n[engine]\n'
        f"context_size = {wanted.engine.context_size}\ngpu_layers = {wanted.engine.gpu_layers}"
    )
