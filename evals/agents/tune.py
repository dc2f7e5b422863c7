"""The RCG prompt of this project under ``agents.optimize``: what would a better one gain by the metric of these evals?

Every version is asked through the whole product: search, answer, gate, check of each sentence. Nothing is put into use.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

from agents.tune import Feedback, Program, Tuned
from evals.metrics.answers import key_fact_recall, worded
from evals.tables import DASH, Table
from evals.types import Case
from rag.notebook import Notebook
from rag.prompting import sections
from rag.protocols import GenerationRequest, GenerationStream, Generator
from rag.types import Message, Mode, Role, State
from rag.wrapped import WrappedGenerator

WORDS = {
    "zh": ("笔记里没有答案，却作了回答。", "笔记里有答案，却拒绝了。", "要点有 {all} 个，只说出了 {held} 个。"),
    "en": (
        "The notes hold no answer, but one was given.",
        "The notes hold the answer, but it was refused.",
        "It says {held} of {all} key facts.",
    ),
}


def system_prompt(language: str) -> str:
    """The system text of the RCG prompt, "zh" or "en"."""
    return sections(Mode.RCG, language)[0]


class Prompted(WrappedGenerator):
    """Asks with ``prompt`` wherever the RCG prompt of a language would be the system text."""

    def __init__(self, generator: Generator, language: str) -> None:
        super().__init__(generator)
        self._original = system_prompt(language)
        self.prompt = self._original

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> GenerationStream:
        """As the generator inside, with the other prompt."""
        return self.inner.generate(replace(request, messages=self._exchanged(request.messages)), cancel)

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """As the generator inside, with the other prompt."""
        return self.inner.choose(self._exchanged(messages), options)

    def _exchanged(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        original = Message(Role.SYSTEM, self._original)
        return tuple(Message(Role.SYSTEM, self.prompt) if message == original else message for message in messages)


class RcgMetric:
    """The share of key facts that the answer says in words of its own; where the notes hold no answer, 1 for refusing.

    Quotes of the notes beside the model's words do not count: they are the same whatever the prompt is.

    Args:
        notebook: asks through ``prompted``.
        prompted: given the prompt of each program.
        language: of what is said about a failure.
    """

    def __init__(self, notebook: Notebook, prompted: Prompted, language: str) -> None:
        self._notebook = notebook
        self._prompted = prompted
        self._words = WORDS[language]

    def __call__(self, program: Program, case: Case, /) -> Feedback:
        """Ask and judge. Facts that are missing are counted, never named: no version may copy them."""
        self._prompted.prompt = program.prompt
        answer = self._notebook.ask(case.question, "rcg")
        given, refused, partly = self._words
        is_refused = answer.state is State.REFUSED
        if not case.answerable:
            return Feedback(1.0) if is_refused else Feedback(0.0, given)
        if is_refused:
            return Feedback(0.0, refused)
        held = key_fact_recall(case, worded(answer)).value or 0.0
        total = len(case.key_facts)
        return Feedback(held, "" if held == 1 else partly.format(held=round(held * total), all=total))


def tables(tuned: Tuned) -> list[Table]:
    """What was tried, and what the version that stayed gained."""
    tried = [
        [trial.origin, _number(trial.minibatch), _number(trial.validation), trial.refused or "kept"]
        for trial in tuned.trials
    ]
    gain = tuned.test
    held_out = (
        "no version was kept, so none was tested"
        if gain is None
        else f"{gain.before:.3f} → {gain.after:.3f}: {gain.difference:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
    )
    outcome = [
        ["validation cases", f"{tuned.validation[0]:.3f} → {tuned.validation[1]:.3f}"],
        [f"held-out cases{f' ({gain.n})' if gain else ''}", held_out],
        ["ended because", tuned.stopped],
        ["answers", f"{tuned.metric_calls} in {tuned.seconds:.0f} s, seed {tuned.seed}"],
    ]
    return [
        Table("Versions of the RCG prompt", ["version", "minibatch", "validation", "outcome"], tried),
        Table("What stayed", ["", ""], outcome),
    ]


def _number(score: float | None) -> str:
    return DASH if score is None else f"{score:.3f}"
