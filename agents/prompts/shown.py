"""The labels that the examples of a prompt show: the list in it from which most replies are taken."""

import re
from collections.abc import Iterator, Sequence

from agents.prompts.types import Example
from rag.text import HAN

MAX_LABEL = 20
"""Characters; labels are short."""
MAX_WORDS = 4
_QUOTES = "\"“”「」『』'`"
_QUOTED = re.compile(r"[\"“「『`]([^\"“”「」『』`\n]{1,60})[\"”」』`]")
_SEGMENT = re.compile(r"<[^<>\n]*>|[。；;.!?！？\n:：()（）【】]|\s-\s")
_SEPARATOR = re.compile(r"[、,，|/]|\s+or\s+|\s+and\s+|或者?|以及|(?<=[”」])和(?=[“「])")
_POINT = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)、])\s*(?P<head>[^\n:：—(（]{1,20}?)\s*(?:[:：—(（].*)?$", re.MULTILINE)


def labels_shown(prompt: str, examples: Sequence[Example]) -> frozenset[str]:
    """The labels, and what may be said instead; none where fewer than two replies, or less than half, are labels."""
    texts = [example.assistant for example in examples]
    quoted = _QUOTED.findall(prompt)
    found: list[str] = []
    listed: tuple[str, ...] = ()
    for one in _lists(prompt):
        members = [text for text in texts if is_label(text, [*one, *quoted])]
        if len(members) > len(found) and any(is_label(text, one) for text in members):
            found, listed = members, one
    if len(found) < max(2, len(texts) / 2):
        return frozenset()
    told = {label for label in [*listed, *quoted] if len(label) <= MAX_LABEL}
    return frozenset(told | {plain for text in found for plain in _parts(text)})


def is_few_words(text: str) -> bool:
    """Whether a reply is a word or a few, such as a name or a number; two Chinese characters count as a word."""
    han = len(HAN.findall(text))
    return len(HAN.sub(" ", text).split()) + han / 2 <= MAX_WORDS and "\n" not in text.strip()


def is_label(text: str, labels: Sequence[str] | frozenset[str]) -> bool:
    """Whether a reply is a label, or several; the ends of a list may have words of their sentence around them."""
    parts = _parts(text)
    return bool(parts) and all(_is_one(part, labels) for part in parts)


def _parts(text: str) -> list[str]:
    return [part.strip(_QUOTES + ".。 ") for part in re.split(r"[,，、]", text.strip())]


def _is_one(plain: str, labels: Sequence[str] | frozenset[str]) -> bool:
    if not plain or len(plain) > MAX_LABEL:
        return False
    same = _lower_first(plain)
    at_an_end = re.compile(rf"(?<![A-Za-z]){re.escape(plain)}$|^{re.escape(plain)}(?![A-Za-z])")
    return any(_lower_first(label) == same or at_an_end.search(label) for label in labels)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _lists(prompt: str) -> Iterator[tuple[str, ...]]:
    """The lists of a prompt: within a sentence, and the heads of its points."""
    for segment in _SEGMENT.split(prompt):
        items = [re.sub(f"[{_QUOTES}]", "", item).strip() for item in _SEPARATOR.split(segment)]
        if len(items) > 1 and all(len(item) <= 2 * MAX_LABEL for item in items):
            yield tuple(item for item in items if item)
    if heads := tuple(match["head"].strip(_QUOTES + " ") for match in _POINT.finditer(prompt)):
        yield heads
