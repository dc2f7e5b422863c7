"""Whether an assistant turn that is data has the fields, columns and values that the prompt describes."""

import csv
import json
import re
from collections.abc import Iterator, Sequence

from agents.prompts.sketches import top_keys
from agents.prompts.structure import Field, Structure
from agents.prompts.surface import strip_fence


def data_broken(structure: Structure, text: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a turn as data, as (code, sentence)."""
    if structure.form == "json":
        try:
            value = json.loads(strip_fence(text), strict=False)
        except ValueError:
            return  # the rule of the form says so
        rows = value if isinstance(value, list) else [value]
        for row in rows:
            yield from _row_broken(row, structure)
    elif structure.form == "csv" and len(structure.names) > 1:
        yield from _csv_broken(text, structure.names)
    elif structure.form == "table" and len(structure.names) > 1:
        header = next((line for line in text.splitlines() if line.strip().startswith("|")), "")
        cells = [cell.strip() for cell in header.strip().strip("|").split("|")]
        if header and [c.casefold() for c in cells] != [n.casefold() for n in structure.names]:
            yield "columns", f"The columns are {', '.join(cells)}."
        elif header:
            yield from _cells_broken(text, structure, cells)


def _cells_broken(text: str, structure: Structure, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Cells of a table that are none of the values of their column."""
    rows = [line.strip() for line in text.splitlines() if line.strip().startswith("|")][1:]
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) != len(names) or all(re.fullmatch(r"[:\s-]*", cell) for cell in cells):
            continue
        for name, cell in zip(names, cells, strict=True):
            one = structure.fields.get(name)
            if one is not None and one.values and (reason := value_broken(one, cell)):
                yield f"value of {name}", reason


def _row_broken(row: object, structure: Structure) -> Iterator[tuple[str, str]]:
    if not isinstance(row, dict):
        return
    names = expected_fields(structure)
    if names:
        missing = [name for name in names if name not in row]
        extra = [name for name in row if name not in names]
        if missing:
            yield "missing field", f"It lacks {', '.join(missing)}."
        if extra:
            yield "extra field", f"It has {', '.join(extra)}, which the form does not have."
    for name, value in row.items():
        one = structure.fields.get(name)
        if one is not None and (reason := value_broken(one, value)):
            yield f"value of {name}", reason


def expected_fields(structure: Structure) -> tuple[str, ...]:
    """The fields that a row has; empty where list and template disagree."""
    templates = [top_keys(t.value) for t in structure.templates if top_keys(t.value)]
    lists = [names for names in structure.listed if not templates or set(names) == set(templates[0])]
    options = {frozenset(names) for names in [*templates[:1], *lists[:1]]}
    return structure.names if len(options) == 1 else ()


def value_broken(one: Field, value: object) -> str:
    """Why a value of a field is not as the prompt says, or "". A field of which two things are said is not checked."""
    if value is None:
        return ""
    types, ranges = set(one.types), set(one.ranges)
    allowed = {v.casefold() for values in one.values for v in values}
    if len(types) == 1 and not allowed and not _has_type(value, next(iter(types))):
        return f"{one.name} is not of type {next(iter(types))}."
    if types == {"integer", "number"} and not _has_type(value, "number"):
        return f"{one.name} is no number."
    if len(one.values) == 1 and isinstance(value, str) and value.casefold() not in allowed:
        return f"{one.name} is {value!r}, which is not allowed."
    if len(ranges) == 1 and isinstance(value, int | float) and not isinstance(value, bool):
        low, high = next(iter(ranges))
        if not low <= value <= high:
            return f"{one.name} is {value}, outside {low:g} to {high:g}."
    return (
        f"{one.name} is no number." if len(ranges) == 1 and not allowed and isinstance(value, str) and not types else ""
    )


def _has_type(value: object, name: str) -> bool:
    if name in {"integer", "number"}:
        whole = isinstance(value, int) or (isinstance(value, float) and (name == "number" or value.is_integer()))
        return whole and not isinstance(value, bool)
    python = {"boolean": bool, "string": str, "array": list, "object": dict}
    return isinstance(value, python[name])


def _csv_broken(text: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    rows = [row for row in csv.reader(strip_fence(text).splitlines(), skipinitialspace=True) if row]
    odd = next((row for row in rows if len(row) != len(names)), None)
    if odd is not None:
        yield "columns", f"A row has {len(odd)} columns, not {len(names)}."
