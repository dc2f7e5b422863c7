"""Glossaries whose bodies are indented below each heading: every line is a statement, indentation is structure."""

import re
from collections.abc import Sequence

from ingest.headings import clean
from ingest.outline import Line, Outline, split_lines
from ingest.readers.fences import find_fences
from ingest.readers.markdown import heading_of, table_end
from ingest.readers.sections import Part, assemble
from rag.types import Document

BODY_INDENT = 4
_MIN_HEADINGS = 3
_MIN_INDENTED_SHARE = 0.8
_MAX_LABEL = 40
_MAX_LABELS = 4
# Lines of code that end with a colon and have something indented below them.
_CODE = re.compile(
    r"\s*(?:def|class|for|if|elif|else|while|with|try|except|finally|async|lambda|return|case|match)\b|.*[\[\]{}=]"
)


def is_glossary(lines: Sequence[Line]) -> bool:
    """Whether nearly all text below at least three headings is indented like code."""
    headings = sum(heading_of(line) is not None for line in lines)
    body = [line for line in lines if not line.is_blank and heading_of(line) is None]
    indented = sum(line.indent >= BODY_INDENT for line in body)
    return headings >= _MIN_HEADINGS and bool(body) and indented >= _MIN_INDENTED_SHARE * len(body)


def outline(document: Document) -> Outline:
    """The outline of an indented glossary."""
    return assemble(document, _scan(split_lines(document.text)))


def _scan(lines: Sequence[Line]) -> list[Part]:
    fences = find_fences(lines)
    parts: list[Part] = []
    labels: list[tuple[int, str]] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        if line.is_blank:
            index += 1
            continue
        if index not in fences and (heading := heading_of(line)) is not None:
            body = lines[index + 1].start if index + 1 < len(lines) else line.end
            parts.append(Part("heading", line.start, line.trimmed_end, *heading, body))
            labels.clear()
            index += 1
            continue
        while labels and labels[-1][0] >= line.indent:
            labels.pop()
        part, index = _body_part(lines, fences, index, labels)
        parts.append(part)
    return parts


def _body_part(
    lines: Sequence[Line], fences: dict[int, int], index: int, labels: list[tuple[int, str]]
) -> tuple[Part, int]:
    """The part at ``index`` and the index behind it. A label is added to ``labels``."""
    line = lines[index]
    names = tuple(name for _, name in labels)
    if index in fences:
        end = fences[index] + 1
        return Part("code", line.start, lines[end - 1].trimmed_end, labels=names), end
    if (end := table_end(lines, index)) > index:
        return Part("table", line.start, lines[end - 1].trimmed_end, labels=names), end
    end = _deeper_end(lines, fences, index)
    if end > index + 1 and len(labels) < _MAX_LABELS and _is_label(line.text):
        labels.append((line.indent, clean(line.text)))
        return Part("heading", line.start, line.trimmed_end, labels=(*names, labels[-1][1])), index + 1
    return Part("paragraph", line.start, lines[end - 1].trimmed_end, labels=names), end


def _deeper_end(lines: Sequence[Line], fences: dict[int, int], index: int) -> int:
    """Index behind the lines that are indented more than the one at ``index``."""
    end = last = index + 1
    while end < len(lines) and (lines[end].is_blank or lines[end].indent > lines[index].indent):
        is_blank = lines[end].is_blank
        end = fences[end] + 1 if end in fences else end + 1
        last = last if is_blank else end
    return last


def _is_label(text: str) -> bool:
    """``GPT1.0要点：`` is a label of what is indented below it; ``for x in y:`` is code."""
    stripped = text.strip()
    if len(stripped) > _MAX_LABEL or not stripped.endswith((":", "：")):
        return False
    return stripped.endswith("：") or not _CODE.match(stripped)
