"""Multi-hop answering over the notes: retrieve, think one sentence, retrieve with it (IRCoT, Trivedi et al., 2023).

At most three retrievals. A question that compares things is split by the term index, without a model. Every thought is
checked against the notes and carries citations, or is marked as a mere guess that only steered the search. The final
answer comes from ``Notebook.answer_from`` in RCG mode: the same support check as any other answer.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from agents import notes, prompt_files
from agents.run import Limits, Meter, Outcome, Progress, Result, failure
from rag import phrases
from rag.drafts import clean_sentence
from rag.errors import MingbaiError, UsageError
from rag.evidence import evidence_sentences
from rag.notebook import Notebook, check_question
from rag.prompting import render_passages
from rag.protocols import GenerationRequest
from rag.support import judge_sentence
from rag.text import detect_language, is_meaningful, split_sentences
from rag.types import Answer, Citation, Passage, State

MAX_HOPS = 3
THOUGHT_TOKENS = 64
# Passages that the final answer may read; those that thoughts cite come first.
MAX_EVIDENCE = 8
# Passages shown to the model while it thinks; the prompt stays short on a CPU.
SHOWN = 5
# Probability of "enough" from which no further hop is made.
ENOUGH = 0.8


@dataclass(frozen=True, slots=True)
class Hop:
    """One retrieval: what was searched, which chunks were new, and the thought that led to it.

    ``citations`` are empty for the first hop (there was no thought yet) and for a thought without support.
    """

    query: str
    found: tuple[str, ...]
    thought: str = ""
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HopResult(Result):
    """What the agent found. ``checked`` is the answer with its citations; ``evidence`` is what it could read."""

    hops: tuple[Hop, ...] = ()
    evidence: tuple[Passage, ...] = ()
    checked: Answer | None = None


class MultiHop:
    """Answers questions that need several entries.

    Args:
        notebook: is searched, and writes the checked answer.
        hops: at most so many retrievals, 1 to MAX_HOPS.
        limits: of one run.
        seed: of the decoding, which is greedy.

    Raises:
        UsageError: ``hops`` is out of range.
    """

    def __init__(
        self, notebook: Notebook, *, hops: int = MAX_HOPS, limits: Limits | None = None, seed: int = 0
    ) -> None:
        if not 1 <= hops <= MAX_HOPS:
            raise UsageError(f"hops is {hops}; it must be 1 to {MAX_HOPS}.")
        self._notebook = notebook
        self._hops = hops
        self._limits = limits or Limits()
        self._seed = seed

    def run(
        self, question: str, *, cancel: threading.Event | None = None, progress: Progress | None = None
    ) -> HopResult:
        """Answer a question.

        Raises:
            QuestionError: the question holds no word.
            GenerationCancelledError: ``cancel`` was set.
        """
        check_question(question)
        meter = Meter(self._notebook.generator, self._limits, cancel=cancel, progress=progress)
        trail = _Trail(self._notebook, meter)
        reason = ""
        try:
            self._gather(meter, question, trail)
        except MingbaiError as error:
            reason = failure(error)
        evidence = trail.evidence()
        checked: Answer | None = None
        try:
            checked = notes.answer_from(self._notebook, question, evidence, meter)
        except MingbaiError as error:
            reason = reason or failure(error)
        return self._result(meter, question, trail, checked, reason)

    def _gather(self, meter: Meter, question: str, trail: "_Trail") -> None:
        trail.search(question)
        for part in trail.parts(question):
            if len(trail.hops) < self._hops:
                trail.search(part)
        if len(trail.hops) > 1:
            return
        while len(trail.hops) < self._hops and not self._is_enough(meter, question, trail):
            thought = self._think(meter, question, trail)
            if not is_meaningful(thought):
                return
            if not trail.search(thought, thought=thought, citations=trail.cite(question, thought)):
                return

    def _is_enough(self, meter: Meter, question: str, trail: "_Trail") -> bool:
        language = detect_language(question)
        messages = prompt_files.messages(__package__, "hop", language, trail.values(question), section=2)
        probability = meter.choose(messages, phrases.YES_NO[language])[0]
        meter.record("enough", "", probability=round(probability, 4))
        return probability >= ENOUGH

    def _think(self, meter: Meter, question: str, trail: "_Trail") -> str:
        messages = prompt_files.messages(__package__, "hop", detect_language(question), trail.values(question))
        request = GenerationRequest(messages=messages, max_tokens=THOUGHT_TOKENS, seed=self._seed)
        text = meter.write("think", request).text
        spans = split_sentences(text)
        return clean_sentence(text[slice(*spans[0])]) if spans else ""

    def _result(self, meter: Meter, question: str, trail: "_Trail", checked: Answer | None, reason: str) -> HopResult:
        refused = checked is not None and checked.state is State.REFUSED
        outcome = Outcome.DEGRADED if reason or checked is None else Outcome.REFUSED if refused else Outcome.DONE
        return HopResult(
            agent="hop",
            question=question,
            outcome=outcome,
            answer=checked.text if checked else "",
            reason=reason or ("the notes do not hold the answer" if refused else ""),
            reasoning="\n".join(hop.thought for hop in trail.hops if hop.thought),
            steps=tuple(meter.steps),
            cost=meter.cost,
            model=meter.model_id,
            seed=self._seed,
            hops=tuple(trail.hops),
            evidence=trail.evidence(),
            checked=checked,
        )


class _Trail:
    """What one run has searched and found so far."""

    def __init__(self, notebook: Notebook, meter: Meter) -> None:
        self._notebook = notebook
        self._meter = meter
        self._found: list[list[Passage]] = []
        self.hops: list[Hop] = []

    def search(self, query: str, *, thought: str = "", citations: Sequence[Citation] = ()) -> bool:
        """Retrieve and note what is new; False when nothing is."""
        self._meter.count_call()
        known = {passage.chunk_id for found in self._found for passage in found}
        passages = self._notebook.search(query[:400])
        self._found.append(passages)
        new = tuple(p.chunk_id for p in passages if p.chunk_id not in known)
        self.hops.append(Hop(query, new, thought, tuple(citations)))
        self._meter.record("search", query, new=len(new), cited=len(citations))
        return bool(new)

    def parts(self, question: str) -> list[str]:
        """The names of the things that a question compares; none when it compares nothing."""
        terms = self._notebook.index.terms
        return [terms.terms[readings[0].term].title for readings in terms.parts(question)]

    def cite(self, question: str, thought: str) -> tuple[Citation, ...]:
        """Where the notes say what a thought says; empty when they do not."""
        evidence = evidence_sentences(self.evidence())
        verdict = judge_sentence(thought, evidence, question=question)
        return verdict.citations if verdict.supported else ()

    def values(self, question: str) -> dict[str, str]:
        """What the prompt shows."""
        thoughts = [hop.thought for hop in self.hops if hop.thought]
        return {
            "passages": render_passages(self.evidence()[:SHOWN]),
            "question": question,
            "thoughts": "\n".join(f"- {thought}" for thought in thoughts) or "-",
        }

    def evidence(self) -> tuple[Passage, ...]:
        """At most MAX_EVIDENCE passages: cited ones first, then the hops' best in turn. Ranks are rewritten."""
        cited = {citation.chunk_id for hop in self.hops for citation in hop.citations}
        turns = [p for row in zip_longest(*self._found) for p in row if p is not None]
        once = {passage.chunk_id: passage for passage in turns}
        ordered = sorted(once.values(), key=lambda passage: passage.chunk_id not in cited)
        return tuple(replace(passage, rank=rank) for rank, passage in enumerate(ordered[:MAX_EVIDENCE], 1))
