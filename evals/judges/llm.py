"""The LLM judge: the probability of 是 (Yes) as the next token, no text is generated and none is parsed.

The claim is shown with each passage and with all of them together; the best verdict counts. Every prompt is asked
with both orders of the labels and the two probabilities are averaged, because small models prefer a position.
Prompts are files beside this module, in the language of the claim, and never those of the generator.
"""

import re
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib import resources

from evals.judges.base import Verdict
from rag.errors import PromptTooLongError
from rag.protocols import Generator
from rag.types import Message, Role

LABELS = {"zh": ("是", "否"), "en": ("Yes", "No")}
_FIELD = re.compile(r"\{(passage|question|claim|first|second)\}")
_FENCE = re.compile(r"<(?=\s*/?\s*(?:资料|陈述|passage|statement|\|))", re.IGNORECASE)


class LLMJudge:
    """A judge over any generator that can tell the probability of its next token."""

    def __init__(self, generator: Generator) -> None:
        """Judge with ``generator``; the caller owns and closes it."""
        self._generator = generator
        self.name = f"llm:{generator.model_id}"

    def verdict(self, claim: str, passages: Sequence[str], *, question: str = "", lang: str = "zh") -> Verdict:
        """See :class:`evals.judges.base.Judge`.

        Passages that do not fit the context together are only judged one by one; the source says so.

        Raises:
            PromptTooLongError: not even a single passage fits the context.
        """
        if not passages:
            return Verdict(0.0, f"{self.name}: no passages")
        best = max(self._probability(claim, p, question=question, lang=lang) for p in passages)
        source = self.name
        if len(passages) > 1:
            try:
                together = self._probability(claim, "\n\n".join(passages), question=question, lang=lang)
                best = max(best, together)
            except PromptTooLongError:
                source = f"{self.name}: passages too long to be judged together"
        return Verdict(best, source)

    def _probability(self, claim: str, passage: str, *, question: str, lang: str) -> float:
        yes, no = LABELS[lang]
        total = 0.0
        for first, second in ((yes, no), (no, yes)):
            values = {"passage": passage, "question": question, "claim": claim, "first": first, "second": second}
            total += self._generator.choose(_messages(lang, values), (yes, no))[0]
        return total / 2


@cache
def prompt(lang: str) -> str:
    """The prompt of a language, ``zh`` or ``en``."""
    path = resources.files("evals.judges").joinpath("prompts", f"support.{lang}.md")
    return path.read_text(encoding="utf-8").strip()


def prompts_hash() -> str:
    """The first 16 hex digits of the sha256 of all judge prompts, for provenance."""
    return sha256("\0".join(prompt(lang) for lang in LABELS).encode()).hexdigest()[:16]


def _messages(lang: str, values: dict[str, str]) -> tuple[Message, ...]:
    """The prompt with its fields filled in one pass; what looks like a delimiter inside a value is defused."""
    filled = _FIELD.sub(lambda m: _FENCE.sub("‹", values[m[1]].strip()), prompt(lang))
    return (Message(Role.USER, filled),)
