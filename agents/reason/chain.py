"""Chain of thought: think freely first, then say the answer; check the arithmetic; vote when asked to.

Zero-shot (Kojima et al., 2022), few-shot with worked steps (Wei et al., 2022), plan-and-solve (Wang et al., 2023) and
self-consistency (Wang et al., 2023). The reasoning is never the answer: the answer is what stands behind the marker, or
what a second short call extracts. An equation in the reasoning that does not hold is shown to the model once.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agents import prompt_files
from agents.reason.answers import WrongEquation, conclusion, normal_form, wrong_equations
from agents.run import Limits, Meter, Outcome, Progress, Result, failure
from rag.errors import MingbaiError, UsageError
from rag.notebook import check_question
from rag.protocols import Generation, GenerationRequest, Generator
from rag.text import detect_language
from rag.types import Message, Role

DIRECT_TOKENS = 48
THOUGHT_TOKENS = 400
ANSWER_TOKENS = 32
MAX_SAMPLES = 5
# So many samples that agree end the voting early: with five, no other answer can win any more.
ENOUGH_VOTES = 3
SAMPLE_TEMPERATURE = 0.7
SAMPLE_TOP_P = 0.95


class Method(StrEnum):
    """How a question is thought about. ``deep`` is self-consistency over zero-shot thoughts."""

    DIRECT = "direct"
    ZERO_SHOT = "zero-shot"
    FEW_SHOT = "few-shot"
    PLAN = "plan"
    DEEP = "deep"


# As right as "step by step" in less than half the time (docs/agents-reasoning.md).
DEFAULT_METHOD = Method.FEW_SHOT


@dataclass(frozen=True, slots=True)
class Thought:
    """One line of reasoning: its text, the answer it reaches, its wrong equations, and whether it was cut."""

    text: str
    answer: str
    wrong: tuple[WrongEquation, ...] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution(Result):
    """What the reasoner found. ``votes`` counts the answers of the samples, most frequent first."""

    method: Method = DEFAULT_METHOD
    thoughts: tuple[Thought, ...] = ()
    votes: tuple[tuple[str, int], ...] = ()


class Reasoner:
    """Answers questions by reasoning, without the notes.

    Args:
        generator: the model.
        limits: of one run.
        seed: of the decoding; sample number i uses ``seed + i``.
        samples: at most so many thoughts for ``deep``, 1 to MAX_SAMPLES.

    Raises:
        UsageError: ``samples`` is out of range.
    """

    def __init__(
        self, generator: Generator, *, limits: Limits | None = None, seed: int = 0, samples: int = MAX_SAMPLES
    ) -> None:
        if not 1 <= samples <= MAX_SAMPLES:
            raise UsageError(f"samples is {samples}; it must be 1 to {MAX_SAMPLES}.")
        self._generator = generator
        self._limits = limits or Limits()
        self._seed = seed
        self._samples = samples

    def solve(
        self,
        question: str,
        method: Method | str = DEFAULT_METHOD,
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> Solution:
        """Answer a question.

        Raises:
            QuestionError: the question holds no word.
            GenerationCancelledError: ``cancel`` was set.
            ValueError: there is no such method.
        """
        check_question(question)
        chosen = Method(method)
        meter = Meter(self._generator, self._limits, cancel=cancel, progress=progress)
        thoughts: list[Thought] = []
        reason = ""
        try:
            if chosen is Method.DIRECT:
                thoughts.append(self._direct(meter, question))
            elif chosen is Method.DEEP:
                self._sample(meter, question, thoughts)
            else:
                thoughts.append(self._think(meter, question, chosen))
        except MingbaiError as error:
            reason = failure(error)
        return self._solution(meter, question, chosen, thoughts, reason)

    def _direct(self, meter: Meter, question: str) -> Thought:
        made = self._write(meter, "direct", _prompt(question, Method.DIRECT), DIRECT_TOKENS)
        return Thought("", conclusion(made.text) or made.text.strip(), is_cut=made.finish != "stop")

    def _sample(self, meter: Meter, question: str, thoughts: list[Thought]) -> None:
        """Add sampled thoughts until ENOUGH_VOTES agree; the first one is greedy."""
        for number in range(self._samples):
            thoughts.append(self._think(meter, question, Method.ZERO_SHOT, sample=number))
            votes = _votes(thoughts)
            if votes and votes[0][1] >= ENOUGH_VOTES:
                return

    def _think(self, meter: Meter, question: str, method: Method, sample: int = 0) -> Thought:
        messages = _prompt(question, method)
        made = self._write(meter, "think", messages, THOUGHT_TOKENS, sample=sample)
        wrong = wrong_equations(made.text)
        if wrong and made.finish == "stop":
            meter.record("check", "; ".join(w.equation for w in wrong), wrong=len(wrong))
            fix = prompt_files.sections(__package__, "fix", detect_language(question))[1]
            shown = "; ".join(f"{w.equation} → {w.correct}" for w in wrong)
            messages = (
                *messages,
                Message(Role.ASSISTANT, made.text),
                Message(Role.USER, prompt_files.fill(fix, {"errors": shown})),
            )
            made = self._write(meter, "rethink", messages, THOUGHT_TOKENS, sample=sample)
            wrong = wrong_equations(made.text)
        is_cut = made.finish != "stop"
        answer = "" if is_cut else conclusion(made.text)
        if not answer:
            answer = self._extract(meter, messages, made, detect_language(question))
        return Thought(made.text, answer, tuple(wrong), is_cut)

    def _extract(self, meter: Meter, messages: Sequence[Message], made: Generation, language: str) -> str:
        """Ask for the answer alone, after the thought (the second call of Kojima et al., 2022)."""
        ask = prompt_files.sections(__package__, "extract", language)[1]
        chat = (*messages, Message(Role.ASSISTANT, made.text), Message(Role.USER, ask))
        short = self._write(meter, "extract", chat, ANSWER_TOKENS)
        return conclusion(short.text) or short.text.strip().split("\n")[0]

    def _write(
        self, meter: Meter, name: str, messages: Sequence[Message], max_tokens: int, sample: int = 0
    ) -> Generation:
        request = GenerationRequest(
            messages=tuple(messages),
            max_tokens=max_tokens,
            temperature=SAMPLE_TEMPERATURE if sample else 0.0,
            top_p=SAMPLE_TOP_P if sample else 1.0,
            seed=self._seed + sample,
        )
        return meter.write(name, request)

    def _solution(
        self, meter: Meter, question: str, method: Method, thoughts: Sequence[Thought], reason: str
    ) -> Solution:
        votes = _votes(thoughts)
        best = next((t for t in thoughts if votes and normal_form(t.answer) == votes[0][0]), None)
        if best is None:
            reason = reason or "the model reached no answer"
        elif method is not Method.DEEP or len(votes) == len(thoughts) > 1:
            reason = reason or _doubt(best, votes)
        return Solution(
            agent="cot",
            question=question,
            outcome=Outcome.DEGRADED if reason else Outcome.DONE,
            answer=best.answer if best else "",
            reason=reason,
            reasoning=best.text if best else "",
            steps=tuple(meter.steps),
            cost=meter.cost,
            model=meter.model_id,
            seed=self._seed,
            method=method,
            thoughts=tuple(thoughts),
            votes=tuple(votes),
        )


def _doubt(thought: Thought, votes: Sequence[tuple[str, int]]) -> str:
    """Why an answer cannot be relied on, "" when nothing speaks against it."""
    if len(votes) > 1 and votes[0][1] == 1:
        return "no two samples agree"
    if thought.is_cut:
        return "the reasoning was cut at its token limit"
    if thought.wrong:
        return f"the reasoning holds a wrong equation: {thought.wrong[0].equation}"
    return ""


def _votes(thoughts: Sequence[Thought]) -> list[tuple[str, int]]:
    """Answers by frequency, ties in the order of appearance.

    Thoughts that were cut or miscalculate weigh nothing as long as another one is sound.
    """
    sound = [t for t in thoughts if t.answer and not t.is_cut and not t.wrong]
    counted = Counter(normal_form(t.answer) for t in sound or thoughts if normal_form(t.answer))
    return counted.most_common()


def _prompt(question: str, method: Method) -> tuple[Message, ...]:
    name = {Method.DIRECT: "direct", Method.PLAN: "plan", Method.FEW_SHOT: "few_shot"}.get(method, "zero_shot")
    return prompt_files.messages(__package__, name, detect_language(question), {"question": question})
