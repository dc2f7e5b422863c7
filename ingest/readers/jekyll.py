"""Posts with front matter: a block of keys between two ``---`` lines before the Markdown."""

import re

from ingest.outline import Outline, split_lines
from ingest.readers import markdown
from rag.types import Document

_KEY = re.compile(r"[A-Za-z_][\w\-]*\s*:(?:\s|$)")
_TITLE = re.compile(r"title\s*:\s*(.+?)\s*$", re.IGNORECASE)
# Front matter is short; a rule on the first line of an essay is no front matter.
_MAX_LINES = 200


def body_start(text: str) -> int:
    """Where the text behind the front matter starts; 0 where there is none."""
    return _read(text)[0]


def outline(document: Document) -> Outline:
    """The outline of a post; its title comes first in every path."""
    start, title = _read(document.text)
    return markdown.outline(document, start=start, title=title)


def _read(text: str) -> tuple[int, str]:
    if not text.startswith("---"):
        return 0, ""
    # Not even long keys fill more characters.
    lines = split_lines(text, 0, min(len(text), 20_000))[:_MAX_LINES]
    if lines[0].text.strip() != "---":
        return 0, ""
    for index, line in enumerate(lines[1:], start=1):
        if line.text.strip() in ("---", "..."):
            keys = [inner for inner in lines[1:index] if _KEY.match(inner.text)]
            start = lines[index + 1].start if index + 1 < len(lines) else line.end
            titles = [match[1].strip("\"'") for inner in keys if (match := _TITLE.match(inner.text))]
            return (start, titles[0] if titles else "") if keys else (0, "")
    return 0, ""
