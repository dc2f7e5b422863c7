"""The LLM judge: the probability of 是 (Yes) as the next token, no text is generated and none is parsed.

The claim is shown with each passage and with all of them together; the best verdict counts. Every prompt is asked
with both orders of the labels and the two probabilities are averaged, because small models prefer a position; the
average is calibrated (``evals.judges.calibration``), because they prefer yes.
Prompts are files beside this module, in the language of the claim, and never those of the generator.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib import resources

from evals.judges.base import Verdict
from evals.judges.calibration import Calibration, load_calibrations
from rag.errors import PromptTooLongError
from rag.protocols import Generator
from rag.types import Message, Role

LABELS = {"zh": ("是", "否"), "en": ("Yes", "No")}
_FIELD = re.compile(r"\{(passage|claim|first|second)\}")
_FENCE = re.compile(r"<(?=\s*/?\s*(?:资料|陈述|passage|statement|\|))", re.IGNORECASE)


class LLMJudge:
    """A judge over any generator that can tell the probability of its next token."""

    def __init__(self, generator: Generator, *, calibrations: Mapping[str, Calibration] | None = None) -> None:
        """Judge with ``generator``; the caller owns and closes it.

        ``calibrations`` by language default to the committed ones of the generator's model, if there are any.
        """
        self._generator = generator
        self._calibrations = load_calibrations(generator.model_id) if calibrations is None else dict(calibrations)
        self.name = f"llm:{generator.model_id}"

    def verdict(self, claim: str, passages: Sequence[str], *, question: str = "", lang: str = "zh") -> Verdict:
        """See :class:`evals.judges.base.Judge`.

        The question is not shown: it is no evidence, and a small model takes its premises for granted. Passages that
        do not fit the context together are only judged one by one; the source says so.

        Raises:
            PromptTooLongError: not even a single passage fits the context.
        """
        if not passages:
            return Verdict(0.0, f"{self.name}: no passages")
        best = max(self._probability(claim, p, lang) for p in passages)
        source = self.name
        if len(passages) > 1:
            try:
                together = self._probability(claim, "\n\n".join(passages), lang)
                best = max(best, together)
            except PromptTooLongError:
                source = f"{self.name}: passages too long to be judged together"
        return Verdict(best, source)

    def _probability(self, claim: str, passage: str, lang: str) -> float:
        yes, no = LABELS[lang]
        total = 0.0
        for first, second in ((yes, no), (no, yes)):
            values = {"passage": passage, "claim": claim, "first": first, "second": second}
            total += self._generator.choose(_messages(lang, values), (yes, no))[0]
        calibration = self._calibrations.get(lang)
        return calibration.apply(total / 2) if calibration else total / 2


@cache
def prompt(lang: str) -> str:
    """The prompt of a language, ``zh`` or ``en``."""
    path = resources.files("evals.judges").joinpath("prompts", f"support.{lang}.md")
    return path.read_text(encoding="utf-8").strip()


def templates_hash() -> str:
    """The first 16 hex digits of the sha256 of the judge prompts: a calibration belongs to them."""
    return sha256("\0".join(prompt(lang) for lang in LABELS).encode()).hexdigest()[:16]


def prompts_hash() -> str:
    """The same over the prompts and the committed calibrations: what decides a verdict, next to the weights."""
    calibrations = resources.files("evals.judges").joinpath("calibration.json").read_text(encoding="utf-8")
    return sha256(f"{templates_hash()}\0{calibrations}".encode()).hexdigest()[:16]


def _messages(lang: str, values: dict[str, str]) -> tuple[Message, ...]:
    """The prompt with its fields filled in one pass; what looks like a delimiter inside a value is defused."""
    filled = _FIELD.sub(lambda m: _FENCE.sub("‹", values[m[1]].strip()), prompt(lang))
    return (Message(Role.USER, filled),)
