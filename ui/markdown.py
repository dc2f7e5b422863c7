"""Untrusted text as Markdown: code, tables, formulas and lists stay what they are, nothing else of it means anything.

No picture, link or raw HTML of notes or models becomes alive in the reader's viewer, whether it draws formulas or not.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Literal

from rag.blocks import Block, blocks
from ui.rich_text import inline, is_heading, is_row, is_rule, split_row, starts_line

# What could begin an element, a link, a picture or code.
_ALIVE = re.compile(r"[\\`<\[\]!]|~(?=~~)")
# TeX that links, loads or styles, in one or another of the programs that draw formulas.
_LIVING_TEX = re.compile(
    r"\\(?=html|(?:href|url|includegraphics|class|cssId|style|data|require|mmlToken|bbox|csname|unicode)(?![A-Za-z]))"
)
# A blank behind it means nothing in a formula, and keeps Markdown from reading an element, a link or a picture.
_MARKDOWN_IN_TEX = re.compile(r"<(?=\S)|\](?=[(:\[])|!(?=\[)")
_FENCE = re.compile(r"`{3,}")
_LANGUAGE = re.compile(r"\s*(?:`{3,}|~{3,})\s*([\w+#.-]*)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: a stretch of prose, an item of a list, or a block on lines of its own; and what follows it."""

    kind: Literal["prose", "item", "block"]
    text: str
    ending: str = ""


def plain(value: str) -> str:
    """One line in which no character means anything."""
    return _dead(" ".join(value.split()))


def line(value: str) -> str:
    """One line of plain text with its formulas and its code."""
    flat = " ".join(value.split())
    kept = sorted([*inline(flat, 0, len(flat)), *blocks(flat)], key=lambda block: block.start)
    written, position = [], 0
    for block in kept:
        if block.start >= position:
            written += [_dead(flat[position : block.start]), _inside(flat, block)]
            position = block.end
    return "".join([*written, _dead(flat[position:])])


def pieces(value: str) -> Iterator[Piece]:
    """The parts of a text of several lines, in order."""
    position = 0
    for block in blocks(value):
        if block.has_own_lines(value) or "\n" in value[block.start : block.end]:
            yield from _lines(value[position : block.start])
            yield Piece("block", _block(value, block))
            position = block.end
    yield from _lines(value[position:])


def join(parts: Sequence[Piece]) -> str:
    """Parts as one text: prose goes on in its line, items follow each other, blocks stand apart."""
    written = parts[0].text + parts[0].ending if parts else ""
    for before, part in pairwise(parts):
        joint = "\n\n"
        if before.kind == part.kind == "item":
            joint = "  \n"
        elif before.kind == part.kind == "prose":
            # Chinese sentences stand side by side, others are parted by a blank.
            joint = " " if before.text[-1:].isascii() else ""
        written += joint + part.text + part.ending
    return written


def ended(value: str, ending: str) -> list[Piece]:
    """The parts of a text with something behind its last word, which is Markdown already."""
    parts = list(pieces(value))
    if not ending or not parts:
        return parts
    if parts[-1].kind == "block":
        # Behind its end it would belong to it.
        return [*parts, Piece("prose", "", ending)]
    return [*parts[:-1], replace(parts[-1], ending=ending)]


def quote(value: str, ending: str = "") -> str:
    """A text of several lines as a quotation."""
    return "\n".join(f"> {one}" if one else ">" for one in join(ended(value, ending)).split("\n"))


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Rows of a table as they were written, each with what is put behind its last cell, which is Markdown already."""
    has_head = len(rows) > 1 and is_rule(rows[1][0])
    written = [_row(row, ending) for row, ending in rows if not is_rule(row)]
    columns = len(split_row(rows[0][0]))
    rule = rows[1][0].strip() if has_head else f"|{'---|' * columns}"
    # Markdown knows no table without a head.
    head = written.pop(0) if has_head else f"|{'  |' * columns}"
    return "\n".join([head, rule, *written])


def _row(row: str, ending: str) -> str:
    # A stroke inside a cell is escaped, in its text as in its code.
    cells = [line(cell.replace("\\|", "|")).replace("|", "\\|") for cell in split_row(row)]
    return f"| {' | '.join([*cells[:-1], cells[-1] + ending])} |"


def _lines(value: str) -> Iterator[Piece]:
    some = [one for one in value.splitlines() if one.strip()]
    for in_table, group in groupby(some, key=is_row):
        rows = list(group)
        if in_table and len(rows) > 1:
            yield Piece("block", table([(row, "") for row in rows]))
        else:
            yield from map(_prose, rows)


def _prose(value: str) -> Piece:
    start = value.strip()
    if is_heading(start):
        # The headings of a file are its questions.
        return Piece("block", f"**{line(start.lstrip('#'))}**")
    return Piece("item" if starts_line(start) else "prose", line(start))


def _block(value: str, block: Block) -> str:
    inside = value[block.inner_start : block.inner_end]
    if block.kind == "formula":
        drawn = _formula("\n".join(one for one in inside.splitlines() if one.strip()))
        if drawn is None:
            return plain(value[block.start : block.end])
        return f"$$\n{drawn}\n$$" if "\n" in inside else f"$${drawn}$$"
    # Longer than any fence inside, which would end it.
    fence = "`" * max([3, *(len(run) + 1 for run in _FENCE.findall(inside))])
    opening = _LANGUAGE.match(value, block.start)
    return f"{fence}{opening[1] if opening else ''}\n{inside.rstrip()}\n{fence}"


def _inside(value: str, block: Block) -> str:
    inside = value[block.inner_start : block.inner_end]
    if block.kind == "code":
        return f"`{inside}`"
    drawn = _formula(inside)
    if drawn is None:
        return _dead(value[block.start : block.end])
    sign = "$$" if value[block.start : block.inner_start] in ("$$", "\\[") else "$"
    return f"{sign}{drawn}{sign}"


def _formula(inside: str) -> str | None:
    """The source of a formula; None where it could be read as code, or would end early."""
    if "`" in inside or "~~~" in inside or "$" in inside:
        return None
    return _MARKDOWN_IN_TEX.sub(r"\g<0> ", _LIVING_TEX.sub(r"\\ ", inside.strip()))


def _dead(value: str) -> str:
    return _ALIVE.sub(r"\\\g<0>", _LIVING_TEX.sub(r"\\ ", value))
