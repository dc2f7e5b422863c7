"""Texts, tables and objects as a list or as CSV."""

import json
import re
from collections.abc import Sequence

from rag.text import split_sentences


def as_list(text: str, *, numbered: bool, keep_last: str, low: int = 2) -> str | None:
    """A text as a list of its sentences, or of clauses where these are fewer than ``low``; ``keep_last`` stays."""
    body = text.strip()
    tail = ""
    if keep_last and body.endswith(keep_last):
        body, tail = body.removesuffix(keep_last).rstrip(), "\n" + keep_last
    parts = [re.sub(r"^\s*(?:[-*+•]|\d+[.)、])\s*", "", body[a:b]) for a, b in split_sentences(body)]
    parts = [part for part in parts if part.strip()]
    if len(parts) < low:
        parts = [
            p.strip(" ,") for part in parts for p in re.split(r",?\s+and\s+|，(?:并|而)?|；|;", part) if p.strip(" ,")
        ]
    return (
        "\n".join(f"{i}. {part}" if numbered else f"- {part}" for i, part in enumerate(parts, start=1)) + tail
        if parts
        else None
    )


def as_csv(text: str) -> str | None:
    """A table or rows of JSON as CSV; None where the text is neither."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.strip().startswith("|")
    ]
    rows = [row for row in rows if not all(re.fullmatch(r"[:\s-]*", cell) for cell in row)]
    rows = rows or _rows_of_json(text)
    return "\n".join(",".join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows) or None


def _rows_of_json(text: str) -> list[list[str]]:
    """Objects as rows below their keys; empty where a value is no plain text or number."""
    try:
        value = json.loads(text)
    except ValueError:
        return []
    rows = value if isinstance(value, list) else [value]
    if not rows or not all(isinstance(row, dict) and row.keys() == rows[0].keys() for row in rows):
        return []
    cells = [list(rows[0]), *([*row.values()] for row in rows)]
    return [[str(cell) for cell in row] for row in cells] if _is_flat(cells) else []


def _is_flat(rows: Sequence[Sequence[object]]) -> bool:
    return all(isinstance(cell, str | int | float) for row in rows for cell in row)
