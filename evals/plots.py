"""Plots as inline SVG: a few hundred bytes each, no script, readable in print. All labels are escaped."""

import html
from collections.abc import Sequence

from evals.metrics.statistics import Estimate

WIDTH = 480
LABEL_WIDTH = 80
ROW_HEIGHT = 22
CURVE_SIZE = 280
MARGIN = 40


def intervals(title: str, figures: Sequence[tuple[str, Estimate]]) -> str:
    """One line per figure on a scale from 0 to 1: a dot at the value, a bar over its interval."""
    shown = [(label, figure) for label, figure in figures if figure.value is not None]
    if not shown:
        return ""
    height = ROW_HEIGHT * (len(shown) + 1)
    parts = [_grid(height)]
    for number, (label, figure) in enumerate(shown):
        y = ROW_HEIGHT * number + ROW_HEIGHT // 2
        parts.append(f'<text x="{LABEL_WIDTH - 8}" y="{y + 4}" text-anchor="end">{html.escape(label)}</text>')
        if figure.low is not None and figure.high is not None:
            parts.append(f'<line class="bar" x1="{_x(figure.low)}" x2="{_x(figure.high)}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle cx="{_x(figure.value or 0.0)}" cy="{y}" r="4"/>')
    return _svg(title, WIDTH, height, parts)


def curve(title: str, points: Sequence[tuple[float, float]], *, x_label: str, y_label: str) -> str:
    """A line through points of the unit square."""
    if len(points) < 2:
        return ""
    side = CURVE_SIZE - 2 * MARGIN
    path = " ".join(f"{MARGIN + x * side:.1f},{MARGIN + (1 - y) * side:.1f}" for x, y in points)
    low, high = MARGIN, MARGIN + side
    parts = [
        f'<rect class="frame" x="{low}" y="{low}" width="{side}" height="{side}"/>',
        f'<polyline points="{path}"/>',
        f'<text x="{CURVE_SIZE / 2}" y="{high + 28}" text-anchor="middle">{html.escape(x_label)} 0 → 1</text>',
        f'<text x="{low}" y="{low - 8}">{html.escape(y_label)} 0 → 1</text>',
    ]
    return _svg(title, CURVE_SIZE, CURVE_SIZE, parts)


def _grid(height: int) -> str:
    ticks = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        ticks.append(f'<line class="grid" x1="{_x(tick)}" x2="{_x(tick)}" y1="0" y2="{height - ROW_HEIGHT}"/>')
        ticks.append(f'<text class="tick" x="{_x(tick)}" y="{height - 4}" text-anchor="middle">{tick:g}</text>')
    return "".join(ticks)


def _x(value: float) -> float:
    return round(LABEL_WIDTH + max(0.0, min(1.0, value)) * (WIDTH - LABEL_WIDTH - 20), 1)


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img"><title>{html.escape(title)}</title>'
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{head}{''.join(parts)}</svg></figure>"
