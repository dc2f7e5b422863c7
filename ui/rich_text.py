r"""Formulas, code and tables inside untrusted text, as HTML.

Nothing else of the text means anything: no link, no picture, no heading, no HTML. Every character is escaped here,
also those of formulas and code. A formula is written as its own source in an element that ``style/page.js`` gives to
KaTeX, which draws it without trust: no link, no picture, no class and no style can come out of it. Without a script
the source stays there to be read.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from rag.blocks import Block, blocks
from ui.markup import text

# (start, end) in characters.
Extent = tuple[int, int]

_INLINE_CHARS = 300
# "$5 and $6" is money: a formula begins and ends without a blank, and no digit follows it.
_INLINE = re.compile(
    rf"`(?P<code>[^`\n]{{1,{_INLINE_CHARS}}})`"
    rf"|\\\((?P<round>[^\n]{{1,{_INLINE_CHARS}}}?)\\\)"
    rf"|(?<![\\$A-Za-z0-9])\$(?!\s)(?P<dollar>[^$\n]{{1,{_INLINE_CHARS}}})(?<![\s\\])\$(?![$A-Za-z0-9])"
)
_GAP = re.compile(r"\s*\n")
_WORDS = re.compile(r"[\u3400-\u9fff]")
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*")
_LIST_ITEM = re.compile(r"(?:[-*•]|\d{1,2}(?:\.(?!\d)|[、)）]))\s*\S")
_HEADING = re.compile(r"#{1,6}\s")
_RULE = frozenset(" \t:|-")
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Rich:
    """A text, and the spans to mark in it, in order and apart; ``mark`` is the class of a mark."""

    text: str
    marks: Sequence[Extent] = ()
    mark: str = "mb-only"

    def html(self) -> str:
        """All of it."""
        pieces, position = [], 0
        for block in blocks(self.text):
            pieces += [self._prose(*self._apart(position, block.start)), self._block(block)]
            position = block.end
        return "".join([*pieces, self._prose(*self._apart(position, len(self.text)))])

    def _apart(self, start: int, end: int) -> Extent:
        """A part without its empty lines beside what stands on lines of its own anyway."""
        if start > 0 and (gap := _GAP.match(self.text, start, end)):
            start = gap.end()
        kept = self.text[start:end] if end == len(self.text) else self.text[start:end].rstrip()
        return start, start + len(kept)

    def line(self, start: int, end: int) -> str:
        """A part without blocks and tables: plain text, formulas and code in its line."""
        pieces, position = [], start
        for block in inline(self.text, start, end):
            inside = block.inner_start, block.inner_end
            pieces += [
                self._plain(position, block.start),
                f"<code>{self._plain(*inside)}</code>" if block.kind == "code" else self._formula(*inside),
            ]
            position = block.end
        return "".join([*pieces, self._plain(position, end)])

    def cells(self, start: int, end: int) -> list[str]:
        """The cells of a line that is a row of a table."""
        return [self.line(left, right) for left, right in _cells(self.text, start, end)]

    def _prose(self, start: int, end: int) -> str:
        """Lines between blocks; those that are a table become one."""
        pieces, position, lines = [], start, list(_lines(self.text, start, end))
        number = 0
        while number < len(lines):
            rows = _table_at(self.text, lines, number)
            if rows:
                before = self.text[position : lines[number][0]].rstrip()
                pieces += [self.line(position, position + len(before)), self._table(lines[number : number + rows])]
                number += rows
                position = self._apart(min(lines[number - 1][1], end), end)[0]
            else:
                number += 1
        return "".join([*pieces, self.line(position, end)])

    def _table(self, lines: Sequence[Extent]) -> str:
        return table(self.cells(*lines[0]), [self.cells(*line) for line in lines[2:]])

    def _block(self, block: Block) -> str:
        start, end = block.inner_start, block.inner_end
        if block.kind == "formula":
            return self._formula(start, end, "mb-math mb-math-block")
        end -= self.text[start:end].endswith("\n")
        return f'<pre class="mb-code"><code>{self._plain(start, end)}</code></pre>'

    def _formula(self, start: int, end: int, css: str = "mb-math") -> str:
        focus = ' tabindex="0"' if "block" in css else ""
        drawn = f'<span class="{css}"{focus}>{text(self.text[start:end].strip())}</span>'
        is_marked = any(left < end and right > start for left, right in self.marks)
        return f'<mark class="{self.mark}">{drawn}</mark>' if is_marked else drawn

    def _plain(self, start: int, end: int) -> str:
        pieces, position = [], start
        for left, right in self.marks:
            first, last = max(left, position), min(right, end)
            if first < last:
                marked = f'<mark class="{self.mark}">{text(self.text[first:last])}</mark>'
                pieces += [text(self.text[position:first]), marked]
                position = last
        return "".join([*pieces, text(self.text[position:end])])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already, without a head where ``heads`` is empty; wide ones scroll sideways."""
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    head = f"<thead><tr>{head}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="mb-scroll" tabindex="0"><table class="mb-table mb-grid">{head}<tbody>{body}</tbody></table></div>'
    )


def inline(value: str, start: int, end: int) -> Iterator[Block]:
    """The formulas and the code within the lines of a part of a text, in order."""
    for match in _INLINE.finditer(value, start, end):
        if match.lastgroup is None or (match["dollar"] and not _is_formula(match["dollar"])):
            continue
        kind: Literal["code", "formula"] = "code" if match.lastgroup == "code" else "formula"
        yield Block(kind, *match.span(), *match.span(match.lastgroup))


def starts_line(sentence: str) -> bool:
    """Whether a sentence is an item of a list or a heading."""
    return bool(_LIST_ITEM.match(sentence) or is_heading(sentence))


def is_heading(line: str) -> bool:
    """Whether a line is a heading."""
    return bool(_HEADING.match(line))


def is_row(line: str) -> bool:
    """Whether a line can be a row of a table."""
    return "\n" not in line and bool(_ROW.fullmatch(line))


def is_rule(line: str) -> bool:
    """Whether a line is the rule below the head of a table."""
    return is_row(line) and _RULE.issuperset(line) and "-" in line


def split_row(line: str) -> list[str]:
    """The texts of the cells of a row; strokes inside them are still escaped."""
    return [line[left:right] for left, right in _cells(line, 0, len(line))]


def dedented(value: str, marks: Sequence[Extent] = ()) -> tuple[str, list[Extent]]:
    """A text without the margin that all its lines share, and spans of it moved along."""
    lines = value.splitlines(keepends=True)
    margin = min((len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()), default=0)
    kept, moved, position, taken = [], {}, 0, 0
    for line in lines:
        cut = min(margin, len(line) - len(line.lstrip(" \t")))
        for place in {edge for mark in marks for edge in mark if position <= edge <= position + len(line)}:
            moved[place] = place - taken - min(cut, place - position)
        kept.append(line[cut:])
        position, taken = position + len(line), taken + cut
    return "".join(kept), [(moved.get(start, 0), moved.get(end, 0)) for start, end in marks]


def _is_formula(inside: str) -> bool:
    """Words between two dollar signs are a sentence about money, unless TeX stands among them."""
    return "\\" in inside or not _WORDS.search(inside)


def _cells(value: str, start: int, end: int) -> Iterator[Extent]:
    edges = [match.start() for match in _CELL.finditer(value, start, end)]
    for left, right in pairwise(edges):
        inner = value[left + 1 : right]
        begin = left + 1 + len(inner) - len(inner.lstrip())
        yield begin, max(begin, left + 1 + len(inner.rstrip()))


def _lines(value: str, start: int, end: int) -> Iterator[Extent]:
    position = start
    while position < end:
        stop = value.find("\n", position, end)
        stop = end if stop < 0 else stop
        yield position, stop
        position = stop + 1


def _table_at(value: str, lines: Sequence[Extent], number: int) -> int:
    """How many lines the table has that begins at a line; 0 where none does."""
    texts = [value[start:end] for start, end in lines[number : number + 2]]
    if len(texts) < 2 or not is_row(texts[0]) or not is_rule(texts[1]):
        return 0
    rows = 2
    while number + rows < len(lines) and is_row(value[slice(*lines[number + rows])]):
        rows += 1
    return rows
