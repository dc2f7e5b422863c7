"""Mending assistant turns that are data: fields missing or too many, values of the wrong type or range."""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence

from agents.prompts.example_data import expected_fields, value_broken
from agents.prompts.json_repair import object_inside
from agents.prompts.lengths import number
from agents.prompts.structure import Field, Structure
from agents.prompts.surface import strip_fence
from agents.prompts.types import Example

Pick = Callable[[str, Sequence[str]], str]
_YES = frozenset({"yes", "true", "y", "是", "有", "已解决", "真", "对"})
_NO = frozenset({"no", "false", "n", "否", "无", "没有", "未解决", "假", "错"})
_MIN_STEM = 3  # "documentation" is meant for "docs", "hi" for nothing


class _NotNearError(Exception):
    """No allowed value is near to one that is not allowed."""


def mend_rows(structure: Structure, example: Example, pick: Pick, filler: str | None) -> str | None:
    """The data of a turn in the form that the prompt describes, or None."""
    if structure.form == "json":
        return _json(structure, example, pick)
    if structure.form == "csv":
        return _csv(example.assistant, structure.names, filler or "")
    return _table(example.assistant, structure.names, filler or "") if structure.form == "table" else None


def _json(structure: Structure, example: Example, pick: Pick) -> str | None:
    inside = object_inside(strip_fence(example.assistant))
    if inside is None:
        return None
    value = json.loads(inside, strict=False)
    names = expected_fields(structure)
    try:
        rows = [
            _row(row, structure, names, example.user, pick) for row in (value if isinstance(value, list) else [value])
        ]
    except _NotNearError:
        return None
    return json.dumps(rows if isinstance(value, list) else rows[0], ensure_ascii=False)


def _row(row: object, structure: Structure, names: Sequence[str], user: str, pick: Pick) -> object:
    if not isinstance(row, dict):
        return row
    kept = {name: row.get(name) for name in names} if names else dict(row)
    for name, value in kept.items():
        one = structure.fields.get(name)
        if one is None:
            continue
        if value is None and name not in row:
            kept[name] = pick(user, one.values[0]) or None if len(one.values) == 1 else None
        elif value_broken(one, value):
            kept[name] = mended_value(one, value, user, pick)
            if kept[name] is None:
                raise _NotNearError
    return kept


def mended_value(one: Field, value: object, user: str, pick: Pick) -> object:
    """The allowed value that is nearest to one that is not; None where none is near."""
    if len(one.values) == 1 and isinstance(value, str):
        return _nearest_label(value, one.values[0]) or pick(user, one.values[0]) or None
    kind = one.types[0] if one.types else "number" if one.ranges else ""
    if kind in {"integer", "number"}:
        return _number(
            value,
            one,
            is_whole=kind == "integer"
            or (all(float(v).is_integer() for pair in one.ranges for v in pair) and bool(one.ranges)),
        )
    if kind == "boolean":
        plain = str(value).strip().lower()
        return True if plain in _YES else False if plain in _NO else None
    if kind == "array":
        return [part.strip() for part in re.split(r"[,，、;；]", str(value)) if part.strip()]
    if kind == "string":
        return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
    return None


def _nearest_label(value: str, labels: Sequence[str]) -> str:
    """The label that the value holds, or that begins like it; "" where none or several do."""
    plain = value.casefold()
    held = [label for label in labels if label.casefold() in plain or plain in label.casefold()]
    alike = [label for label in labels if len(_common(plain, label.casefold())) >= _MIN_STEM]
    for found in (held, alike):
        if len(found) == 1:
            return found[0]
    return ""


def _common(one: str, other: str) -> str:
    n = 0
    while n < min(len(one), len(other)) and one[n] == other[n]:
        n += 1
    return one[:n]


def _number(value: object, one: Field, *, is_whole: bool) -> int | float | None:
    if isinstance(value, bool) or value is None:
        return None
    found = float(value) if isinstance(value, int | float) else _read_number(str(value))
    if found is None:
        return None
    if one.ranges:
        low, high = one.ranges[0]
        found = min(max(found, low), high)
    return round(found) if is_whole or float(found).is_integer() else found


def _read_number(text: str) -> float | None:
    if match := re.search(r"-?\d+(?:\.\d+)?", text):
        return float(match[0])
    match = re.search(r"[零一二两三四五六七八九十百]+", text) or re.search(
        r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten)\b", text, re.IGNORECASE
    )
    return float(number(match[0])) if match else None


def _csv(text: str, names: Sequence[str], filler: str) -> str | None:
    rows = [row for row in csv.reader(strip_fence(text).splitlines(), skipinitialspace=True) if row]
    if not rows:
        return None
    header = [cell.strip().casefold() for cell in rows[0]]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if (
        set(header) <= {name.casefold() for name in names}
        or len(set(header) & {name.casefold() for name in names}) >= 2
    ):
        places = [header.index(name.casefold()) if name.casefold() in header else -1 for name in names]
        writer.writerow(names)
        writer.writerows([row[place] if 0 <= place < len(row) else filler for place in places] for row in rows[1:])
    else:
        writer.writerows([*row[: len(names)], *[filler] * (len(names) - len(row))] for row in rows)
    return out.getvalue().rstrip("\n")


def _table(text: str, names: Sequence[str], filler: str) -> str | None:
    lines = text.split("\n")
    at = [i for i, line in enumerate(lines) if line.strip().startswith("|")]
    if len(at) < 2:
        return None
    rows = [[cell.strip() for cell in lines[i].strip().strip("|").split("|")] for i in at]
    header = [cell.casefold() for cell in rows[0]]
    places = [header.index(name.casefold()) if name.casefold() in header else -1 for name in names]
    if all(place < 0 for place in places):
        places = list(range(len(names)))
    made = [list(names), ["---"] * len(names)]
    made += [[row[place] if 0 <= place < len(row) else filler for place in places] for row in rows[2:]]
    table = ["| " + " | ".join(row) + " |" if i != 1 else "|" + "|".join(row) + "|" for i, row in enumerate(made)]
    return "\n".join([*lines[: at[0]], *table, *lines[at[-1] + 1 :]])
