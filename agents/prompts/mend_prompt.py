"""The prompt-rewriting agent: patches that remove one side of a contradiction or complete the output form.

Which side stays: the one a person chose, else the one that more examples keep, else the one in fewer conflicts, else
the one that says it knows no exception, else the one that stands first. Nothing is written that the prompt or its
examples do not say, but for the field name of a form that names none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agents.prompts.detect import Reading
from agents.prompts.example_demands import Spec
from agents.prompts.examples import broken_rules
from agents.prompts.mend_form import form_patch
from agents.prompts.patches import deletion
from agents.prompts.types import Example, Finding, Patch, Rule

Choose = Callable[[Finding, Sequence[Rule]], str]
"""Asked where nothing but the place decides: returns the id of the rule to keep, or "" for the default."""


@dataclass(slots=True)
class Mending:
    """Patches of one round, and what was decided without asking."""

    patches: list[Patch] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)


def mend_prompt(
    prompt: str, reading: Reading, examples: Sequence[Example], *, choose: Choose | None = None, flipped: bool = False
) -> Mending:
    """Patches for the findings of a reading that lie in the prompt. ``flipped``: try the other side this time."""
    mending = Mending()
    losers = _losers(reading, examples, mending, choose, flipped)
    gone = [reading.rule(loser).sentence for loser in losers]
    for loser, finding in losers.items():
        rule = reading.rule(loser)
        sound = [other for other in reading.rules if other.id not in reading.spec.implicated]
        mending.patches.append(deletion(prompt, rule, sound, finding.detail))
    for finding in reading.findings:
        is_gone = any(start <= a and b <= end for start, end in gone for a, b in finding.spans)
        if finding.type == "format" and not is_gone:
            patch, decision = form_patch(prompt, finding, reading, examples)
            if patch is not None:
                mending.patches.append(patch)
                mending.decisions += [decision] if decision else []
    mending.patches = _apart(mending.patches)
    return mending


def _losers(
    reading: Reading, examples: Sequence[Example], mending: Mending, choose: Choose | None, flipped: bool
) -> Mapping[str, Finding]:
    """The rules to take out, each with the finding that it settles."""
    conflicts = [finding for finding in reading.findings if finding.type == "contradiction"]
    degree = _degrees(conflicts, reading)
    losers: dict[str, Finding] = {}
    for finding in conflicts:
        if any(name in losers for name in finding.rule_ids):
            continue
        rules = [reading.rule(name) for name in finding.rule_ids]
        kept = _kept(rules, degree, examples, reading.spec)
        is_open = kept.is_by_place
        wanted = choose(finding, rules) if choose is not None and is_open else ""
        winner = wanted if wanted in finding.rule_ids else kept.rule_id
        lost = [rule for rule in rules if rule.id != winner]
        loser = (next(rule for rule in rules if rule.id == winner) if flipped and not wanted else lost[-1]).id
        losers[loser] = finding
        how = "chosen by the person" if wanted else kept.reason
        mending.decisions.append(
            f"Of {' / '.join(finding.quotes)} the rule {reading.rule(loser).text.strip()!r} was taken out ({how})."
        )
    return losers


def _degrees(conflicts: Sequence[Finding], reading: Reading) -> Mapping[str, int]:
    """How many other sentences each rule's sentence is in conflict with."""
    opposed: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for finding in conflicts:
        sentences = {reading.rule(name).sentence for name in finding.rule_ids}
        for sentence in sentences:
            opposed.setdefault(sentence, set()).update(sentences - {sentence})
    return {rule.id: len(opposed.get(rule.sentence, ())) for rule in reading.rules}


@dataclass(frozen=True, slots=True)
class _Kept:
    rule_id: str
    reason: str
    is_by_place: bool = False


def _kept(rules: Sequence[Rule], degree: Mapping[str, int], examples: Sequence[Example], spec: Spec) -> _Kept:
    votes = {rule.id: _votes(rule, examples, spec) for rule in rules}
    ranked = sorted(rules, key=lambda rule: (-votes[rule.id], degree[rule.id], not rule.is_universal, rule.start))
    best, second = ranked[0], ranked[1]
    if votes[best.id] != votes[second.id]:
        return _Kept(best.id, "the examples keep the other")
    if degree[best.id] != degree[second.id]:
        return _Kept(best.id, "it is in more conflicts")
    if best.is_universal != second.is_universal:
        return _Kept(best.id, "the other knows no exception")
    return _Kept(best.id, "default policy: the first one stays", is_by_place=True)


def _votes(rule: Rule, examples: Sequence[Example], spec: Spec) -> int:
    """Minus the number of examples that break a rule."""
    alone = Spec((rule,), spec.structure)
    return -sum(any(rule.id in finding.rule_ids for finding in broken_rules(alone, example, 0)) for example in examples)


def _apart(patches: Sequence[Patch]) -> list[Patch]:
    """Patches in order of place; one that overlaps an earlier one is left for the next round."""
    kept: list[Patch] = []
    for patch in sorted(patches, key=lambda patch: (patch.start, -len(patch.before))):
        is_said = kept and (patch.start, patch.after) == (kept[-1].start, kept[-1].after)
        if not kept or (patch.start >= kept[-1].end and not is_said):
            kept.append(patch)
    return kept
