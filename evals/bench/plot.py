"""The figures of the benchmark as one SVG picture: every sample, divided by the median of what it is compared with.

On a logarithmic scale: in the middle (1) what is compared with; a sample at 0.1 took a tenth of the time, or was a
tenth of the rate. A sample beyond the scale stands at its end.
"""

import html
import math
import statistics
from collections.abc import Sequence

from evals.bench.figures import Figure, Row

WIDTH, LABELS, LINE, RADIUS = 960, 560, 22, 4
# Decades of the scale to either side of 1.
DECADES = 3
_LABEL_CHARS = 88
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c2024}.tick{fill:#5b6470}.grid{stroke:#d8dce2}"
    ".ours{fill:#1f6feb}.theirs{fill:#5b6470;opacity:.6}"
)


def plot(rows: Sequence[Row]) -> str:
    """An SVG document with one line per figure that compares two lists of samples; empty when there is none."""
    figures = [figure for row in rows for figure in row.figures if _pair(figure)]
    if not figures:
        return ""
    height = LINE * (len(figures) + 2)
    lines = [line for number, figure in enumerate(figures) for line in _line(figure, LINE * number + LINE // 2)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img"><title>Speed beside what it is compared with</title><style>{_STYLE}</style>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(_grid(height))}{"".join(lines)}</svg>\n'
    )


def _pair(figure: Figure) -> tuple[Sequence[float], Sequence[float]] | None:
    samples = figure.samples or {}
    ours, theirs = samples.get("ours", ()), samples.get("theirs", ())
    return (ours, theirs) if ours and theirs and min(*ours, *theirs) > 0 else None


def _line(figure: Figure, y: int) -> list[str]:
    ours, theirs = _pair(figure) or ((), ())
    middle = statistics.median(theirs)
    label = figure.what if len(figure.what) <= _LABEL_CHARS else f"{figure.what[: _LABEL_CHARS - 1]}…"
    dots = [
        f'<circle class="{kind}" cx="{_x(sample / middle)}" cy="{y}" r="{RADIUS}"/>'
        for kind, samples in (("theirs", theirs), ("ours", ours))
        for sample in samples
    ]
    return [f'<text x="{LABELS - 12}" y="{y + 4}" text-anchor="end">{html.escape(label)}</text>', *dots]


def _grid(height: int) -> list[str]:
    low, parts = height - 2 * LINE, []
    for decade in range(-DECADES, DECADES + 1):
        x = _x(10.0**decade)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="0" y2="{low}"/>')
        parts.append(f'<text class="tick" x="{x}" y="{low + 16}" text-anchor="middle">{10.0**decade:g}</text>')
    words = "blue: Mingbai; grey: what it is compared with (its median is 1)"
    return [*parts, f'<text class="tick" x="{WIDTH - 16}" y="{height - 6}" text-anchor="end">{words}</text>']


def _x(share: float) -> float:
    """Where a share of the median stands."""
    place = max(-DECADES, min(DECADES, math.log10(share)))
    return round(LABELS + (place + DECADES) / (2 * DECADES) * (WIDTH - LABELS - 24), 1)
