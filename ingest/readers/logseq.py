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
    """Set depth, the end of the subtree, and whether anything is said below each bullet."""
    stack: list[_Bullet] = []
    for bullet in bullets:
        while stack and stack[-1].indent >= bullet.indent:
            stack.pop()
        bullet.depth = min(len(stack), _MAX_DEPTH)
        bullet.last = bullet.end
        if bullet.text:
            for above in stack[:_MAX_DEPTH]:
                above.last = bullet.end
                above.children = True
        if len(stack) < _MAX_DEPTH:
            stack.append(bullet)


def _assemble(document: Document, bullets: Sequence[_Bullet]) -> Outline:
    entries: list[Entry] = []
    blocks: list[Block] = []
    stack: list[tuple[int, tuple[str, ...], int]] = []
    section = 0
    if any(bullet.text and bullet.depth == 0 and not bullet.children for bullet in bullets):
        title = stem(document)
        entries.append(Entry(document.file, title, (), (title,), bullets[0].start, bullets[0].start, len(document.text)))
    for bullet in bullets:
        if not bullet.text:
            continue
        while stack and stack[-1][0] >= bullet.depth:
            stack.pop()
        _, path, entry = stack[-1] if stack else (-1, (), 0)
        # Each outermost subtree is a section of its own; outermost bullets without one are packed together.
        if not stack and blocks and (bullet.children or blocks[-1].path):
            section += 1
        if not bullet.children:
            blocks.append(Block(bullet.start, bullet.end, "item", entry, path or entries[0].path, section))
            continue
        names = _names(bullet.text)
        path = (*path, names.title)
        if bullet.depth <= _ENTRY_DEPTH or len(names.title) <= _MAX_NAME:
            entry = len(entries)
            entries.append(
                Entry(document.file, names.title, names.aliases, path, bullet.start, bullet.end, bullet.last)
            )
        stack.append((bullet.depth, path, entry))
        blocks.append(Block(bullet.start, bullet.end, "heading", entry, path, section))
    return Outline(tuple(entries), tuple(blocks))


def _names(text: str) -> Names:
    """The names of a bullet: what stands before its colon, shortened where it is a sentence."""
    bare = _TASK.sub("", text, count=1) if _TASK.match(text) else text
    before = _COLON.split(bare, maxsplit=1)[0].strip() or bare
    names = parse(before)
    title = names.title or clean(bare) or bare
    if len(title) > _MAX_PATH_NAME:
        return Names(title[: _MAX_PATH_NAME - 1] + "…", ())
    return Names(title, names.aliases)
