"""The tools that read the notes: search, open an entry, list related entries, read one number.

What they find is data. The model that asked gets a receipt; the text goes to the reader and to the checked answer only.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import cast

from pydantic import Field

from agents.numbers import all_numbers_in, numbers_in
from agents.tools.base import A, AnyTool, Arguments, Output, Tool, ToolError
from agents.tools.calculator import written
from agents.tools.library import Library, Relation
from rag.notebook import Notebook
from rag.types import State

MAX_QUERY_CHARS = 400
_LETTER = re.compile(r"\w")

RELATION_WORDS = {
    "zh": {
        Relation.NAMES: "文中提到",
        Relation.NAMED_BY: "提到了它",
        Relation.ABOVE: "上级",
        Relation.BELOW: "下级",
        Relation.BESIDE: "同级",
    },
    "en": {
        Relation.NAMES: "named in it",
        Relation.NAMED_BY: "names it",
        Relation.ABOVE: "above",
        Relation.BELOW: "below",
        Relation.BESIDE: "beside",
    },
}


class Query(Arguments):
    """Arguments of the search."""

    query: str = Field(description="what to look for, in the words of the question", max_length=MAX_QUERY_CHARS)


class Title(Arguments):
    """The name of an entry."""

    title: str = Field(description="name of the entry", max_length=MAX_QUERY_CHARS)


def note_tools(notebook: Notebook, *, language: str = "zh") -> list[AnyTool]:
    """The tools that read ``notebook``; ``language`` is that of the words around what is shown."""
    library = Library(notebook)
    return [
        _tool("search_notes", "Search the user's own notes for passages.", Query, _search(notebook)),
        _tool("open_entry", "Open one entry of the user's notes by its name.", Title, _open(library)),
        _tool("related_entries", "List entries of the notes related to an entry.", Title, _related(library, language)),
        _tool(
            "number_from_notes",
            "Read one number (a size, year, count) from the user's notes, to calculate with it.",
            Query,
            _read_number(notebook),
        ),
    ]


def _tool(name: str, description: str, arguments: type[A], run: Callable[[A], Output]) -> AnyTool:
    return cast(AnyTool, Tool(name, description, arguments, run))


def _search(notebook: Notebook) -> Callable[[Query], Output]:
    def run(arguments: Query) -> Output:
        found = tuple(notebook.search(_wordy(arguments.query)))
        return Output(f"{len(found)} passages found; they will be read for the answer", passages=found)

    return run


def _open(library: Library) -> Callable[[Title], Output]:
    def run(arguments: Title) -> Output:
        entry = library.find(_wordy(arguments.title))
        if entry is None:
            return _missing(library, arguments.title)
        passages = tuple(library.passages(entry))
        return Output(
            f"entry opened, {len(passages)} passages; they will be read for the answer",
            shown=library.text(entry),
            value={"title": entry.title, "file": entry.file, "path": list(entry.path)},
            passages=passages,
        )

    return run


def _related(library: Library, language: str) -> Callable[[Title], Output]:
    def run(arguments: Title) -> Output:
        entry = library.find(_wordy(arguments.title))
        if entry is None:
            return _missing(library, arguments.title)
        found = library.related(entry)
        words = RELATION_WORDS[language]
        shown = ("、" if language == "zh" else ", ").join(f"{one.title}（{words[one.relation]}）" for one in found)
        value = [{"title": one.title, "relation": str(one.relation)} for one in found]
        return Output(f"{len(found)} related entries found; the reader sees them", shown=shown, value=value)

    return run


def _read_number(notebook: Notebook) -> Callable[[Query], Output]:
    def run(arguments: Query) -> Output:
        answer = notebook.ask(_wordy(arguments.query))
        if answer.state is State.REFUSED:
            raise ToolError("the notes do not hold this number")
        asked = set(all_numbers_in(arguments.query))
        for sentence in answer.sentences:
            found = [n for n in numbers_in(sentence.text) if n not in asked]
            if sentence.is_backed and found:
                value = _largest_form(found)
                return Output(f"the number is {written(value).text}", shown=answer.text, value=float(value))
        raise ToolError("the notes answer this without a number")

    return run


def _largest_form(found: list[Fraction]) -> Fraction:
    """The first number with its unit: ``numbers_in`` gives "3万" as 3, then 30000."""
    first = found[0]
    return found[1] if len(found) > 1 and found[1] / first in (10**4, 10**8, Fraction(1, 100)) else first


def _missing(library: Library, name: str) -> Output:
    """No such entry. The nearest names come from the notes, so only the reader gets them."""
    nearest = library.nearest(name)
    return Output("there is no entry of that name", shown=", ".join(nearest), value={"nearest": nearest})


def _wordy(text: str) -> str:
    if not _LETTER.search(text):
        raise ToolError(f"{text[:20]!r} holds no word")
    return text.strip()
