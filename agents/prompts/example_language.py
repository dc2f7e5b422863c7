"""The languages of assistant turns: the one that a rule wants, and the one that nobody has to name."""

import json
import re
from collections.abc import Iterator, Sequence

from agents.prompts.structure import Structure
from agents.prompts.surface import language_share, languages_of, strip_fence
from agents.prompts.types import Example, Languages, Rule
from rag.text import detect_language

WRONG_SCRIPT = 0.5
"""Below this share of the demanded language a turn is in another one; terms and names may stay in theirs."""


def language_of(prompt: str, rules: Sequence[Rule]) -> str:
    """The language that prompt and replies share where no rule names one; "" where one does, or text is translated."""
    is_named = any(isinstance(rule.demand, Languages) for rule in rules) or _TRANSLATION.search(prompt)
    return "" if is_named else detect_language(prompt)


_TRANSLATION = re.compile(r"\btranslat|翻译|译[成为文]|英[文语]|中文", re.IGNORECASE)
_MIN_LETTERS = 12
_STRAY = 0.2
"""Less than this share of the common language, and more than a name or two in another one."""


def language_broken(demand: Languages, text: str, user: str) -> str:
    """Why a reply to ``user`` is not in a demanded language, or is in a forbidden one; "" when it keeps the rule."""
    if demand.is_forbidden:
        used = languages_of(text) & demand.codes
        return f"It uses {', '.join(sorted(used))}, which is forbidden." if used else ""
    codes = set(demand.codes)
    if "mirror" in codes:
        codes = {"zh" if language_share(user, "zh") >= WRONG_SCRIPT else "en"}
        if not any(c.isalpha() for c in user):
            return ""
    shares = [language_share(text, code) for code in codes]
    if not any(c.isalpha() for c in text) or max(shares) >= WRONG_SCRIPT:
        return ""
    return f"It is not in {' or '.join(sorted(codes))}."


def stray_language(language: str, structure: Structure, example: Example) -> str:
    """Why a reply is in another language than its prompt and question, which nothing asks for, or ""."""
    text = prose_of(example.assistant, structure)
    is_text = sum(c.isalpha() for c in text) >= _MIN_LETTERS and languages_of(text)
    is_asked = language_share(example.user, language) >= WRONG_SCRIPT and any(c.isalpha() for c in example.user)
    if not (is_text and is_asked) or language_share(text, language) >= _STRAY:
        return ""
    return f"Prompt and question are in {language}, the reply is not."


def prose_of(text: str, structure: Structure) -> str:
    """The free text of a turn: the values of JSON that are no labels, without code."""
    if structure.form != "json":
        return re.sub(r"```.*?```|`[^`]*`", " ", text, flags=re.DOTALL)
    try:
        value = json.loads(strip_fence(text), strict=False)
    except ValueError:
        return ""
    labelled = {one.name for one in structure.fields.values() if one.values}
    return "\n".join(_strings(value, labelled))


def _strings(value: object, skipped: set[str]) -> Iterator[str]:
    if isinstance(value, str) and (
        " " in value.strip() or len(value) > 8 or any("\u4e00" <= c <= "\u9fff" for c in value)
    ):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, skipped)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in skipped:
                yield from _strings(item, skipped)
