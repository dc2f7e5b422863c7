"""The entries of the open notebook, and the addresses at which they and their spans can be read."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from rag.shelf import Shelf
from rag.types import Answer, Citation

if TYPE_CHECKING:
    from rag.notebook import Notebook

# Names in the address of the page about the notes: the entry that is read, and the spans that are marked in it.
ENTRY = "entry"
SPAN = "span"
_shelves: "WeakKeyDictionary[Notebook, Shelf]" = WeakKeyDictionary()


def shelf_of(notebook: "Notebook") -> Shelf:
    """The entries of a notebook, read once and as long as it is in use."""
    shelf = _shelves.get(notebook)
    if shelf is None:
        shelf = _shelves.setdefault(notebook, Shelf(notebook.index))
    return shelf


def links(notebook: "Notebook | None", answer: Answer | None, along: Mapping[str, str]) -> Mapping[int, str]:
    """Where the sources of an answer can be read, by marker; without those that are in no entry any more.

    ``along`` is what the addresses hold besides.
    """
    if notebook is None or answer is None:
        return {}
    shelf = shelf_of(notebook)
    cited = sorted({c for s in answer.sentences for c in s.citations}, key=lambda c: (c.marker, c.start))
    found = {marker: _link(shelf, list(group), along) for marker, group in groupby(cited, key=lambda c: c.marker)}
    return {marker: link for marker, link in found.items() if link}


def _link(shelf: Shelf, citations: Sequence[Citation], along: Mapping[str, str]) -> str:
    place = shelf.place(citations)
    return "" if place is None else f"notes?{urlencode({ENTRY: place.key, SPAN: place.spans, **along})}"
