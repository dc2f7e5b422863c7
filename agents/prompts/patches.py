"""Making and applying patches; a unified diff of what they changed."""

import difflib
import re
from collections.abc import Sequence

from agents.prompts.statements import bullet_width
from agents.prompts.types import Example, Patch, Rule

_JOINT = re.compile(r"[ \t]*[,，;；、:：]?[ \t]*(?:(?:and|but|or)\b[ \t]*)?$", re.IGNORECASE)
_STOP = re.compile(r"[.。!！?？;；]\s*$")


def apply(prompt: str, examples: Sequence[Example], patches: Sequence[Patch]) -> tuple[str, tuple[Example, ...]]:
    """The prompt and examples with patches applied. Raises ValueError where a patch does not fit the text."""
    new_prompt = _applied(prompt, [patch for patch in patches if patch.example_index is None])
    turns = []
    for index, example in enumerate(examples):
        mine = [patch for patch in patches if patch.example_index == index]
        turns.append(Example(example.user, _applied(example.assistant, mine)) if mine else example)
    return new_prompt, tuple(turns)


def replace_turn(example: Example, index: int, text: str, reason: str, *, by_model: bool = False) -> Patch:
    """The smallest patch that turns the assistant turn of an example into ``text``."""
    old = example.assistant
    start = 0
    while start < min(len(old), len(text)) and old[start] == text[start]:
        start += 1
    tail = 0
    while tail < min(len(old), len(text)) - start and old[-1 - tail] == text[-1 - tail]:
        tail += 1
    return Patch(
        start,
        old[start : len(old) - tail],
        text[start : len(text) - tail],
        reason,
        index,
        "model" if by_model else "solver",
    )


def deletion(prompt: str, rule: Rule, sound: Sequence[Rule], reason: str) -> Patch:
    """Take a rule out of the prompt: its clause, or its sentence, or its line, whichever holds no ``sound`` rule."""
    start, end = rule.sentence
    others = [other for other in sound if other.sentence == rule.sentence and other.start != rule.start]
    if not others or (rule.start, rule.end) == rule.sentence:
        return sentence_deletion(prompt, start, end, reason)
    return _clause_deletion(prompt, rule, reason)


def sentence_deletion(prompt: str, start: int, end: int, reason: str) -> Patch:
    """Take a sentence out, with its line and list mark where nothing else is on it."""
    line_start = prompt.rfind("\n", 0, start) + 1
    line_end = prompt.find("\n", end)
    line_end = len(prompt) if line_end < 0 else line_end
    before, after = prompt[line_start:start], prompt[end:line_end]
    if bullet_width(before.strip()) == len(before.strip()) and not after.strip():
        if line_end < len(prompt):
            return Patch(line_start, prompt[line_start : line_end + 1], "", reason)
        begin = max(line_start - 1, 0)
        return Patch(begin, prompt[begin:line_end], "", reason)
    while end < line_end and prompt[end] in " \t":
        end += 1
    if end == line_end:
        while start > line_start and prompt[start - 1] in " \t":
            start -= 1
    return Patch(start, prompt[start:end], "", reason)


def diff(prompt: str, examples: Sequence[Example], new_prompt: str, new_examples: Sequence[Example]) -> str:
    """A unified diff of prompt and assistant turns; empty when nothing changed."""
    parts = [_unified("prompt", prompt, new_prompt)]
    for index, (old, new) in enumerate(zip(examples, new_examples, strict=True)):
        parts.append(_unified(f"examples[{index}].assistant", old.assistant, new.assistant))
    return "".join(parts)


def _clause_deletion(prompt: str, rule: Rule, reason: str) -> Patch:
    sentence_start, sentence_end = rule.sentence
    start, end = rule.start, rule.end
    rest = prompt[end:sentence_end]
    stop = _STOP.search(prompt[start:end])
    if stop or not re.search(r"\w", rest):
        # The last clause: its joint goes, the full stop stays.
        joint = _JOINT.search(prompt[sentence_start:start])
        begin = start - len(joint[0]) if joint else start
        stop_end = start + stop.start() if stop else end
        return Patch(begin, prompt[begin:stop_end], "", reason)
    joint_after = re.match(r"[ \t]*[,，;；、:：][ \t]*(?:(?:and|but|or)\b[ \t]*)?", rest, re.IGNORECASE)
    stop_at = end + (joint_after.end() if joint_after else 0)
    replacement = ""
    if start == sentence_start and prompt[start].isupper() and stop_at < sentence_end and prompt[stop_at].isascii():
        return Patch(start, prompt[start : stop_at + 1], prompt[stop_at].upper(), reason)
    return Patch(start, prompt[start:stop_at], replacement, reason)


def _applied(text: str, patches: Sequence[Patch]) -> str:
    for patch in sorted(patches, key=lambda patch: patch.start, reverse=True):
        if text[patch.start : patch.end] != patch.before:
            raise ValueError(f"the patch at {patch.start} does not fit: {patch.before!r}")
        text = text[: patch.start] + patch.after + text[patch.end :]
    return text


def _unified(name: str, old: str, new: str) -> str:
    if old == new:
        return ""
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join(lines) + "\n"
