"""Two last ways to mend a turn without a model: keep only a part of it, or say the fallback of the prompt."""

import re
from collections.abc import Iterator
from itertools import combinations

from agents.prompts.example_demands import Spec
from agents.prompts.examples import broken_rules
from agents.prompts.types import Example, Fallback
from rag.text import detect_language, split_sentences

MAX_PIECES = 8
"""All parts of so many sentences are tried (255), largest first."""
MIN_KEPT = 0.4
"""Less than this share of the characters is no longer the reply."""
MAX_REFUSAL = 90
"""Characters: a reply that only says that there is nothing is short."""

_NOTHING = re.compile(
    r"\b(?:no|not|nothing|none|cannot|can['’]t|couldn['’]t|don['’]t|didn['’]t|unable|unknown|sorry|fine)\b|没|无|未|不(?!仅|但)|抱歉",
    re.IGNORECASE,
)


def kept_part(spec: Spec, example: Example) -> str | None:
    """The largest choice of whole lines or sentences, in their order, that breaks no rule; None where there is none.

    Only of texts: the rows and values of data belong together.
    """
    pieces = _pieces(example.assistant)
    if spec.structure.form or example.assistant.lstrip()[:1] in set("{[<|") or not 2 <= len(pieces) <= MAX_PIECES:
        return None
    least = MIN_KEPT * len(example.assistant)
    wrong = {detect_language(example.assistant)} if _is_in_wrong_language(spec, example) else set()
    for size in range(len(pieces) - 1, 0, -1):
        for chosen in combinations(pieces, size):
            text = "".join(chosen).strip()
            is_sound = len(text) >= least and not broken_rules(spec, Example(example.user, text), 0)
            if is_sound and detect_language(text) not in wrong:
                return text
    return None


def _is_in_wrong_language(spec: Spec, example: Example) -> bool:
    return any("language" in one.code for one in broken_rules(spec, example, 0))


def fallback_for(spec: Spec, example: Example) -> str | None:
    """The words of the prompt's only fallback, where a short reply says otherwise that there is nothing; else None."""
    literals = {rule.demand.literal for rule in spec.rules if isinstance(rule.demand, Fallback) and rule.demand.literal}
    text = example.assistant.strip()
    if len(literals) != 1 or len(text) > MAX_REFUSAL or not _NOTHING.search(text):
        return None
    (words,) = literals
    return words if not broken_rules(spec, Example(example.user, words), 0) else None


def _pieces(text: str) -> list[str]:
    """Lines where there are several, else sentences; each with what stands between it and the next."""
    lines = text.splitlines(keepends=True)
    return lines if len(lines) > 1 else list(_sentences(text))


def _sentences(text: str) -> Iterator[str]:
    starts = [start for start, _ in split_sentences(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text[start:end]
