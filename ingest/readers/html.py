"""Web pages to Markdown-like text. The only module that imports bs4."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from rag.errors import SourceError

if TYPE_CHECKING:
    from bs4 import Tag

_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form "
    "header html legend li main nav ol p pre section summary table tbody td tfoot th thead tr ul".split()
) | frozenset(_HEADINGS)
_CELLS = ["td", "th"]
_DROPPED = ("script", "style", "noscript", "template", "nav", "svg", "iframe", "button", "select")
_BLANK = re.compile(r"\s+")
_LIST_INDENT = "  "


def extract(markup: str) -> str:
    """The readable text of a page: headings as ``#``, items as ``-``, ``pre`` as fences, table rows as ``| a | b |``.

    Raises:
        SourceError: the page is nested too deeply to be read, or holds no text.
    """
    from bs4 import BeautifulSoup

    try:
        soup = BeautifulSoup(markup, "html.parser")
        for tag in soup(_DROPPED):
            tag.decompose()
        title = soup.title.get_text(" ", strip=True) if soup.title else ""
        if soup.head:
            soup.head.decompose()
        text = "\n".join(_lines(soup))
    except RecursionError as error:
        raise SourceError("The page is nested too deeply to be read. Save its text as Markdown.") from error
    if title and not soup.h1:
        text = f"# {title}\n\n{text}"
    if not text.strip("# \n"):
        raise SourceError("The page holds no text. It may be drawn by a script: save it from the browser first.")
    return text


def _lines(soup: "Tag") -> Iterator[str]:
    previous_row: object = None
    for owner, group in groupby(_texts(soup), key=lambda pair: id(pair[0])):
        pairs = list(group)
        block, raw = pairs[0][0], "".join(text for _, text in pairs)
        text = raw if block.name == "pre" else "\n".join(_BLANK.sub(" ", line).strip() for line in raw.split("\0"))
        if not text.strip():
            continue
        cell = block if block.name in _CELLS else block.find_parent(_CELLS)
        row = cell.find_parent("tr") if cell is not None else None
        if row is not None:
            is_same = row is previous_row
            previous_row = row
            cells = [_BLANK.sub(" ", cell.get_text(" ")).strip() for cell in row.find_all(_CELLS, recursive=False)]
            if not is_same:
                yield "| " + " | ".join(cells) + " |"
            continue
        previous_row = owner
        yield from _block(block, text)


def _block(block: "Tag", text: str) -> Iterator[str]:
    if block.name in _HEADINGS:
        yield from ("", _HEADINGS[block.name] + " ".join(text.split()), "")
    elif block.name == "pre":
        fence = "````" if "```" in text else "```"
        yield from ("", fence, text.strip("\n"), fence, "")
    elif item := (block if block.name == "li" else block.find_parent("li")):
        depth = max(0, len(item.find_parents(["ul", "ol"])) - 1)
        first, *rest = text.strip("\n").split("\n")
        yield _LIST_INDENT * depth + "- " + first
        yield from (_LIST_INDENT * (depth + 1) + line for line in rest)
    else:
        # A paragraph that begins with a number sign is no heading.
        yield from ("", " " + text.strip("\n") if text.startswith("#") else text.strip("\n"))


def _texts(soup: "Tag") -> Iterator[tuple["Tag", str]]:
    """Each piece of text with the innermost block that holds it. A line break is a NUL."""
    from bs4.element import NavigableString, PreformattedString, Tag

    for node in soup.descendants:
        if isinstance(node, Tag):
            if node.name == "br":
                yield _owner(node, soup), "\0"
        elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
            yield _owner(node, soup), str(node).replace("\0", " ")


def _owner(node: object, soup: "Tag") -> "Tag":
    for parent in node.parents:  # type: ignore[attr-defined]
        if parent.name in _BLOCKS:
            return parent  # type: ignore[no-any-return]
    return soup
