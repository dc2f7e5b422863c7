"""Markdown, and plain text that looks like it: headings, lists, fences, tables, paragraphs."""

import re
from collections.abc import Sequence

from ingest.outline import Line, Outline, split_lines
from ingest.readers.fences import find_fences
from ingest.readers.sections import Part, assemble
from rag.types import Document

# One number sign without a space is a tag (#topic); two and more are a heading whose space was forgotten.
_HEADING = re.compile(r"(#{1,6})(?:[ \t\u3000\u00a0]+(?P<spaced>.*)|(?<=##)(?!#)(?P<tight>\S.*))$")
_SETEXT = re.compile(r"(=+|-{3,})\s*$")
_RULE = re.compile(r"\s{0,3}([-*_])(?:[ \t]*\1){2,}\s*$")
_ITEM = re.compile(
    r"\s*(?:[-*+•](?=\s|$)|\d{1,3}(?:_\d+)?(?:、|[.)．](?=\D|$))|[(（]\d{1,3}[)）]|[①-⑳]|[一二三四五六七八九十]{1,3}、)\s*(?P<text>.*)"
)
_TABLE_RULE = frozenset("|:- \t")
# Tags and pictures without a description show nothing that can be quoted.
_UNREADABLE = re.compile(r"</?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>|!\[\W*\]\([^()\s]*\)")
# A longer line behind number signs is a paragraph.
_MAX_TITLE = 200
_CODE_INDENT = 4
_CHILD_INDENT = 2
# A longer line above a row of dashes is a paragraph, not a title.
_MAX_SETEXT_TITLE = 80


def outline(document: Document, *, start: int = 0, title: str = "", indented_code: bool = True) -> Outline:
    """The outline of a Markdown document (or plain text), read from ``start`` on."""
    parts = scan(split_lines(document.text, start), indented_code=indented_code)
    return assemble(document, parts, title=title)


def heading_of(line: Line) -> tuple[int, str] | None:
    """Level and raw title of an ATX heading at column 0. A heading without a title is none."""
    match = _HEADING.match(line.text) if line.text.startswith("#") else None
    if match is None:
        return None
    title = (match["spaced"] or match["tight"] or "").strip()
    open_title = title.rstrip("#")
    if open_title != open_title.rstrip():
        title = open_title.rstrip()
    return (len(match[1]), title) if title.strip("# ") and len(title) <= _MAX_TITLE else None


def table_end(lines: Sequence[Line], index: int) -> int:
    """Index behind the table that starts at ``index``; ``index`` itself where none does."""
    if "|" not in lines[index].text or index + 1 >= len(lines):
        return index
    below = lines[index + 1].text
    is_piped = lines[index].text.lstrip().startswith("|") and below.lstrip().startswith("|")
    if not is_piped and not ("|" in below and "-" in below and _TABLE_RULE.issuperset(below)):
        return index
    end = index + 2
    while end < len(lines) and "|" in lines[end].text and (not is_piped or lines[end].text.lstrip().startswith("|")):
        end += 1
    return end


def scan(lines: Sequence[Line], *, headings: bool = True, indented_code: bool = True) -> list[Part]:
    """The parts of ``lines`` in order. Rules, empty bullets and blank lines are no parts."""
    return _Scanner(lines, headings=headings, indented_code=indented_code).scan()


class _Scanner:
    """Walks over lines; every ``_…_end`` gives the index behind the block that starts at ``index``."""

    def __init__(self, lines: Sequence[Line], *, headings: bool, indented_code: bool) -> None:
        self._lines = lines
        self._fences = find_fences(lines)
        self._headings = headings
        self._indented_code = indented_code

    def scan(self) -> list[Part]:
        parts: list[Part] = []
        index = 0
        while index < len(self._lines):
            line = self._lines[index]
            if self._is_void(index):
                index += 1
                continue
            if (heading := self._heading_at(index)) is not None:
                level, title, end = heading
                body = self._lines[end].start if end < len(self._lines) else self._lines[end - 1].end
                parts.append(Part("heading", line.start, self._lines[end - 1].trimmed_end, level, title, body))
            else:
                part, end = self._block_at(index)
                parts.append(part)
            index = end
        return parts

    def _block_at(self, index: int) -> tuple[Part, int]:
        line = self._lines[index]
        if index in self._fences:
            kind, end = "code", self._fences[index] + 1
        elif (end := table_end(self._lines, index)) > index:
            kind = "table"
        elif self._indented_code and line.indent >= _CODE_INDENT and self._after_blank(index):
            kind, end = "code", self._code_end(index)
        elif _ITEM.match(line.text):
            kind, end = "item", self._item_end(index)
        else:
            kind, end = "paragraph", self._paragraph_end(index)
        return Part(kind, line.start, self._lines[end - 1].trimmed_end), end  # type: ignore[arg-type]

    def _heading_at(self, index: int) -> tuple[int, str, int] | None:
        """Level, title and the index behind the heading."""
        if not self._headings or index in self._fences:
            return None
        line = self._lines[index]
        if (found := heading_of(line)) is not None:
            return *found, index + 1
        if self._is_setext(index):
            return (1 if self._lines[index + 1].text.startswith("=") else 2), line.text.strip(), index + 2
        return None

    def _is_setext(self, index: int) -> bool:
        if index + 1 >= len(self._lines) or not _SETEXT.match(self._lines[index + 1].text):
            return False
        line = self._lines[index]
        is_title = line.indent == 0 and not line.is_blank and len(line.text) <= _MAX_SETEXT_TITLE
        return is_title and self._after_blank(index) and not _ITEM.match(line.text) and line.text[0] not in "|>"

    def _after_blank(self, index: int) -> bool:
        return index == 0 or self._is_void(index - 1) or heading_of(self._lines[index - 1]) is not None

    def _is_void(self, index: int) -> bool:
        """Whether the line says nothing: blank, a rule, a bare picture, or an empty bullet with nothing below it."""
        line = self._lines[index]
        if line.is_blank or _RULE.match(line.text) or (line.text.startswith("#") and not line.text.strip("# \t")):
            return True
        if line.text.lstrip()[0] in "<!" and not _UNREADABLE.sub("", line.text).strip():
            return True
        item = _ITEM.match(line.text)
        return item is not None and not item["text"] and self._item_end(index) == index + 1

    def _interrupts(self, index: int) -> bool:
        """Whether the line starts something that ends a paragraph or a list item above it."""
        return (
            index in self._fences
            or (self._headings and heading_of(self._lines[index]) is not None)
            or _RULE.match(self._lines[index].text) is not None
            or table_end(self._lines, index) > index
        )

    def _paragraph_end(self, index: int) -> int:
        end = index + 1
        while end < len(self._lines):
            line = self._lines[end]
            if line.is_blank or self._interrupts(end) or _ITEM.match(line.text):
                break
            end += 1
        return end

    def _item_end(self, index: int) -> int:
        """An item goes on with nested items, with indented text, and with plain lines that follow at once."""
        indent = self._lines[index].indent
        end = last = index + 1
        while end < len(self._lines):
            line = self._lines[end]
            if line.is_blank:
                end += 1
                continue
            is_child = line.indent >= indent + _CHILD_INDENT
            if not is_child and (end > last or self._interrupts(end) or _ITEM.match(line.text)):
                break
            end = last = self._fences[end] + 1 if end in self._fences else end + 1
        return last

    def _code_end(self, index: int) -> int:
        end = last = index + 1
        while end < len(self._lines):
            line = self._lines[end]
            if not line.is_blank and line.indent < _CODE_INDENT:
                break
            end += 1
            last = last if line.is_blank else end
        return last
