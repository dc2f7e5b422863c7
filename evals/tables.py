"""Tables of a report: the same content for Markdown, HTML and the README."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from evals.metrics.statistics import Estimate

DASH = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """A title, column names, and rows of plain text cells. Texts are escaped when rendered, never before."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """A Markdown table under a level-3 heading; empty without rows."""
        if not self.rows:
            return ""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        body = "\n".join("| " + " | ".join(_markdown_cell(cell) for cell in line) + " |" for line in lines)
        note = f"\n\n{self.note}" if self.note else ""
        return f"### {self.title}\n\n{body}{note}\n"

    def html(self) -> str:
        """An HTML table under a heading; empty without rows."""
        if not self.rows:
            return ""
        head = "".join(f"<th>{html.escape(column)}</th>" for column in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in self.rows)
        note = f"<p class=note>{html.escape(self.note)}</p>" if self.note else ""
        return f"<h3>{html.escape(self.title)}</h3><table><tr>{head}</tr>{body}</table>{note}"


def with_interval(figure: Estimate | float | None) -> str:
    """``0.912 [0.85, 0.96]``, or a dash where it is undefined."""
    value, ends = (figure.value, _ends(figure)) if isinstance(figure, Estimate) else (figure, "")
    return DASH if value is None else f"{value:.3f}{ends}"


def signed(figure: Estimate) -> str:
    """A difference with its sign and interval."""
    if figure.value is None:
        return DASH
    ends = DASH if figure.low is None or figure.high is None else f"[{figure.low:+.3f}, {figure.high:+.3f}]"
    return f"{figure.value:+.3f} {ends}"


def _ends(figure: Estimate) -> str:
    return "" if figure.low is None or figure.high is None else f" [{figure.low:.2f}, {figure.high:.2f}]"


def _markdown_cell(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
