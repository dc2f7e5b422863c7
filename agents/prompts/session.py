"""What the five agents of one run share: the version they work on, the model's judge and writer, and the decisions."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from agents.prompts.conflicts import contradictions
from agents.prompts.detect import Reading, spec_of
from agents.prompts.example_demands import Spec
from agents.prompts.examples import broken_rules, example_findings, fitted
from agents.prompts.judge import Judge
from agents.prompts.mend_examples import mend_turn
from agents.prompts.mend_prompt import Choose, Mending, mend_prompt
from agents.prompts.mend_subset import fallback_for, kept_part
from agents.prompts.patches import apply, replace_turn
from agents.prompts.rules import parse
from agents.prompts.structured import format_findings
from agents.prompts.types import Example, Finding, Patch, Rule
from agents.prompts.writer import rewritten
from agents.run import LimitError, Meter, failure
from rag.errors import EngineError, GenerationCancelledError, ModelError

Asked = TypeVar("Asked")


@dataclass(slots=True)
class Candidate:
    """A version that was made, and how it came about."""

    prompt: str
    examples: tuple[Example, ...]
    patches: list[Patch] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)


class Session:
    """One run over one prompt. Without a meter only the solver works.

    Every failure of the model is kept as a reason in ``degraded``; the run goes on with what the solver can do.
    """

    def __init__(
        self,
        prompt: str,
        examples: tuple[Example, ...],
        meter: Meter | None,
        *,
        seed: int,
        choose: Choose | None,
        judge_rules: bool = False,
    ) -> None:
        self.prompt, self.examples = prompt, examples
        self._meter, self._seed, self._choose = meter, seed, choose
        self._judge = Judge(meter) if meter is not None else None
        self._judges_rules = judge_rules
        self._lock = threading.Lock()
        self._rewritten: dict[tuple[str, Example], str | None] = {}
        self.degraded: list[str] = []

    def contradiction_agent(self, prompt: str) -> tuple[list[Rule], list[Finding]]:
        """The rules of a prompt, and those that contradict each other: the solver first, then, if asked, the model."""
        rules = parse(prompt)
        found = contradictions(rules)
        judge = self._judge
        if judge is not None and self._judges_rules:
            found += self._asked(lambda: judge.contradictions(rules, found), [])
        return rules, found

    def format_agent(self, prompt: str) -> list[Finding]:
        """What is missing or at odds in the output form."""
        return format_findings(prompt, parse(prompt))

    def example_agent(
        self, prompt: str, examples: Sequence[Example], rules: Sequence[Rule], conflicts: Sequence[Finding]
    ) -> list[Finding]:
        """Assistant turns that break a rule which is in no conflict."""
        return example_findings(spec_of(prompt, rules, conflicts), examples)

    def read(self, prompt: str, examples: Sequence[Example]) -> Reading:
        """All three checks of a version."""
        rules, conflicts = self.contradiction_agent(prompt)
        form = self.format_agent(prompt)
        shown = self.example_agent(prompt, examples, rules, conflicts)
        return Reading(tuple(rules), spec_of(prompt, rules, conflicts), (*conflicts, *form, *shown))

    def rewrite_prompt(self, before: Reading, *, flipped: bool) -> Candidate:
        """The prompt with patches for its own findings."""
        mending: Mending = mend_prompt(self.prompt, before, self.examples, choose=self._choose, flipped=flipped)
        prompt, examples = apply(self.prompt, self.examples, mending.patches)
        return Candidate(prompt, examples, mending.patches, mending.decisions)

    def update_examples(self, candidate: Candidate) -> Candidate:
        """The examples that break a rule of the candidate's prompt, mended by rule, else by the model, else cut."""
        rules, conflicts = self.contradiction_agent(candidate.prompt)
        spec = fitted(spec_of(candidate.prompt, rules, conflicts), candidate.examples)
        examples, patches = list(candidate.examples), list(candidate.patches)
        for index, example in enumerate(candidate.examples):
            found = broken_rules(spec, example, index) or _repeats(examples[:index], example, index)
            if not found:
                continue
            text, by_model = self._mended(spec, examples, index, candidate.prompt)
            if text is not None and text != example.assistant:
                patches.append(replace_turn(example, index, text, found[0].detail, by_model=by_model))
                examples[index] = replace(example, assistant=text)
        return Candidate(candidate.prompt, tuple(examples), patches, candidate.decisions)

    def _mended(self, spec: Spec, examples: list[Example], index: int, prompt: str) -> tuple[str | None, bool]:
        first = next((e for e in examples[:index] if _same_question(e, examples[index])), None)
        if first is not None:
            return first.assistant, False
        example = examples[index]
        text = mend_turn(spec, examples, index, self._pick) or fallback_for(spec, example) or kept_part(spec, example)
        if text is not None:
            return text, False
        written = self._written(spec, examples, index, prompt)
        if written is not None:
            return written, True
        return mend_turn(spec, examples, index, self._pick, is_hard=True), False

    def _written(self, spec: Spec, examples: list[Example], index: int, prompt: str) -> str | None:
        """The turn as the model writes it; the same question is not asked again in the second round."""
        meter, example = self._meter, examples[index]
        if meter is None:
            return None
        asked = (prompt, example)
        if asked not in self._rewritten:
            others = [other for i, other in enumerate(examples) if i != index]
            shown = next((other for other in others if not broken_rules(spec, other, 0)), None)
            self._rewritten[asked] = self._asked(
                lambda: rewritten(spec, example, prompt, meter, seed=self._seed, shown=shown), None
            )
        return self._rewritten[asked]

    def _pick(self, user: str, labels: Sequence[str]) -> str:
        judge = self._judge
        if judge is None or not 2 <= len(labels) <= 26:
            return ""
        return self._asked(lambda: judge.label(self.prompt, user, labels), "")

    def _asked(self, ask: Callable[[], Asked], otherwise: Asked) -> Asked:
        """What the model says; ``otherwise`` when it cannot be asked, and the reason is kept."""
        try:
            return ask()
        except GenerationCancelledError:
            raise
        except (LimitError, EngineError, ModelError) as error:
            reason = str(error) if isinstance(error, ModelError) else failure(error)
            with self._lock:
                self.degraded += [reason] if reason not in self.degraded else []
            return otherwise


def _repeats(earlier: Sequence[Example], example: Example, index: int) -> list[Finding]:
    """The finding that an earlier example answers the same question otherwise."""
    pairs = [one for one in earlier if _same_question(one, example)]
    return (
        [Finding("fewshot", "two answers", "An earlier example answers it otherwise.", example_index=index)]
        if pairs and pairs[0].assistant != example.assistant
        else []
    )


def _same_question(one: Example, other: Example) -> bool:
    return " ".join(one.user.split()).casefold() == " ".join(other.user.split()).casefold()
