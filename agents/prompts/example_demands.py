# ruff: noqa: E501 - a pattern or a table is read as one line
"""Whether an assistant turn meets one demand, as far as that can be checked exactly."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.prompts import content
from agents.prompts.example_language import language_broken, prose_of
from agents.prompts.lengths import count, things
from agents.prompts.structure import Structure
from agents.prompts.surface import breaks_ban, is_form, meets_demand, strip_fence
from agents.prompts.types import Content, Format, Labels, Languages, Length, Order, Pattern, Rule, Tone, Unit
from rag.text import detect_language

_LABELLED = {
    "answer": r"^\s*(?:\*\*)?(?:answer|conclusion|verdict|result|答案|结论|结果|回答)(?:\*\*)?\s*[:：]",
    "explanation": r"^\s*(?:\*\*)?(?:reason(?:s|ing)?|explanation|rationale|why|理由|解释|原因|说明|推理|思路)(?:\*\*)?\s*[:：]",
    "citation": r"^\s*(?:\*\*)?(?:sources?|citations?|references?|来源|出处|引用)(?:\*\*)?\s*[:：]",
    "summary": r"^\s*(?:\*\*)?(?:summary|take-?away|总结|小结|摘要)(?:\*\*)?\s*[:：]",
    "example": r"^\s*(?:\*\*)?(?:example|for example|示例|例子|例如|举例)(?:\*\*)?\s*[:：]",
    "definition": r"^\s*(?:\*\*)?(?:definition|定义)(?:\*\*)?\s*[:：]",
    "steps": r"^\s*(?:\*\*)?(?:steps|步骤)(?:\*\*)?\s*[:：]",
    "evidence": r"^\s*(?:\*\*)?(?:evidence|依据|证据)(?:\*\*)?\s*[:：]",
    "formula": r"^\s*(?:\*\*)?(?:formula|公式)(?:\*\*)?\s*[:：]",
}
LABEL_LINE = {name: re.compile(pattern, re.IGNORECASE | re.MULTILINE) for name, pattern in _LABELLED.items()}


# "Answers have one sentence": where a reply holds several answers with their questions, it is said of each.
_ANSWERS = re.compile(r"^\s*(?:答案?|A|Answer)\s*[:：]", re.MULTILINE)
_ANSWERS_OF_MANY = re.compile(r"\s*(?:the )?answers\b", re.IGNORECASE)
_OF_ANSWER = re.compile(r"\s*(?:the )?(?:answers?\b|答案)|不超过|至多|最多", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spec:
    """What the examples are held against.

    Rules in ``implicated`` are in a conflict, or were misread; no example can keep all of them, so they are left out.
    But who breaks every rule of one of the ``conflicts`` is wrong whichever of them stays.
    """

    rules: tuple[Rule, ...]
    structure: Structure
    implicated: frozenset[str] = frozenset()
    language: str = ""
    conflicts: tuple[frozenset[str], ...] = ()
    labels: frozenset[str] = frozenset()
    is_terse: bool = False
    prompt: str = ""


def demand_broken(rule: Rule, text: str, user: str, spec: Spec) -> str:  # noqa: PLR0911 - one return per kind of demand
    """Why a turn does not meet the demand of a rule, or ""."""
    demand = rule.demand
    if isinstance(demand, Length):
        if _ANSWERS_OF_MANY.match(rule.text) and "\n" in text.strip() and not _ANSWERS.search(text):
            return ""  # which part of a line is an answer cannot be told
        parts = _ANSWERS.split(text)[1:] if _OF_ANSWER.match(rule.text) and len(_ANSWERS.findall(text)) > 1 else [text]
        return next(
            (
                reason
                for part in parts
                if (reason := _length_broken(demand, part.split("\n")[0] if len(parts) > 1 else part))
            ),
            "",
        )
    if isinstance(demand, Languages):
        return language_broken(demand, prose_of(text, spec.structure), user)
    if isinstance(demand, Tone):
        return _person_broken(demand, text)
    if isinstance(demand, Format):
        return _form_broken(demand, text)
    if isinstance(demand, Labels):
        allowed = {value.casefold() for value in demand.values}
        is_label = rule.target if spec.structure.form else is_label_only(spec.rules)
        return (
            f"{text[:30]!r} is none of the labels." if is_label and text.strip(" .。").casefold() not in allowed else ""
        )
    if isinstance(demand, Content):
        return _content_broken(rule, demand, text, spec)
    if isinstance(demand, Pattern):
        lines = [line for line in text.splitlines() if line.strip()]
        held = sum(demand.mark in line for line in lines)
        return "" if 2 * held >= len(lines) > 0 else f"It has no {demand.mark!r}."
    return _order_broken(demand, text) if isinstance(demand, Order) else ""


def _person_broken(demand: Tone, text: str) -> str:
    """Of all manners only the person can be seen."""
    is_banned = (demand.name, demand.is_forbidden) in {("third person", False), ("first person", True)}
    said = breaks_ban(re.sub(r"[\"“「][^\"”」]*[\"”」]", " ", text), "first_person") if is_banned else ""
    return f"It holds {said!r}, the first person." if said else ""


def _length_broken(demand: Length, text: str) -> str:
    n = things(text, demand.of) if demand.unit is Unit.ITEMS else count(text, demand.unit)
    if n is None:
        return ""
    if demand.high is not None and n > demand.high:
        return f"It has {n} {demand.unit}, more than {demand.high}."
    if demand.low is not None and n < demand.low:
        return f"It has {n} {demand.unit}, fewer than {demand.low}."
    return ""


def piece_broken(demand: object, text: str) -> str:
    """Why a line of a turn is too long, or ""."""
    if not isinstance(demand, Length):
        return ""
    lines = [re.sub(r"^\s*(?:[-*+•]|\d+[.)、])\s*", "", line) for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or demand.high is None:
        return ""
    longest = max(count(line, demand.unit) for line in lines)
    return f"A line has {longest} {demand.unit}, more than {demand.high}." if longest > demand.high else ""


def _form_broken(demand: Format, text: str) -> str:
    fits = is_form(text, demand.name)
    if fits is None or (demand.name == "markdown" and not demand.is_forbidden):
        return ""
    if demand.is_forbidden:
        return f"It uses {demand.name}, which is forbidden." if fits else ""
    return "" if fits else f"It is no {demand.name}."


def is_label_only(rules: Sequence[Rule]) -> bool:
    """Whether the reply is a label and nothing else."""
    demands = [rule.demand for rule in rules]
    is_label = any(isinstance(d, Format) and d.name == "label" and not d.is_forbidden for d in demands)
    return is_label or any(isinstance(d, Content) and d.concept == "extra" for d in demands)


def _content_broken(rule: Rule, demand: Content, text: str, spec: Spec) -> str:  # noqa: PLR0911 - one return per kind
    if demand.is_permission:
        return ""
    if demand.is_literal:
        return _literal_broken(demand, text)
    if demand.concept == "extra":
        return _extra_broken(text, spec)
    if demand.concept == "statement":
        is_told = content.units(text) & demand.units or detect_language(text) != detect_language(rule.text)
        return "" if is_told else f"It lacks what is demanded: {rule.text.strip()}"
    if demand.is_forbidden:
        what = breaks_ban(text, demand.concept, demand.units)
        return f"It holds {what!r}, which is forbidden." if what else ""
    if spec.structure.form in {"json", "csv", "xml", "yaml"}:
        return ""
    return (
        ""
        if meets_demand(text, demand.concept, demand.place) is not False
        else f"It lacks what is demanded: {rule.text.strip()}"
    )


def _literal_broken(demand: Content, text: str) -> str:
    inside = text.strip()
    if demand.place == "address":
        return ""  # whether and how anybody is addressed cannot be seen
    if demand.is_forbidden:
        return (
            f"It holds {demand.concept!r}, which is forbidden."
            if demand.concept.casefold() in inside.casefold()
            else ""
        )
    if demand.place == "start":
        fits = inside.startswith(demand.concept)
    elif demand.place == "end":
        fits = inside.rstrip("。. ").endswith(demand.concept.rstrip("。. "))
    else:
        fits = demand.concept.casefold() in inside.casefold()
    return "" if fits else f"It lacks {demand.concept!r}{' at the ' + demand.place if demand.place else ''}."


def _extra_broken(text: str, spec: Spec) -> str:
    if spec.structure.form == "json":
        try:
            json.loads(strip_fence(text), strict=False)
        except ValueError:
            return "" if is_form(text, "json") else "It holds text beside the JSON."
    if spec.structure.form == "table" and is_form(text, "table"):
        outside = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("|")]
        return "It holds text beside the table." if outside else ""
    is_fenced = any(isinstance(r.demand, Content) and r.demand.concept == "fence" and not r.demand.is_forbidden
                    for r in spec.rules)  # fmt: skip
    if is_fenced and "```" in text and re.sub(r"```.*?```", "", text, flags=re.DOTALL).strip():
        return "It holds text beside the code block."
    return ""


def _order_broken(demand: Order, text: str) -> str:
    places = {name: match.start() for name, pattern in LABEL_LINE.items() if (match := pattern.search(text))}
    a, b = places.get(demand.first), places.get(demand.then)
    if a is not None and b is not None and a > b:
        return f"{demand.then} comes before {demand.first}."
    if (
        demand.first == "^"
        and b is not None
        and any(place < b for name, place in places.items() if name != demand.then)
    ):
        return f"{demand.then} does not come first."
    if (
        demand.then == "$"
        and a is not None
        and any(place > a for name, place in places.items() if name != demand.first)
    ):
        return f"{demand.first} does not come last."
    return ""
