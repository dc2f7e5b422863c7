"""JSON sketches in a prompt: found, and read even with placeholders and comments in them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from agents.prompts.statements import FENCE

_INLINE_OPEN = re.compile(r"[{\[]\s*[\"'{\[“A-Za-z]")
_BARE = re.compile(
    r"(?<=[:\[,])(\s*)(?!(?:true|false|null)\s*[,\]}])([A-Za-z\u4e00-\u9fff][^\"{}\[\],\n]*?)(?=\s*[,\]}])"
)


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON sketch in the prompt; ``value`` is None where it cannot be read, even with placeholders filled in."""

    start: int
    end: int
    text: str
    value: object = None
    is_valid: bool = True


def templates_in(prompt: str) -> Iterator[Template]:
    """The sketches of a prompt: in fences first, then those in its sentences."""
    for match in FENCE.finditer(prompt):
        body_start = prompt.index("\n", match.start()) + 1
        body = prompt[body_start : match.end()].rsplit("\n", 1)[0]
        if body.lstrip()[:1] in {"{", "["}:
            yield _template(body_start, body)
    position = 0
    fences = [match.span() for match in FENCE.finditer(prompt)]
    while (opened := _INLINE_OPEN.search(prompt, position)) is not None:
        position = opened.end()
        if any(a <= opened.start() < b for a, b in fences) or not _looks_like_json(prompt, opened.start()):
            continue
        end = _balanced_end(prompt, opened.start())
        yield _template(opened.start(), prompt[opened.start() : end])
        position = end


def top_keys(value: object) -> tuple[str, ...]:
    """The keys of an object, or of the first object of a list."""
    if isinstance(value, list) and value:
        value = value[0]
    return tuple(value) if isinstance(value, dict) else ()


def read_sketch(text: str) -> object:
    """Read JSON, also with placeholders, comments, "…" and bare words in it. Raises ValueError where it is no JSON."""
    try:
        return json.loads(text, strict=False)
    except ValueError:
        plain = re.sub(r"(?<!:)//[^\n\"]*$|#[^\n\"]*$", "", text, flags=re.MULTILINE)
        plain = re.sub(
            r"\"[^\"\n]*\"|<[^<>\n]{1,60}>",
            lambda m: m[0] if m[0][0] == '"' else '"' + m[0].replace('"', "") + '"',
            plain,
        )
        plain = re.sub(r",?\s*(?:\.\.\.|…+)\s*(?=[\]}])", "", plain)
        plain = re.sub(r"(?<=[:\[,])(\s*)(-?\d+(?:\.\d+)?\s*[-–~]\s*\d+(?:\.\d+)?)(?=\s*[,\]}])", r'\1"\2"', plain)
        plain = _BARE.sub(lambda m: m[1] + json.dumps(m[2].strip(), ensure_ascii=False), plain)
        return json.loads(plain, strict=False)


def _looks_like_json(prompt: str, start: int) -> bool:
    around = prompt[start : start + 200]
    return bool(re.match(r"[{\[]\s*(?:[{\[]\s*)?[\"'“]?[\w\u4e00-\u9fff-]+[\"'”]?\s*:", around)) or bool(
        re.match(r"\[\s*\"[^\"]+\"\s*[,\]]", around)
    )


def _balanced_end(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] in "{[") - (text[position] in "}]")
        if depth == 0:
            return position + 1
        if text[position] == "\n" and text[position + 1 : position + 2] in {"\n", "#", "-", ""}:
            return position
    return len(text)


def _template(start: int, text: str) -> Template:
    try:
        return Template(start, start + len(text), text, read_sketch(text))
    except ValueError:
        return Template(start, start + len(text), text, None, is_valid=False)
