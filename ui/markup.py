"""Text of notes, models and people as HTML and as labels. The one place where it is escaped."""

import html
import re

# A label is Markdown to Streamlit; every ASCII mark that could mean something is escaped.
_MARKDOWN = re.compile(r"([!-/:-@\[-`{-~])")


def text(value: object) -> str:
    """Any text as text of HTML, safe in elements and in quoted attributes."""
    return html.escape(str(value), quote=True)


def name(value: str) -> str:
    """A name from the notes, kept apart from the direction of the text around it."""
    return f"<bdi>{text(value)}</bdi>"


def label(value: str, limit: int = 60) -> str:
    """Any text as the label of a button: one line, cut to ``limit`` characters, without Markdown."""
    line = " ".join(value.split())
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return _MARKDOWN.sub(r"\\\1", line)


def note(message: str, kind: str) -> str:
    """A short remark about an answer: kind "info", "warning" or "own"."""
    return f'<p class="mb-note mb-note-{kind}">{text(message)}</p>'


def problem(headline: str, message: str) -> str:
    """An error as a card."""
    return f'<div class="mb-problem" role="alert"><b>{text(headline)}</b><p>{text(message)}</p></div>'


def table(heads: str, rows: str) -> str:
    """A table of rows that are HTML already; it scrolls sideways where it is too wide."""
    return (
        f'<div class="mb-scroll"><table class="mb-table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
