"""Prompts are files: ``prompts/<name>.<language>.md``, sections split by a line of ``=``.

The sections are the system text, the user text, and one or more tails: requests that follow the same user
text, so that their prompts share the longest possible prefix and the engine reads the notes only once.

Placeholders are ``{passages}``, ``{question}``, ``{answer}`` and ``{terms}``. They are filled in one pass, so nothing
inside a note, a question or an answer is ever taken for a placeholder, and delimiters inside them are neutralised.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import cast

from rag.text import detect_language
from rag.types import Answer, Message, Mode, Passage, Role

_DIVIDER = "\n=====\n"
_PLACEHOLDER = re.compile(r"\{(passages|question|answer|terms)\}")
# What could close a block of notes, open another one or imitate a chat template.
_DELIMITER = re.compile(r"<(?=\s*/?\s*(?:笔记|notes?\b|\|))", re.IGNORECASE)


# The block of notes in a filled prompt, and the number before each passage in it.
_NOTES = re.compile(r"<(笔记|notes)>\n(.*?\n)</\1>", re.DOTALL)
_LABEL = re.compile(r"(?:\A|(?<=\n\n))\[\d+\](?= )")
# What stands between a passage and the next one.
PASSAGE_END = "\n\n"


class Tail(IntEnum):
    """Which request follows the user text."""

    ANSWER = 2
    VERIFY = 3


@cache
def sections(name: str, language: str) -> tuple[str, ...]:
    """The sections of a prompt file: system, user, tails. ``language`` is "zh" or "en"."""
    text = resources.files("rag").joinpath("prompts", f"{name}.{language}.md").read_text(encoding="utf-8")
    return tuple(section.strip() for section in text.split(_DIVIDER))


def prompt_hash(name: str, language: str) -> str:
    """The first 16 hex digits of the sha256 of a prompt file's content."""
    return hashlib.sha256("\0".join(sections(name, language)).encode()).hexdigest()[:16]


def fill(
    name: str,
    language: str,
    values: Mapping[str, str],
    tail: Tail = Tail.ANSWER,
    history: Sequence[tuple[str, str]] = (),
) -> tuple[Message, ...]:
    """The messages of a prompt with its placeholders replaced; values are data and are never scanned again.

    ``history``: earlier (question, answer) pairs, oldest first, as turns of the chat.
    """
    parts = sections(name, language)
    user, request = (_PLACEHOLDER.sub(lambda match: values[match.group(1)], part) for part in (parts[1], parts[tail]))
    before = (
        Message(role, defuse(text))
        for pair in history
        for role, text in zip((Role.USER, Role.ASSISTANT), pair, strict=True)
    )
    return Message(Role.SYSTEM, parts[0]), *before, Message(Role.USER, f"{user}\n\n{request}")


def sent(answer: Answer) -> tuple[Message, ...] | None:
    """The messages that an answer was written from, rebuilt from its question and its passages.

    Empty where the model was not asked to write (RCG without passages); None where the prompt file is not the one
    of that time any more, so that what was sent cannot be known.
    """
    language = detect_language(answer.question)
    if answer.prompt_hash != prompt_hash(answer.mode, language):
        return None
    if answer.mode is Mode.RCG and not answer.passages:
        return ()
    notes = next((span.notes for span in answer.trace if span.name == "write"), {})
    asked = str(notes.get("asked", answer.question))
    values = {"passages": render_passages(answer.passages), "question": asked}
    return fill(answer.mode, language, values, history=cast("Sequence[tuple[str, str]]", notes.get("history", ())))


def translation(sentence: str, terms: Sequence[str]) -> tuple[Message, ...]:
    """The messages that ask for an English sentence in Chinese, with the given terms left in English."""
    return fill("translation", "zh", {"answer": defuse(sentence), "terms": "、".join(terms) or "无"})


def render_passages(passages: Sequence[Passage]) -> str:
    """Passages as a numbered list, each below its outline path; delimiters in their text are defused."""
    return "\n\n".join(render_passage(passage) for passage in passages)


def reading_order(passages: Sequence[Passage], reuse: str) -> Sequence[Passage]:
    """The order in which passages stand in a prompt: the best first, or last when the last ones are read anew."""
    return passages[::-1] if reuse == "mixed" else passages


def render_passage(passage: Passage) -> str:
    """One passage as it stands in a prompt."""
    title = " > ".join(passage.path) or passage.entry or passage.file
    return f"[{passage.rank}] {defuse(title)}\n{defuse(passage.text.strip())}"


def passage_spans(text: str) -> list[tuple[int, int, int]]:
    """Where the passages of a filled prompt lie: offsets of the number, behind it, and of the end, in order.

    A note that imitates a number only cuts its own passage in two.
    """
    block = _NOTES.search(text)
    if block is None:
        return []
    labels = [(label.start() + block.start(2), label.end() + block.start(2)) for label in _LABEL.finditer(block[2])]
    ends = [start for start, _ in labels[1:]] + [block.end(2)]
    return [(*label, end) for label, end in zip(labels, ends, strict=False)]


def defuse(text: str) -> str:
    """Replace the "<" of anything that looks like one of our delimiters or a chat-template token."""
    return _DELIMITER.sub("‹", text)
