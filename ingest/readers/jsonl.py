"""JSON Lines with rows ``{"doc_id", "text"}``: each row is a document."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from rag.errors import SourceError

_EXAMPLE = '{"doc_id": "1", "text": "…"}'


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be read; ``line`` starts at 1."""

    line: int
    doc_id: str
    text: str


def rows(text: str) -> Iterator[Row | tuple[int, str]]:
    """Each row, or its line number and what is wrong with it. Blank lines are no rows."""
    seen: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = _row(number, line)
            if row.doc_id in seen:
                raise SourceError(f"doc_id '{row.doc_id}' was used before. Give each row its own.")
        except SourceError as error:
            yield number, str(error)
        else:
            seen.add(row.doc_id)
            yield row


def _row(number: int, line: str) -> Row:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"It is not JSON: {error}. A row looks like {_EXAMPLE}.") from error
    if not isinstance(values, dict):
        raise SourceError(f"It is not an object. A row looks like {_EXAMPLE}.")
    doc_id, text = values.get("doc_id"), values.get("text")
    if isinstance(doc_id, bool) or not isinstance(doc_id, str | int) or not str(doc_id).strip():
        raise SourceError(f"'doc_id' is missing or no name: {doc_id!r}. A row looks like {_EXAMPLE}.")
    if not isinstance(text, str) or not text.strip():
        raise SourceError(f"'text' is missing or empty. A row looks like {_EXAMPLE}.")
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in f"{doc_id}{text}"):
        raise SourceError("'text' or 'doc_id' holds half a surrogate pair or a NUL character. Write the row again.")
    return Row(number, str(doc_id), text)
