"""The solver: which rules of a prompt cannot both be followed, decided without a model.

Two rules are compared only where both apply: same target, and conditions that meet. A rule with a condition is an
exception to one without, not a contradiction, unless the general rule says that it knows no exception.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from agents.prompts import content
from agents.prompts.choices import OF_ONE_SUBJECT
from agents.prompts.clashes import demands_clash
from agents.prompts.special import same_case, subject_of
from agents.prompts.types import (
    Content,
    Fallback,
    Finding,
    Format,
    Kind,
    Languages,
    Order,
    Priority,
    Rule,
    Tone,
)

_KIND_WORDS = {
    Kind.LENGTH: content.units("length short brief brevity concise 长度 字数 篇幅 简短 简洁"),
    Kind.LANGUAGE: content.units("language 语言"),
    Kind.FORMAT: content.units("format form 格式 形式"),
    Kind.TONE: content.units("tone style 语气 口吻 风格"),
}


def contradictions(rules: Sequence[Rule]) -> list[Finding]:
    """The pairs that cannot both hold, and the orders that run in a circle."""
    resolved = _resolved_topics(rules)
    found = []
    for one, other in combinations(rules, 2):
        if one.sentence == other.sentence and not _may_clash_inside(one, other):
            continue
        reason = "" if _is_task(one, rules) and not _has_name(one.demand) else clash(one, other)
        if reason and not _is_resolved(one, other, resolved):
            found.append(finding((one, other), reason))
    return [*_without_repeats(found), *_cycles(rules)]


def _is_task(rule: Rule, rules: Sequence[Rule]) -> bool:
    """Whether a rule stands in the first sentence, and in no list; it says what it is all about."""
    return rule.sentence == rules[0].sentence and rule.sentence[0] == 0


def _has_name(demand: object) -> bool:
    return not isinstance(demand, Content) or bool(demand.concept)


def clash(one: Rule, other: Rule) -> str:
    """Why two rules exclude each other, or ""."""
    if not meets(one, other) or _are_cases_of_two_things(one, other):
        return ""
    a, b = one.demand, other.demand
    if isinstance(a, Fallback) and isinstance(b, Fallback) and _are_values_of_two_things(one, other):
        return ""
    if (
        isinstance(a, Content)
        and a.concept == "all"
        and not (one.condition and same_case(one.condition, other.condition))
    ):
        return ""  # "list all authors" and "give only one title": all of what is told by the condition alone
    for first, second in ((a, b), (b, a)):
        reason = demands_clash(first, second)
        if reason:
            return reason
    return _clash_with_fixed_words(one, other) or _clash_with_fixed_words(other, one)


def _are_values_of_two_things(one: Rule, other: Rule) -> bool:
    """What to fill in where a salary is missing says nothing of a missing date."""
    if not all(
        isinstance(r.demand, Fallback) and r.demand.action in {"say", "null", "empty string"} for r in (one, other)
    ):
        return False
    a, b = (subject_of(rule.text) for rule in (one, other))
    return bool(a and b) and not a & b


_CASES = frozenset({"upper case", "lower case"})
_OF_A_THING = _CASES | OF_ONE_SUBJECT
_CASE_WORDS = content.units(
    "write put give show round letters capital capitals upper lower case uppercase lowercase caps whole number numbers "
    "decimal decimals places 大写 小写 字母 一律 全部 保留 小数 整数 取整 两位 一位 三位 不要 使用"
)


def _are_cases_of_two_things(one: Rule, other: Rule) -> bool:
    """Keywords in upper case and names in lower case, prices with decimals and amounts without are no contradiction."""
    if not all(isinstance(rule.demand, Tone) and rule.demand.name in _OF_A_THING for rule in (one, other)):
        return False
    a, b = (content.units(rule.text) - _CASE_WORDS for rule in (one, other))
    return bool(a and b) and not a & b


_NOTHING_BUT = re.compile(
    r"\b(?:only|just|nothing but|simply|single word|exactly)\b|只(?!有|要)|仅|一律|直接", re.IGNORECASE
)


def _clash_with_fixed_words(fixed: Rule, other: Rule) -> str:
    """In one case nothing but fixed words is to be said, and something else is to be done."""
    a, b = fixed.demand, other.demand
    if not (isinstance(a, Fallback) and a.literal and fixed.condition and isinstance(b, Content)):
        return ""
    is_same_case = same_case(fixed.condition, other.condition)
    is_more = not b.is_forbidden and not b.is_permission and a.literal not in other.text
    is_fixed = is_same_case and is_more and _NOTHING_BUT.search(fixed.text)
    return "fallback: nothing but fixed words, and something else" if is_fixed else ""


def meets(one: Rule, other: Rule) -> bool:
    """Whether there is a case where both rules apply."""
    if one.target != other.target and not _spans_targets(one, other):
        return False
    if one.target == other.target == "placed":
        return False  # two parts of which only the order is known
    if _is_ban_of_fallback(one, other) or _is_ban_of_fallback(other, one):
        return not one.is_exception and not other.is_exception
    if same_case(one.condition, other.condition):
        return True
    if one.condition and other.condition:
        return False
    general, special = (other, one) if one.condition else (one, other)
    return general.is_universal and not special.is_exception and special.sentence != general.sentence


def _is_ban_of_fallback(ban: Rule, fallback: Rule) -> bool:
    is_ban = isinstance(ban.demand, Content) and isinstance(fallback.demand, Fallback) and not ban.condition
    return is_ban and bool(demands_clash(ban.demand, fallback.demand))


def finding(rules: Sequence[Rule], reason: str, source: str = "solver") -> Finding:
    """A contradiction between rules."""
    return Finding(
        "contradiction",
        reason.split(":")[0],
        reason,
        rule_ids=tuple(rule.id for rule in rules),
        quotes=tuple(rule.text.strip() for rule in rules),
        spans=tuple((rule.start, rule.end) for rule in rules),
        source="model" if source == "model" else "solver",
    )


def _may_clash_inside(one: Rule, other: Rule) -> bool:
    """Within one sentence only numbers, languages and orders are compared: "not X but Y" names both on purpose."""
    return one.kind is other.kind and one.kind in (Kind.LENGTH, Kind.ORDER, Kind.FALLBACK) and one.text != other.text


def _spans_targets(one: Rule, other: Rule) -> bool:
    """A ban for the whole answer holds for its parts too, but a form of the whole is not one of its parts."""
    whole, part = (one, other) if not one.target else (other, one)
    demand = whole.demand
    if isinstance(demand, Format) and isinstance(part.demand, Format) and not whole.target:
        return demand.name == "plain" and not demand.is_forbidden  # plain as a whole is plain in every part
    if whole.target or part.target == "term" or not isinstance(demand, Languages | Content):
        return False
    return demand.is_forbidden and not (isinstance(demand, Content) and demand.concept == "extra")


def _resolved_topics(rules: Sequence[Rule]) -> list[frozenset[str]]:
    return [rule.demand.topics for rule in rules if isinstance(rule.demand, Priority)]


def _is_resolved(one: Rule, other: Rule, topics: Sequence[frozenset[str]]) -> bool:
    """Whether a priority rule of the prompt settles this conflict: it is general, or names what one side is about."""
    said = (
        content.units(one.text)
        | content.units(other.text)
        | _KIND_WORDS.get(one.kind, frozenset())
        | _KIND_WORDS.get(other.kind, frozenset())
    )
    return any(not words or words & said for words in topics)


def _cycles(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Circles of three and more orders; shorter ones are pairs."""
    edges = [rule for rule in rules if isinstance(rule.demand, Order) and not rule.condition]
    for one, other in combinations(edges, 2):
        for third in edges:
            if third in (one, other):
                continue
            chain = _chain([one, other, third])
            if chain and third is edges[-1]:
                yield finding((one, other, third), "order: the parts run in a circle")
                return


def _chain(rules: Sequence[Rule]) -> bool:
    pairs = [(rule.demand.first, rule.demand.then) for rule in rules if isinstance(rule.demand, Order)]
    firsts, thens = {a for a, _ in pairs}, {b for _, b in pairs}
    return firsts == thens and len(firsts) == len(pairs) == 3


def _without_repeats(found: Sequence[Finding]) -> list[Finding]:
    """One finding for one pair of clauses."""
    kept: dict[object, Finding] = {}
    for one in found:
        kept.setdefault(frozenset(one.spans), one)
    return list(kept.values())
