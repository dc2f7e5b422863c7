"""Logseq outlines: every line is a bullet, depth is indentation, a bullet with others below it names them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.headings import Names, clean, parse
from ingest.outline import Block, Line, Outline, split_lines, stem
from ingest.readers.fences import find_fences
from ingest.readers.markdown import heading_of
from rag.types import Document, Entry

_BULLET = re.compile(r"\s*-(?:[ \t]+(?P<text>.*)|$)")
_PROPERTY = re.compile(r"\s*(?:-[ \t]+)?[A-Za-z][\w.\-/]*::(?:\s|$)")
_TASK = re.compile(r"(?:#+ +|(?:TODO|DONE|DOING|NOW|LATER|WAITING) +)+")
_COLON = re.compile(r"：|:(?![\d/\\:])")
_MIN_BULLET_SHARE = 0.6
# Bullets with others below them are entries down to here; deeper ones when they are as short as a name.
_ENTRY_DEPTH = 2
_MAX_NAME = 16
_MAX_PATH_NAME = 40
# Deeper bullets are read as if they stood at this depth.
_MAX_DEPTH = 16


@dataclass(slots=True)
class _Bullet:
    """A bullet with its lines; ``depth`` 0 is the outermost."""

    start: int
    end: int
    text: str
    indent: int
    depth: int = 0
    last: int = 0
    children: bool = field(default=False)


@dataclass(slots=True)
class _Assembly:
    """``stack`` holds depth, path and entry of the bullets above; ``root`` is the entry of the page, once needed."""

    document: Document
    entries: list[Entry] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    stack: list[tuple[int, tuple[str, ...], int]] = field(default_factory=list)
    root: int | None = None
    section: int = 0


def is_logseq(lines: Sequence[Line]) -> bool:
    """Whether most lines are bullets, some of them nested, and no heading stands at column 0."""
    if any(heading_of(line) is not None for line in lines):
        return False
    bullets = [line for line in lines if _BULLET.match(line.text)]
    properties = sum(_PROPERTY.match(line.text) is not None for line in lines)
    text = sum(not line.is_blank for line in lines)
    is_nested = any(line.indent > 0 for line in bullets)
    return bool(bullets) and is_nested and len(bullets) + properties >= _MIN_BULLET_SHARE * text


def outline(document: Document) -> Outline:
    """The outline of a Logseq page. Property lines and empty bullets are left out."""
    bullets = _bullets(split_lines(document.text))
    _nest(bullets)
    return _assemble(document, bullets)


def _bullets(lines: Sequence[Line]) -> list[_Bullet]:
    """Bullets with the lines that belong to them; text before the first bullet counts as one."""
    fences = find_fences(lines)
    bullets: list[_Bullet] = []
    closing = -1
    for index, line in enumerate(lines):
        is_inside = index <= closing
        closing = fences.get(index, closing)
        match = None if is_inside else _BULLET.match(line.text)
        if match is not None:
            is_property = _PROPERTY.match(line.text) is not None
            text = "" if is_property else (match["text"] or "").strip()
            bullets.append(_Bullet(line.start, line.trimmed_end, text, line.indent))
        elif not line.is_blank and (is_inside or not _PROPERTY.match(line.text)):
            if not bullets:
                bullets.append(_Bullet(line.start, line.trimmed_end, line.text.strip(), 0))
            bullets[-1].end = line.trimmed_end
            bullets[-1].text = bullets[-1].text or line.text.strip()
    return bullets


def _nest(bullets: list[_Bullet]) -> None:
    """Set depth, the end of the subtree, and whether there are others below; empty bullets are no level."""
    stack: list[_Bullet] = []
    for bullet in bullets:
        while stack and stack[-1].indent >= bullet.indent:
            stack.pop()
        bullet.depth = min(len(stack), _MAX_DEPTH)
        bullet.last = bullet.end
        if not bullet.text:
            continue
        for above in stack:
            above.last = bullet.end
            above.children = True
        if len(stack) < _MAX_DEPTH:
            stack.append(bullet)


def _assemble(document: Document, bullets: Sequence[_Bullet]) -> Outline:
    said = [bullet for bullet in bullets if bullet.text]
    outer = [bullet for bullet in said if bullet.depth == 0]
    is_glossary = 2 * sum(bullet.children for bullet in outer) > len(outer)
    state = _Assembly(document)
    for bullet in said:
        while state.stack and state.stack[-1][0] >= bullet.depth:
            state.stack.pop()
        # A lone name between terms that are explained is a term without an explanation.
        is_bare = is_glossary and bullet.depth == 0 and _is_short(bullet.text) and not _COLON.search(bullet.text)
        if bullet.children or is_bare:
            _add_heading(state, bullet, _names(bullet.text))
        else:
            _add_leaf(state, bullet)
    return Outline(tuple(state.entries), tuple(state.blocks))


def _add_heading(state: _Assembly, bullet: _Bullet, names: Names) -> None:
    _, path, entry = state.stack[-1] if state.stack else (-1, (), 0)
    path = (*path, names.title)
    # Each outermost subtree is a section of its own.
    state.section += not state.stack
    if bullet.depth <= _ENTRY_DEPTH or _is_short(bullet.text):
        entry = len(state.entries)
        file, is_empty = state.document.file, not bullet.children
        span = (bullet.start, bullet.end, bullet.last)
        state.entries.append(Entry(file, names.title, names.aliases, path, *span, is_empty))
    state.blocks.append(Block(bullet.start, bullet.end, "heading", entry, path, state.section))
    state.stack.append((bullet.depth, path, entry))


def _add_leaf(state: _Assembly, bullet: _Bullet) -> None:
    """A bullet with nothing below it. Outermost ones stand below the title of the page, packed together."""
    if state.stack:
        _, path, entry = state.stack[-1]
    else:
        title = stem(state.document)
        path = (title,)
        if state.root is None:
            state.root = len(state.entries)
            state.entries.append(
                Entry(state.document.file, title, (), path, bullet.start, bullet.start, len(state.document.text))
            )
        entry = state.root
        state.section += not state.blocks or state.blocks[-1].entry != entry
    state.blocks.append(Block(bullet.start, bullet.end, "item", entry, path, state.section))


def _names(text: str) -> Names:
    """The names of a bullet: what stands before its colon, shortened where it is a sentence."""
    before = _before_colon(text)
    names = parse(before)
    title = names.title or before
    if len(title) > _MAX_PATH_NAME:
        return Names(title[: _MAX_PATH_NAME - 1] + "…", ())
    return Names(title, names.aliases)


def _is_short(text: str) -> bool:
    return len(clean(_before_colon(text))) <= _MAX_NAME


def _before_colon(text: str) -> str:
    task = _TASK.match(text)
    bare = text[task.end() :] if task else text
    return _COLON.split(bare, maxsplit=1)[0].strip() or bare.strip() or text
