"""What is set side by side: three modes, two models or two settings, chosen on the page. Drawing only."""

from collections.abc import Sequence

import streamlit as st

from rag.types import Mode
from ui import markup
from ui.compare_sides import (
    GENERATOR,
    ORDER,
    Side,
    fits_beside,
    other_models,
    three_modes,
    two_models,
    two_settings,
    variations,
)
from ui.desk import Desk
from ui.words import Lang, mode_name, say

KINDS = ("modes", "models", "settings")
_KIND = "compare-kind"
_MODEL = "compare-model"
_SETTING = "compare-setting"
_MODE = "compare-mode"
_GB = 1e9


def choose(at: Desk, lang: Lang) -> Sequence[Side]:
    """Draw the choice; the sides that were chosen, none where there is nothing to choose from."""
    kind = st.segmented_control(
        say(lang, "compare_what"),
        KINDS,
        format_func=lambda kind: say(lang, f"compare_{kind}"),
        default=KINDS[0],
        required=True,
        key=_KIND,
        label_visibility="collapsed",
    )
    if kind == "models":
        return _models(at, lang)
    return _settings(at, lang) if kind == "settings" else three_modes()


def title(lang: Lang, side: Side) -> str:
    """What a column stands for, where it is not its mode."""
    if side.changed is None:
        return ""
    name = "" if side.changed[0] == GENERATOR else f"{say(lang, _word(side.changed[0]))}: "
    return f'<p class="mb-heading mb-within">{markup.text(name)}<b>{markup.text(value(lang, side))}</b></p>'


def value(lang: Lang, side: Side) -> str:
    """The value of the setting that a side stands for; empty for a mode."""
    return "" if side.changed is None else side.changed[1] or say(lang, "vary_none")


def _models(at: Desk, lang: Lang) -> Sequence[Side]:
    others = other_models(at.settings)
    if not others:
        st.html(markup.note(say(lang, "compare_no_model"), "info"))
        return ()
    left, right = st.columns(2)
    model = left.selectbox(say(lang, "compare_other_model"), others, key=_MODEL) or others[0]
    sides = two_models(at.settings, model, _mode(lang, right))
    need, free, fits = fits_beside(sides[1].settings or at.settings)
    word = "compare_beside" if fits else "compare_in_turn"
    shown = "?" if free is None else f"{free / _GB:.1f}"
    line = say(lang, word, now=at.settings.models.generator, need=f"{need.size / _GB:.1f}", free=shown)
    st.html(markup.note(line, "info" if fits else "warning"))
    return sides


def _settings(at: Desk, lang: Lang) -> Sequence[Side]:
    known = {one.setting: one for one in variations(at.settings)}
    left, right = st.columns(2)
    setting = left.selectbox(
        say(lang, "compare_setting"), tuple(known), format_func=lambda key: say(lang, _word(key)), key=_SETTING
    )
    chosen = known[setting or next(iter(known))]
    sides = two_settings(at.settings, chosen, _mode(lang, right))
    now, other = (value(lang, side) for side in sides)
    line = f"{say(lang, f'{_word(chosen.setting)}_line')} {say(lang, 'compare_values', now=now, other=other)}"
    st.html(f'<p class="mb-line">{markup.text(line)} <code>{markup.text(chosen.setting)}</code></p>')
    return sides


def _mode(lang: Lang, column: st.delta_generator.DeltaGenerator) -> Mode:
    mode = column.selectbox(
        say(lang, "mode"),
        ORDER,
        format_func=lambda mode: f"{mode.value.upper()} {mode_name(lang, mode)}",
        key=_MODE,
    )
    return mode or ORDER[0]


def _word(setting: str) -> str:
    return f"vary_{setting.split('.')[-1]}"
