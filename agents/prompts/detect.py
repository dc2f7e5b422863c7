"""The three checking agents together, without a model: rules, contradictions, form, examples."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.prompts.conflicts import contradictions
from agents.prompts.example_demands import Spec
from agents.prompts.example_language import language_of
from agents.prompts.examples import example_findings
from agents.prompts.rules import parse
from agents.prompts.structure import structure_of
from agents.prompts.structured import format_findings
from agents.prompts.types import Example, Finding, Kind, Rule


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt as it was read, and what is wrong with it and its examples."""

    rules: tuple[Rule, ...]
    spec: Spec
    findings: tuple[Finding, ...]

    def rule(self, rule_id: str) -> Rule:
        """The rule of that name."""
        return next(rule for rule in self.rules if rule.id == rule_id)


def spec_of(prompt: str, rules: Sequence[Rule], conflicts: Sequence[Finding]) -> Spec:
    """What examples are held against: every rule that is in no conflict."""
    named = {name for finding in conflicts for name in finding.rule_ids}
    clauses = {(rule.start, rule.end) for rule in rules if rule.id in named}
    forms = {rule.sentence for rule in rules if rule.id in named}
    implicated = frozenset(
        rule.id
        for rule in rules
        if (rule.start, rule.end) in clauses or (rule.kind is Kind.FORMAT and rule.sentence in forms)
    )
    pairs = tuple(frozenset(one.rule_ids) for one in conflicts if one.type == "contradiction")
    structure = structure_of(prompt, list(rules))
    return Spec(tuple(rules), structure, implicated, language_of(prompt, rules), pairs, prompt=prompt)


def inspect(prompt: str, examples: Sequence[Example]) -> Reading:
    """Read a prompt and check it. Pure; the same input gives the same findings in the same order."""
    rules = parse(prompt)
    found = contradictions(rules)
    spec = spec_of(prompt, rules, found)
    form = format_findings(prompt, rules)
    return Reading(tuple(rules), spec, (*found, *form, *example_findings(spec, examples)))
