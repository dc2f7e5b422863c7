"""What no version of a program may do, whatever it scores: copy from the cases, swell, or break off."""

import re
from collections.abc import Iterable

from agents.prompts.detect import inspect
from agents.tune.types import Program

COPIED = 8
"""So many words or Chinese characters in a row that a case holds too are copied from it."""
LONGEST = 1.5
"""A version may be so much longer than the original, prompt and examples each."""
_TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_BROKEN_OFF = re.compile(r"(?:[,，、;；:：（(“「\[{]|\b(?:and|or|the|a|of|to|with|for))\s*$", re.IGNORECASE)


class Guards:
    """The checks of one run. N-grams that the original has itself are nobody's copy."""

    def __init__(self, original: Program, case_texts: Iterable[str]) -> None:
        self._original = original
        self._own = grams(original.prompt)
        self._copied = frozenset().union(*(grams(text) for text in case_texts)) - self._own
        self._errors = _errors(original)

    def refusal(self, program: Program) -> str:
        """Why a version is refused before it is scored, or ""."""
        if not program.prompt.strip():
            return "the prompt is empty"
        if len(program.prompt) > LONGEST * len(self._original.prompt):
            return f"the prompt is more than {LONGEST} times as long"
        if _BROKEN_OFF.search(program.prompt) and not _BROKEN_OFF.search(self._original.prompt):
            return "the prompt breaks off"
        if shared := grams(program.prompt) & self._copied:
            return f"it shares {COPIED} words in a row with a case: {' '.join(min(shared))}"
        if _errors(program) > self._errors:
            return "it contradicts itself"
        return ""


def grams(text: str) -> frozenset[tuple[str, ...]]:
    """The runs of COPIED words or Chinese characters of a text, case-folded."""
    tokens = [token.casefold() for token in _TOKEN.findall(text)]
    return frozenset(tuple(tokens[i : i + COPIED]) for i in range(len(tokens) - COPIED + 1))


def _errors(program: Program) -> int:
    """Contradictions and defects of form that the solver finds; demos may be what they are."""
    return sum(finding.severity == "error" for finding in inspect(program.prompt, ()).findings)
