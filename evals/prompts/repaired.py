"""Whether a planted defect is gone, by checks that share no code with the agents."""

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence

_NAMED = re.compile(
    r"(?:\b(?:fields?|columns?|keys?|elements?|tags?)\b|字段|列|键|元素|标签)[^\n。.]{0,16}?(?:[:：为是有]|\b(?:are|is|named)\b)\s*[\"`“<]?[A-Za-z\u4e00-\u9fff]|\{\s*\"\w+\"\s*:|<\w+>",
    re.IGNORECASE,
)
_STRUCTURED = re.compile(r"JSON|XML|CSV|YAML|table|表格", re.IGNORECASE)


def is_repaired(check: Mapping[str, object], text: str) -> bool:
    """Whether a prompt, or an assistant turn, meets a check of the planted-defect set.

    Raises:
        KeyError: the check is unknown.
    """
    ((name, wanted),) = check.items()
    return _CHECKS[name](text, wanted)


def _not_both(text: str, wanted: Sequence[str]) -> bool:
    return not all(part in text for part in wanted)


def _mentions_field(text: str, _: object) -> bool:
    return not _STRUCTURED.search(text) or bool(_NAMED.search(text))


def _valid_json(text: str, _: object) -> bool:
    try:
        json.JSONDecoder().raw_decode(text, text.index("{"))
    except ValueError:
        return False
    return True


def _field_agrees(text: str, name: str) -> bool:
    if name not in text:
        return True
    try:
        value, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
    except ValueError:
        return False
    return name in json.dumps(value)


def _lang(text: str, code: str) -> bool:
    prose = text
    if text.lstrip().startswith(("{", "[")):
        prose = " ".join(re.findall(r":\s*\"([^\"]*)\"", text))
    han, latin = len(re.findall("[\u4e00-\u9fff]", prose)), len(re.findall(r"[A-Za-z]{2,}", prose))
    return han >= latin if code == "zh" else han <= latin / 4


def _sentences(text: str) -> int:
    return len(
        [
            s
            for s in re.split(r"(?<=[.!?。！？])(?:\[\d+\])?\s*(?=[A-Z\u4e00-\u9fff]|$)", text.strip())
            if re.search(r"\w", s)
        ]
    )


def _words(text: str) -> int:
    return len(text.split())


def _characters(text: str) -> int:
    return len(re.findall(r"[\w]", text.replace("_", "")))


def _rows(text: str) -> list[dict[str, object]]:
    try:
        value = json.loads(text)
    except ValueError:
        return []
    rows = value if isinstance(value, list) else [value]
    return [row for row in rows if isinstance(row, dict)]


def _json_keys(text: str, keys: Sequence[str]) -> bool:
    rows = _rows(text)
    return bool(rows) and all(set(row) == set(keys) for row in rows)


def _json_range(text: str, wanted: Sequence[object]) -> bool:
    name, low, high = str(wanted[0]), float(str(wanted[1])), float(str(wanted[2]))
    rows = _rows(text)
    values = [row.get(name) for row in rows]
    return bool(rows) and all(
        value is None or (isinstance(value, int | float) and low <= value <= high) for value in values
    )


def _json_in(text: str, wanted: Sequence[str]) -> bool:
    name, *allowed = wanted
    rows = _rows(text)
    return bool(rows) and all(row.get(name) in allowed for row in rows)


def _json_type(text: str, wanted: Sequence[str]) -> bool:
    python = {"array": list, "string": str, "object": dict}[wanted[1]]
    rows = _rows(text)
    return bool(rows) and all(isinstance(row.get(wanted[0]), python) for row in rows)


def _csv_columns(text: str, n: int) -> bool:
    rows = [row for row in csv.reader(text.strip().splitlines()) if row]
    return bool(rows) and "|" not in text and "{" not in text and all(len(row) == n for row in rows)


_CHECKS: Mapping[str, Callable[..., bool]] = {
    "not_both": _not_both,
    "mentions_field": _mentions_field,
    "valid_json": _valid_json,
    "field_agrees": _field_agrees,
    "once": lambda text, part: text.count(part) <= 1,
    "absent": lambda text, pattern: re.search(pattern, text) is None,
    "present": lambda text, pattern: re.search(pattern, text) is not None,
    "equals": lambda text, wanted: text.strip() == wanted,
    "in": lambda text, wanted: text.strip() in wanted,
    "lang": _lang,
    "max_sentences": lambda text, n: _sentences(text) <= n,
    "max_chars": lambda text, n: _characters(text) <= n,
    "min_chars": lambda text, n: _characters(text) >= n,
    "max_lines": lambda text, n: len(text.strip().splitlines()) <= n,
    "min_words": lambda text, n: _words(text) >= n,
    "min_bullets": lambda text, n: len(re.findall(r"(?m)^- ", text)) >= n,
    "json_keys": _json_keys,
    "json_range": _json_range,
    "json_in": _json_in,
    "json_type": _json_type,
    "csv_columns": _csv_columns,
}
