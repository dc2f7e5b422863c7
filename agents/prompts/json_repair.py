"""Repairing almost-JSON by rule: trailing and missing commas, unclosed brackets, quotes of the wrong kind."""

import json
import re

from agents.prompts.sketches import read_sketch


def repaired(text: str) -> str | None:
    """The text as something that parses (placeholders allowed), with as few changes as possible; None if none helps."""
    for candidate in _candidates(text.rstrip()):
        try:
            read_sketch(candidate)
        except ValueError:
            continue
        return candidate
    return None


def object_inside(text: str) -> str | None:
    """The JSON object or list that a longer text holds, or None. A broken one at its end is repaired."""
    for match in re.finditer(r"[{\[]", text):
        try:
            value, end = json.JSONDecoder(strict=False).raw_decode(text, match.start())
        except ValueError:
            continue
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            return text[match.start() : end]
    opened = re.search(r"\{\s*\"|\[\s*\{", text)
    fixed = repaired(text[opened.start() :]) if opened else None
    try:
        return fixed if fixed is not None and isinstance(json.loads(fixed), dict | list) else None
    except ValueError:
        return None


def without_key(text: str, key: str) -> str | None:
    """The object text without the last occurrence of a key that it holds twice."""
    matches = list(re.finditer(rf",?\s*\"{re.escape(key)}\"\s*:\s*(?:\"[^\"]*\"|\[[^\]]*\]|[^,}}\]\s]+)", text))
    if len(matches) < 2:
        return None
    last = matches[-1]
    return text[: last.start()] + text[last.end() :]


def _candidates(text: str) -> list[str]:
    quoted = re.sub(r"[“”]", '"', text)
    single = re.sub(r"'([^'\n]*)'", r'"\1"', quoted)
    found = [text]
    for base in dict.fromkeys((text, quoted, single)):
        no_trailing = re.sub(r",(\s*[}\]])", r"\1", base)
        closed = _closed(re.sub(r",\s*$", "", base))
        commas = re.sub(r"([\"\]}\dEel])(\s+)(\"[^\"\n]*\"\s*:)", r"\1,\2\3", base)
        found += [
            no_trailing,
            closed,
            _closed(no_trailing),
            commas,
            _closed(commas),
            _closed(re.sub(r",(\s*[}\]])", r"\1", closed)),
        ]
    return found


def _closed(text: str) -> str:
    """The text with its open brackets closed, also where the wrong kind closes one."""
    stack, out, in_string = [], [], False
    for i, character in enumerate(text):
        if character == '"' and text[i - 1 : i] != "\\":
            in_string = not in_string
        if in_string or character not in "{}[]":
            out.append(character)
        elif character in "{[":
            stack.append("}" if character == "{" else "]")
            out.append(character)
        elif stack:
            while stack and stack[-1] != character and character in stack:
                out.append(stack.pop())
            if stack and stack[-1] == character:
                out.append(stack.pop())
    return "".join(out) + ('"' if in_string else "") + "".join(reversed(stack))
