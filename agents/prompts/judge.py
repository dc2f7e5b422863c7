"""What only a model can judge, as one-token verdicts: do two rules contradict each other, which label fits a text.

Small models prefer one letter whatever it stands for, so every question is asked with its options in both orders and
the probabilities are averaged (Zheng et al., 2024, on selection bias). Only pairs that speak of the same matter and
that the solver could not decide are asked.
"""

from collections.abc import Sequence
from itertools import combinations
from string import ascii_uppercase

from agents.prompt_files import fill, sections
from agents.prompts import content
from agents.prompts.conflicts import clash, finding, meets
from agents.prompts.types import Content, Finding, Priority, Rule
from agents.run import Meter
from rag.text import detect_language
from rag.types import Message, Role

PACKAGE = "agents.prompts"
MIN_CONFLICT = 0.9
"""A pair is a contradiction from this mean probability on; see docs/agents-prompts.md for how it was chosen."""
MAX_PAIRS = 8
"""Of a prompt, most related first: two calls each, about a second on two cores."""


class Judge:
    """Asks a model, once for each question. It belongs to one run."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._known: dict[tuple[str, str], float] = {}

    def contradictions(self, rules: Sequence[Rule], decided: Sequence[Finding]) -> list[Finding]:
        """Contradictions among the pairs that the solver left open.

        Raises:
            LimitError, EngineError: the model could not be asked any more.
        """
        settled = {frozenset(one.rule_ids) for one in decided}
        found = []
        for one, other in candidate_pairs(rules):
            if frozenset((one.id, other.id)) in settled:
                continue
            probability = self.conflict(one.text, other.text)
            if probability >= MIN_CONFLICT:
                reason = f"judged: they contradict each other (probability {probability:.2f})"
                found.append(finding((one, other), reason, source="model"))
        return found

    def conflict(self, one: str, other: str) -> float:
        """The probability that two rules contradict each other. Raises as ``contradictions``."""
        if (one, other) not in self._known:
            language = detect_language(one + other)
            system, user, yes, no = sections(PACKAGE, "conflict", language)
            shares = []
            for first, second, conflict_at in ((yes, no, 1), (no, yes, 0)):
                text = fill(user, {"one": one.strip(), "two": other.strip(), "first": first, "second": second})
                chosen = self._meter.choose((Message(Role.SYSTEM, system), Message(Role.USER, text)), ("A", "B"))
                shares.append(chosen[conflict_at])
            self._known[one, other] = sum(shares) / len(shares)
        return self._known[one, other]

    def label(self, task: str, text: str, labels: Sequence[str]) -> str:
        """The label that fits a text best. Raises as ``contradictions``."""
        system, user = sections(PACKAGE, "label", detect_language(task + text))
        totals = dict.fromkeys(labels, 0.0)
        for order in (list(labels), list(reversed(labels))):
            letters = ascii_uppercase[: len(order)]
            options = "\n".join(f"{letter}. {label}" for letter, label in zip(letters, order, strict=True))
            filled = fill(user, {"task": task, "text": text, "options": options})
            shares = self._meter.choose((Message(Role.SYSTEM, system), Message(Role.USER, filled)), tuple(letters))
            for label, share in zip(order, shares, strict=True):
                totals[label] += share
        return max(totals, key=lambda label: totals[label])


def candidate_pairs(rules: Sequence[Rule]) -> list[tuple[Rule, Rule]]:
    """Pairs that may contradict each other and that the solver cannot decide, most related first."""
    pairs = []
    for one, other in combinations(rules, 2):
        if one.sentence == other.sentence or not meets(one, other) or clash(one, other) or not _is_open(one, other):
            continue
        a, b = content.units(one.text), content.units(other.text)
        if content.related(a, b):
            pairs.append((content.overlap(a, b), one, other))
    pairs.sort(key=lambda pair: (-pair[0], pair[1].start, pair[2].start))
    seen: dict[tuple[str, str], tuple[Rule, Rule]] = {}
    for _, one, other in pairs:
        seen.setdefault((one.text, other.text), (one, other))
    return list(seen.values())[:MAX_PAIRS]


def _is_open(one: Rule, other: Rule) -> bool:
    """Rules of one kind with typed values are decided by the solver; free content is not."""
    if isinstance(one.demand, Priority) or isinstance(other.demand, Priority):
        return False
    return isinstance(one.demand, Content) and isinstance(other.demand, Content)
