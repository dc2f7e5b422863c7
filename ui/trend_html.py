"""Figures between 0 and 1 over several runs, as small bars beside each other: readable without colour or a mouse."""

from collections.abc import Sequence
from dataclasses import dataclass

from ui import markup

DASH = "–"


@dataclass(frozen=True, slots=True)
class Series:
    """One figure over time, oldest first: (when, value); None where it was not measured."""

    name: str
    points: Sequence[tuple[str, float | None]]


def chart(series: Sequence[Series]) -> str:
    """One row a series: its bars with their values, and the change from the first to the last."""
    rows = "".join(_row(one) for one in series if any(value is not None for _, value in one.points))
    return f'<div class="mb-trend">{rows}</div>'


def _row(one: Series) -> str:
    bars = "".join(_bar(when, value) for when, value in one.points)
    return (
        f'<div class="mb-trend-row"><span class="mb-trend-name">{markup.text(one.name)}</span>'
        f'<ol class="mb-bars">{bars}</ol><span class="mb-trend-change">{_change(one)}</span></div>'
    )


def _bar(when: str, value: float | None) -> str:
    if value is None:
        return f'<li title="{markup.text(when)}"><i style="height: 0"></i><span>{DASH}</span></li>'
    height = round(min(max(value, 0.0), 1.0) * 100)
    return f'<li title="{markup.text(when)}"><i style="height: {height}%"></i><span>{value:.2f}</span></li>'


def _change(one: Series) -> str:
    values = [value for _, value in one.points if value is not None]
    if len(values) < 2:
        return ""
    moved = values[-1] - values[0]
    arrow = "↑" if moved > 0 else "↓" if moved < 0 else "="
    return f"{arrow} {abs(moved):.3f}"
