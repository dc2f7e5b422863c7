"""The prompt-versus-examples agent's checks: does every assistant turn keep the rules that can be checked exactly?"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agents.prompts.example_data import data_broken
from agents.prompts.example_demands import Spec, demand_broken, is_label_only, piece_broken
from agents.prompts.example_language import WRONG_SCRIPT, stray_language
from agents.prompts.shown import is_few_words, is_label, labels_shown
from agents.prompts.special import REFUSAL
from agents.prompts.surface import (
    language_share,
    strip_fence,
)
from agents.prompts.types import (
    Example,
    Fallback,
    Finding,
    Format,
    Labels,
    Length,
    Rule,
)


def example_findings(spec: Spec, examples: Sequence[Example]) -> list[Finding]:
    """Every rule that an assistant turn breaks, and pairs of examples that contradict each other."""
    read = fitted(spec, examples)
    found: list[Finding] = []
    for index, example in enumerate(examples):
        found += broken_rules(read, example, index)
    return found + list(_contradictory_pairs(examples))


def fitted(spec: Spec, examples: Sequence[Example]) -> Spec:
    """The spec with the labels that the examples show, and without the rules that every one of several examples breaks.

    Somebody wrote the examples to keep the rules, so such a rule was more likely read wrongly. A form is read surely.
    """
    if len(examples) < 2:
        return spec
    broken = [{name for one in broken_rules(spec, example, 0) for name in one.rule_ids} for example in examples]
    sure = {rule.id for rule in spec.rules if isinstance(rule.demand, Format)}
    misread = frozenset.intersection(*(frozenset(names) for names in broken)) - sure
    conflicts = tuple(names for names in spec.conflicts if not names & misread)
    labels = frozenset[str]() if spec.structure.form else labels_shown(spec.prompt, examples)
    short = sum(is_few_words(example.assistant) for example in examples)
    is_terse = not spec.structure.form and is_label_only(spec.rules) and short >= max(2, len(examples) / 2)
    implicated = spec.implicated | misread
    return replace(spec, implicated=implicated, conflicts=conflicts, labels=labels, is_terse=is_terse)


def broken_rules(spec: Spec, example: Example, index: int) -> list[Finding]:
    """The rules that one assistant turn breaks."""
    fallback = _fallback_shown(spec.rules, example.assistant, spec.structure.form)
    if fallback == "":
        return []
    if fallback is not None:
        return [
            _finding(
                "fallback words",
                f"The fallback is {fallback!r}, the example says it otherwise.",
                (),
                example.assistant,
                index,
            )
        ]
    broken = {
        rule.id: (rule, reason)
        for rule in spec.rules
        if applies(rule, example.user) and (reason := _broken(rule, example, spec))
    }
    whichever_stays = [names for names in spec.conflicts if names <= broken.keys()]
    found = [
        _finding(f"breaks {rule.kind}", reason, (rule,), example.assistant, index)
        for name, (rule, reason) in broken.items()
        if name not in spec.implicated or any(name in names for names in whichever_stays)
    ]
    found += [
        _finding(code, reason, (), example.assistant, index)
        for code, reason in data_broken(spec.structure, example.assistant)
    ]
    if spec.labels and not is_label(example.assistant, spec.labels):
        reason = f"{example.assistant.strip()[:30]!r} is none of the labels."
        found.append(_finding("no label", reason, (), example.assistant, index))
    elif spec.is_terse and not is_few_words(example.assistant):
        reason = "It says more than the few words that are wanted."
        found.append(_finding("no label", reason, (), example.assistant, index))
    if spec.language and (reason := stray_language(spec.language, spec.structure, example)):
        found.append(_finding("other language", reason, (), example.assistant, index))
    return _one_per_code(found)


def applies(rule: Rule, user: str) -> bool:
    """Whether a rule holds for the reply to this user turn. Conditions that cannot be checked do not hold."""
    if not rule.condition:
        return True
    words = set(rule.condition.split())
    asked = "zh" if language_share(user, "zh") >= WRONG_SCRIPT else "en"
    named = {"zh": {"chines", "chinese", "中文", "汉语"}, "en": {"english", "英文", "英语"}}
    for code, names in named.items():
        if words & names:
            return code == asked and len(words - names) <= 6
    return False


def _broken(rule: Rule, example: Example, spec: Spec) -> str:
    demand, text = rule.demand, example.assistant
    if rule.target.startswith("field:") and (spec.structure.form or not isinstance(demand, Labels)):
        value = _field_value(text, rule.target.removeprefix("field:"))
        if value is None:
            return ""
        return demand_broken(rule, value, example.user, spec)
    if rule.target and not (rule.target == "piece" and isinstance(demand, Length)) and not isinstance(demand, Labels):
        return ""
    if rule.target == "piece":
        return piece_broken(demand, text)
    if isinstance(demand, Length) and spec.structure.form in {"json", "xml", "yaml", "csv"}:
        return ""
    return demand_broken(rule, text, example.user, spec)


def _field_value(text: str, name: str) -> str | None:
    try:
        value = json.loads(strip_fence(text), strict=False)
    except ValueError:
        return None
    row = value[0] if isinstance(value, list) and value else value
    found = {key.lower(): v for key, v in row.items()}.get(name) if isinstance(row, dict) else None
    return found if isinstance(found, str) else None


def _fallback_shown(rules: Sequence[Rule], text: str, structure_form: str) -> str | None:
    """Empty when the turn is a fallback of the prompt word by word, its words when it says one otherwise, else None."""
    literals = [r.demand.literal for r in rules if isinstance(r.demand, Fallback) and r.demand.literal]
    plain = text.strip().strip('"“”。.!！').casefold()
    if any(literal.strip("。.!！").casefold() == plain for literal in literals):
        return ""
    if any(literal.casefold() in plain for literal in literals):
        return None  # said within a longer reply, such as one of its lines
    unknown = [
        r.demand.literal
        for r in rules
        if isinstance(r.demand, Fallback) and r.demand.literal and r.demand.case == "unknown"
    ]
    if structure_form:
        return None
    is_short = len(plain) < 90 and len(re.findall(r"[.。!！?？]", text)) <= 2
    if len(set(unknown)) == 1 and is_short and REFUSAL.search(text) and not text.lstrip().startswith(("{", "[")):
        return unknown[0]
    return None


def _contradictory_pairs(examples: Sequence[Example]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, example in enumerate(examples):
        first = seen.setdefault(" ".join(example.user.split()).casefold(), index)
        if first != index and examples[first].assistant.strip() != example.assistant.strip():
            yield _finding(
                "two answers",
                f"The question is that of example {first}, the answer another.",
                (),
                example.assistant,
                index,
            )


def _finding(code: str, reason: str, rules: Sequence[Rule], quote: str, index: int) -> Finding:
    return Finding(
        "fewshot",
        code,
        reason,
        rule_ids=tuple(rule.id for rule in rules),
        quotes=(*(rule.text.strip() for rule in rules), quote[:200]),
        spans=tuple((rule.start, rule.end) for rule in rules),
        example_index=index,
    )


def _one_per_code(found: Sequence[Finding]) -> list[Finding]:
    kept: dict[object, Finding] = {}
    for one in found:
        kept.setdefault((one.code, one.detail), one)
    return list(kept.values())
