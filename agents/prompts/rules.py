# ruff: noqa: E501 - a pattern or a table is read as one line
"""Reading the rules of a prompt: every clause that demands, forbids or allows something becomes a typed rule."""

import re
from collections.abc import Iterator
from dataclasses import replace

from agents.prompts import content, polarity
from agents.prompts.clause_rules import Found, demands_in
from agents.prompts.cues import POSITIVE
from agents.prompts.lengths import bare_length_in
from agents.prompts.special import case_of, fallback_of, labels_in, orders_in, priority_of
from agents.prompts.statements import Clause, Statement, statements
from agents.prompts.types import Content, Kind, Labels, Length, Rule

_MAIN = re.compile(
    r"\b(?P<summary>summari[sz]e|write (?:a |the )?summary|summari[sz]er)\b|\b(?P<translation>translat\w+)\b|(?P<zh_summary>总结|摘要|概括|小结)|(?P<zh_translation>翻译|译成)|"
    r"\b(?P<title>(?:write|create|suggest|generate)s? (?:a |the )?(?:title|headline)s?)\b|(?P<zh_title>(?:拟|起|写|生成)(?:一个)?标题)|(?P<explanation>\bexplain\b|解释)|(?P<code>\bcod(?:e|ing)\b|代码)|"
    r"(?P<definition>\bdefine\b|定义)",
    re.IGNORECASE,
)


def parse(prompt: str) -> list[Rule]:
    """The rules of a prompt in order, named R1, R2 and so on."""
    sentences = statements(prompt)
    main = _main_parts(sentences)
    rules: list[Rule] = []
    seen: set[tuple[object, ...]] = set()
    for sentence in sentences:
        subject = ""
        for clause, found in _rules_of(sentence):
            target = found.target
            if target is None:
                target = polarity.part_in(clause.text, found.at, main, is_length=found.kind is Kind.LENGTH)
                # "理由用中文，不超过 30 个字": the second clause speaks of the same part.
                target = target or (
                    subject if found.kind in (Kind.LENGTH, Kind.LANGUAGE) and clause.start > sentence.start else ""
                )
                if found.kind is Kind.LENGTH:
                    told, rest = (
                        sentence.text[: clause.start - sentence.start],
                        sentence.text[clause.end - sentence.start :],
                    )
                    target = target or _headed(sentence.text) or ("placed" if polarity.is_placed(told, rest) else "")
                subject = target if clause.start == sentence.start or not subject else subject
            if found.kind is Kind.FORMAT and not target.startswith("field:"):
                target = polarity.place_in(clause.text)
            rule = _rule(sentence, clause, found, target, f"R{len(rules) + 1}")
            if (rule.start, rule.key) not in seen:
                seen.add((rule.start, rule.key))
                rules.append(rule)
    return rules


_HEAD = re.compile(r"^(?P<head>[A-Za-z\u4e00-\u9fff ]{2,20})[:：]")


def _headed(text: str) -> str:
    """The part that heads a sentence, as "title" in "Title: at most eight words", or ""."""
    head = _HEAD.match(text)
    return polarity.part_in(head["head"] + ":", len(head["head"]) + 1, frozenset()) if head else ""


def _rule(sentence: Statement, clause: Clause, found: Found, target: str, name: str) -> Rule:
    return Rule(
        name,
        found.kind,
        clause.start,
        clause.end,
        clause.text,
        (sentence.start, sentence.end),
        found.demand,
        condition=_condition_key(sentence) or _permitted_case(clause, found),
        target=target,
        is_universal=sentence.is_universal,
        is_exception=sentence.is_exception,
    )


def _permitted_case(clause: Clause, found: Found) -> str:
    """The case for which a length is allowed that is none of the rest: "on holidays it may run to 60 words"."""
    is_more = isinstance(found.demand, Length) and found.demand.low is not None
    return " ".join(sorted(content.units(polarity.permitted_case(clause.text[: found.at])))) if is_more else ""


def _condition_key(sentence: Statement) -> str:
    return (
        case_of(sentence.condition) or " ".join(sorted(content.units(sentence.condition))) if sentence.condition else ""
    )


def _rules_of(sentence: Statement) -> Iterator[tuple[Clause, Found]]:
    whole = Clause(sentence.start, sentence.end, sentence.text)
    if (priority := priority_of(sentence.text)) is not None:
        yield whole, Found(Kind.SCOPE, priority, 0, "")
        return
    for labels, at in labels_in(sentence.text):
        yield whole, Found(Kind.FORMAT, Labels(labels), at, _label_target(sentence.text))
    for order in orders_in(sentence.text):
        yield whole, Found(Kind.ORDER, order, 0, "")
    case = case_of(sentence.condition)
    if (
        sentence.condition
        and (fallback := fallback_of(case or _condition_key(sentence), sentence, is_known=bool(case))) is not None
    ):
        yield whole, Found(Kind.FALLBACK, fallback, 0, "")
        return
    named = _named_field(sentence)
    negated, has_labels = False, bool(list(labels_in(sentence.text)))
    has_order = any({order.first, order.then}.isdisjoint("^$") for order in orders_in(sentence.text))
    for clause in sentence.clauses[1 if named else 0 :]:
        negated = negated and _is_list_item(clause.text)
        found = [one for one in demands_in(clause.text, inherited=negated) if not _is_told(one, has_labels, has_order)]
        if bare := bare_length_in(clause.text, sentence.text[: clause.start - sentence.start]):
            found = [Found(Kind.LENGTH, bare.length, bare.start, "")]
        negated = negated or (polarity.is_negated(clause.text) and not found_positive(found))
        for one in found:
            yield clause, replace(one, target=f"field:{named}") if named else one


_FIELD_LINE = re.compile(r"^[`\"“]?(?P<name>[a-z_][a-z0-9_]{1,30})[`\"”]?\s*(?:\([^()]{1,20}\)\s*)?[:：]\s*\S")
_NO_FIELD_NAMES = frozenset(
    "label labels category categories class classes value values option options note important format output language tone style length answer reply response task role".split()
)


def _named_field(sentence: Statement) -> str:
    """The field that a line such as "reason: at most 12 words" describes, or ""."""
    match = _FIELD_LINE.match(sentence.text)
    is_field = match and len(sentence.clauses) > 1 and match["name"] not in _NO_FIELD_NAMES
    return match["name"] if match and is_field else ""


def found_positive(found: list[Found]) -> bool:
    """Whether any of the demands asks for something."""
    return any(not getattr(one.demand, "is_forbidden", False) for one in found)


def _is_told(found: Found, has_labels: bool, has_order: bool) -> bool:
    """Whether the labels or the order of its sentence already say all that is in it."""
    demand = found.demand
    if not isinstance(demand, Content) or demand.is_literal:
        return False
    return (has_labels and not (demand.is_forbidden and demand.concept)) or (has_order and not demand.concept)


def _is_list_item(text: str) -> bool:
    turns = re.match(r"\s*(?:but|and (?:always|then)|而|只|请|并|直接)", text, re.IGNORECASE)
    return len(text) < 30 and not turns and not POSITIVE.match(text.strip())


_LABEL_SUBJECT = re.compile(
    r"^[`\"“「]?(?P<name>[A-Za-z_]\w{1,30})[`\"”」]?\s*(?:[:：]|is|are|must|should|has|takes|的?(?:取值|值)?(?:是|为|只能|必须|取))",
    re.IGNORECASE,
)


def _label_target(text: str) -> str:
    subject = _LABEL_SUBJECT.match(text)
    name = polarity.field_in(text) or (subject["name"].lower() if subject else "")
    return f"field:{name}" if name and name not in {"it", "answer", "reply", "output", "response", "result"} else ""


def _main_parts(sentences: list[Statement]) -> frozenset[str]:
    """The parts that are the whole answer, by what the first sentences say the task is."""
    found: set[str] = set()
    for sentence in sentences[:3]:
        for match in _MAIN.finditer(sentence.text):
            found |= {name.removeprefix("zh_") for name, value in match.groupdict().items() if value}
    for sentence in sentences[:1]:
        found |= {word.lower().rstrip("s") for word in re.findall(r"[A-Za-z]{4,}|[\u4e00-\u9fff]", sentence.text)}
    return frozenset(found)
