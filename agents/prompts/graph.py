"""The five agents as one LangGraph graph.

Its shape::

    contradictions ┐
    form           ├─ gather ─┬─ (nothing wrong) ─ end
    examples       ┘          └─ rewrite ─ update ─ check again ─┬─ accept ─ end
                                  ↑── once more, the other way ──┤
                                                                 └─ roll back ─ end

A version is accepted only if it has fewer errors, none that is new, and every rule that was in no finding.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypedDict, cast

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agents.prompts.detect import Reading, spec_of
from agents.prompts.session import Candidate, Session
from agents.prompts.types import Content, Finding, Format, Rule

Told = Callable[..., None]
"""Called with the name of a step that ended and what it decided."""

MAX_ROUNDS = 2


class State(TypedDict):
    """What travels along the edges; the texts stay in the ``Work``."""

    round: int
    verdict: str


@dataclass(slots=True)
class Work:
    """What the nodes fill in, one after the other."""

    rules: list[Rule] = field(default_factory=list)
    conflicts: list[Finding] = field(default_factory=list)
    form: list[Finding] = field(default_factory=list)
    before: Reading | None = None
    candidate: Candidate | None = None
    after: Reading | None = None
    reason: str = ""


def build(session: Session, work: Work, tell: Told) -> "CompiledStateGraph[State, None, State, State]":
    """The compiled graph of one run; invoke it with ``{"round": 0, "verdict": ""}``."""
    graph = StateGraph(State)
    nodes = _Nodes(session, work, tell)
    graph.add_node("contradictions", nodes.contradictions)
    graph.add_node("form", nodes.form)
    graph.add_node("examples", nodes.examples)
    graph.add_node("rewrite", nodes.rewrite)
    graph.add_node("update", nodes.update)
    graph.add_node("check", nodes.check)
    graph.add_edge(START, "contradictions")
    graph.add_edge(START, "form")
    # Examples are held against the rules that are in no conflict, so this check waits for the other two.
    graph.add_edge(["contradictions", "form"], "examples")
    graph.add_conditional_edges("examples", nodes.anything_wrong, {"mend": "rewrite", "end": END})
    graph.add_edge("rewrite", "update")
    graph.add_edge("update", "check")
    graph.add_conditional_edges("check", nodes.verdict, {"retry": "rewrite", "end": END})
    return graph.compile()


class _Nodes:
    """The steps of one run."""

    def __init__(self, session: Session, work: Work, tell: Told) -> None:
        self._session, self._work, self._tell = session, work, tell

    def contradictions(self, state: State) -> dict[str, object]:
        self._work.rules, self._work.conflicts = self._session.contradiction_agent(self._session.prompt)
        self._tell("contradictions", rules=len(self._work.rules), findings=len(self._work.conflicts))
        return {}

    def form(self, state: State) -> dict[str, object]:
        self._work.form = self._session.format_agent(self._session.prompt)
        self._tell("form", findings=len(self._work.form))
        return {}

    def examples(self, state: State) -> dict[str, object]:
        work, session = self._work, self._session
        shown = session.example_agent(session.prompt, session.examples, work.rules, work.conflicts)
        spec = spec_of(session.prompt, work.rules, work.conflicts)
        work.before = Reading(tuple(work.rules), spec, (*work.conflicts, *work.form, *shown))
        self._tell("examples", findings=len(shown))
        return {}

    def anything_wrong(self, state: State) -> Literal["mend", "end"]:
        return "mend" if _reading(self._work.before).findings else "end"

    def rewrite(self, state: State) -> dict[str, object]:
        before = _reading(self._work.before)
        self._work.candidate = self._session.rewrite_prompt(before, flipped=state["round"] > 0)
        self._tell("rewrite", patches=len(self._work.candidate.patches), round=state["round"])
        return {}

    def update(self, state: State) -> dict[str, object]:
        candidate = cast("Candidate", self._work.candidate)
        self._work.candidate = self._session.update_examples(candidate)
        self._tell("update", patches=len(self._work.candidate.patches) - len(candidate.patches))
        return {}

    def check(self, state: State) -> dict[str, object]:
        candidate = cast("Candidate", self._work.candidate)
        before = _reading(self._work.before)
        self._work.after = self._session.read(candidate.prompt, candidate.examples)
        self._work.reason = refusal(before, self._work.after, candidate)
        verdict = "accept" if not self._work.reason else "retry" if state["round"] + 1 < MAX_ROUNDS else "roll back"
        self._tell("check", verdict=verdict, reason=self._work.reason, findings=len(self._work.after.findings))
        return {"round": state["round"] + 1, "verdict": verdict}

    def verdict(self, state: State) -> Literal["retry", "end"]:
        return "retry" if state["verdict"] == "retry" else "end"


def refusal(before: Reading, after: Reading, candidate: Candidate) -> str:
    """Why a version is not accepted, or ""."""
    if not candidate.patches:
        return "there is no patch for what was found"
    old, new = errors(before.findings), errors(after.findings)
    if len(new) >= len(old):
        return f"errors did not fall: {len(old)} before, {len(new)} after"
    if fresh := [one for one in new if one.key not in {other.key for other in old} and not _was_known(one, old)]:
        return f"a new error: {fresh[0].detail}"
    if lost := lost_rules(before, after, candidate):
        return f"a rule was lost: {lost[0].text.strip()}"
    return ""


def errors(findings: tuple[Finding, ...]) -> list[Finding]:
    """Findings that are errors."""
    return [finding for finding in findings if finding.severity == "error"]


def lost_rules(before: Reading, after: Reading, candidate: Candidate) -> list[Rule]:
    """Rules that were in no finding of the prompt and that the new version does not have, by word or by meaning."""
    implicated = {name for finding in before.findings if finding.type != "fewshot" for name in finding.rule_ids}
    form = [finding for finding in before.findings if finding.type == "format"]
    reasons = {finding.detail for finding in form}
    touched = [span for finding in form for span in finding.spans]
    touched += [
        (patch.start, patch.end)
        for patch in candidate.patches
        if patch.example_index is None and patch.reason in reasons
    ]
    keys = {rule.key for rule in after.rules}
    return [
        rule
        for rule in before.rules
        if rule.id not in implicated
        and rule.text.strip(" .。") not in candidate.prompt
        and rule.key not in keys
        and not _is_within(rule, touched, before, implicated)
    ]


def _is_within(rule: Rule, touched: list[tuple[int, int]], before: Reading, implicated: set[str]) -> bool:
    """Whether a rule is part of what was wrong: in a sentence with an implicated rule, or where the form was."""
    if any(start < rule.sentence[1] and rule.sentence[0] < end for start, end in touched):
        return True
    shared = [other for other in before.rules if other.sentence == rule.sentence and other.id in implicated]
    return bool(shared) and (isinstance(rule.demand, Content | Format) or rule.start == shared[0].start)


def _was_known(finding: Finding, old: list[Finding]) -> bool:
    """An example that is still wrong in the same way quotes another text; it is not a new error."""
    same = (finding.type, finding.code, finding.example_index)
    return finding.example_index is not None and any((one.type, one.code, one.example_index) == same for one in old)


def _reading(reading: Reading | None) -> Reading:
    return cast("Reading", reading)
