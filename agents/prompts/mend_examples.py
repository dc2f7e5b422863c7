"""The example-updating agent, by rule: change a flagged assistant turn as little as its broken rules allow.

User turns and turns without a finding are never touched. What cannot be done by rule (another language, a longer text)
is left to the writer, see ``writer``.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agents.prompts.example_demands import LABEL_LINE, Spec
from agents.prompts.examples import broken_rules
from agents.prompts.json_repair import object_inside
from agents.prompts.lengths import count, things
from agents.prompts.mend_data import mend_rows
from agents.prompts.mend_list import as_csv, as_list
from agents.prompts.mend_text import cited, shortened, without
from agents.prompts.types import Content, Example, Fallback, Finding, Format, Labels, Length, Order, Rule, Unit
from rag.text import detect_language

MAX_PASSES = 6
"""One pass mends one broken rule; a turn that breaks more is written anew."""

LABEL_WORDS = 2
"""A reply of at most so many words is a label."""

Pick = Callable[[str, Sequence[str]], str]
"""Which of some labels fits a user turn; "" where nobody can tell."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a fixer sees: the rules, the example as it is now, the finding, the rule, and who can pick a label."""

    spec: Spec
    example: Example
    finding: Finding
    rule: Rule | None
    others: tuple[Example, ...]
    pick: Pick
    is_hard: bool


def mend_turn(spec: Spec, examples: Sequence[Example], index: int, pick: Pick, *, is_hard: bool = False) -> str | None:
    """The assistant turn with every broken rule mended; None where that cannot be done by rule.

    ``is_hard`` also cuts within a clause, which may lose meaning.
    """
    example = examples[index]
    others = tuple(other for i, other in enumerate(examples) if i != index)
    for _ in range(MAX_PASSES):
        found = broken_rules(spec, example, index)
        if not found:
            return example.assistant
        fixed = next(
            (
                text
                for finding in found
                if (text := _fixed(Turn(spec, example, finding, _rule_of(spec, finding), others, pick, is_hard)))
                is not None
            ),
            None,
        )
        if fixed is None or fixed == example.assistant or not fixed.strip():
            return None
        example = Example(example.user, fixed)
    return None


def _rule_of(spec: Spec, finding: Finding) -> Rule | None:
    return next((rule for rule in spec.rules if rule.id in finding.rule_ids), None)


def _fixed(turn: Turn) -> str | None:
    if turn.finding.code == "fallback words":
        return next(
            (
                r.demand.literal
                for r in turn.spec.rules
                if isinstance(r.demand, Fallback) and r.demand.case == "unknown" and r.demand.literal
            ),
            None,
        )
    if turn.finding.code == "two answers":
        return None
    if turn.finding.code == "no label":
        return _label(turn, sorted(turn.spec.labels))
    if turn.rule is None:
        return mend_rows(turn.spec.structure, turn.example, turn.pick, _filler(turn.spec))
    return _by_demand(turn, turn.rule)


def _by_demand(turn: Turn, rule: Rule) -> str | None:
    demand, text = rule.demand, turn.example.assistant
    if rule.target.startswith("field:") and not isinstance(demand, Labels):
        return _in_field(turn, rule)
    if isinstance(demand, Length):
        return _length(turn, demand, rule.target == "piece")
    if isinstance(demand, Format):
        return _form(turn, demand)
    if isinstance(demand, Labels):
        return _label(turn, demand.values)
    if isinstance(demand, Content):
        return _content(turn, demand)
    return _reordered(text, demand) if isinstance(demand, Order) else None


def _filler(spec: Spec) -> str | None:
    """What the prompt wants for a missing value, if it says."""
    return next((r.demand.literal for r in spec.rules if isinstance(r.demand, Fallback) and r.demand.literal), None)


def _in_field(turn: Turn, rule: Rule) -> str | None:
    """Mend the text inside one field of JSON."""
    if not isinstance(rule.demand, Length) or rule.demand.high is None:
        return None
    name = rule.target.removeprefix("field:")
    try:
        value = json.loads(turn.example.assistant)
    except ValueError:
        return None
    for row in value if isinstance(value, list) else [value]:
        for key in row if isinstance(row, dict) else ():
            if (
                key.lower() == name
                and isinstance(row[key], str)
                and count(row[key], rule.demand.unit) > rule.demand.high
            ):
                row[key] = shortened(row[key], rule.demand, is_hard=turn.is_hard)
    return json.dumps(value, ensure_ascii=False)


def _length(turn: Turn, demand: Length, is_piece: bool) -> str | None:
    text = turn.example.assistant
    n = things(text, demand.of) if demand.unit is Unit.ITEMS else count(text, demand.unit)
    if demand.unit is Unit.ITEMS and demand.low is not None and n is not None and n < demand.low and not is_piece:
        return as_list(text, numbered=False, keep_last=_last_literal(turn.spec), low=demand.low)
    if demand.high is None or n is None or (n <= demand.high and not is_piece):
        return None
    if not is_piece:
        label = _short_label(turn)
        if label is None and demand.unit is Unit.WORDS and demand.high <= LABEL_WORDS:
            # Two words of a sentence say nothing: pick a label, or leave it.
            return turn.pick(turn.example.user, _known_words(turn)) or None
        return label if label is not None else _shortened_before_end(turn, demand)
    lines = []
    for line in text.split("\n"):
        mark = re.match(r"\s*(?:[-*+•]|\d+[.)、])?\s*", line)
        head = mark[0] if mark else ""
        body = line[len(head) :]
        lines.append(
            head + (shortened(body, demand, is_hard=turn.is_hard) if count(body, demand.unit) > demand.high else body)
        )
    return "\n".join(lines)


def _shortened_before_end(turn: Turn, demand: Length) -> str:
    """The turn cut to its length; the words that it has to end with stay."""
    text, end = turn.example.assistant.rstrip(), _last_literal(turn.spec)
    if not end or not text.endswith(end) or demand.high is None:
        return shortened(turn.example.assistant, demand, is_hard=turn.is_hard)
    room = replace(demand, low=None, high=demand.high - count(end, demand.unit))
    body = text.removesuffix(end)
    return shortened(body.rstrip(), room, is_hard=turn.is_hard) + body[len(body.rstrip()) :] + end


def _short_label(turn: Turn) -> str | None:
    """Where the reply is one of some words ("Yes" or "No"), the one that the turn begins with."""
    words = _known_words(turn)
    text = turn.example.assistant.strip()
    return next((word for word in words if re.match(rf"{re.escape(word)}(?![\w])", text, re.IGNORECASE)), None)


def _known_words(turn: Turn) -> list[str]:
    """The words that a reply may be: the labels of the prompt, else the short replies of the other examples."""
    if turn.spec.labels:
        return sorted(turn.spec.labels)
    for rule in turn.spec.rules:
        if isinstance(rule.demand, Labels) and not rule.target:
            return list(rule.demand.values)
    quoted = [
        word for rule in turn.spec.rules for word in re.findall(r"[\"“「']([^\"”」'\n]{1,12})[\"”」']", rule.text)
    ]
    shown = [other.assistant.strip() for other in turn.others if len(other.assistant.strip()) <= 12]
    return list(dict.fromkeys([*quoted, *shown]))


def _form(turn: Turn, demand: Format) -> str | None:
    text = turn.example.assistant
    if demand.is_forbidden:
        return without(text, {"plain": "markdown", "numbered": "bullets"}.get(demand.name, demand.name))
    if demand.name == "json":
        inside = object_inside(text)
        return inside if inside is not None else _wrapped(turn)
    if demand.name == "label":
        return _label(turn, _known_words(turn))
    if demand.name in {"bullets", "numbered"}:
        return as_list(text, numbered=demand.name == "numbered", keep_last=_last_literal(turn.spec))
    if demand.name in {"plain", "prose"}:
        return without(text, "markdown" if demand.name == "plain" else "bullets")
    return as_csv(text) if demand.name == "csv" else None


def _wrapped(turn: Turn) -> str | None:
    """A text as the only text field of the JSON that is asked for."""
    names = turn.spec.structure.names
    return json.dumps({names[0]: turn.example.assistant.strip()}, ensure_ascii=False) if len(names) == 1 else None


def _last_literal(spec: Spec) -> str:
    return next(
        (
            r.demand.concept
            for r in spec.rules
            if isinstance(r.demand, Content) and r.demand.is_literal and r.demand.place == "end"
        ),
        "",
    )


def _label(turn: Turn, values: Sequence[str]) -> str | None:
    text = turn.example.assistant
    if (first := _short_label(turn)) is not None:
        return first
    held = [value for value in values if re.search(re.escape(value), text, re.IGNORECASE)]
    if len(held) == 1:
        return held[0]
    return (turn.pick(turn.example.user, values) or None) if values else None


def _content(turn: Turn, demand: Content) -> str | None:
    text = turn.example.assistant
    if demand.is_literal:
        return _literal(turn, demand)
    if demand.concept == "extra":
        return _bare(text, turn.spec.structure.form)
    if demand.is_forbidden:
        return without(text, demand.concept)
    if demand.concept == "citation":
        return cited(text, turn.example.user)
    if demand.concept == "fence" and "```" not in text:
        opened = next((found[0] for o in turn.others if (found := re.search(r"```[\w-]*", o.assistant))), "```")
        return f"{opened}\n{text.strip()}\n```"
    return f"{text.rstrip()} 🙂" if demand.concept == "emoji" else None


def _bare(text: str, form: str) -> str | None:
    """The data of a turn without the text around it."""
    if form == "table":
        return "\n".join(line for line in text.splitlines() if line.lstrip().startswith("|")) or None
    fenced = re.search(r"^```.*?^```", text, re.DOTALL | re.MULTILINE)
    return fenced[0] if fenced and form != "json" else object_inside(text)


def _literal(turn: Turn, demand: Content) -> str | None:
    text, words = turn.example.assistant, demand.concept
    if demand.is_forbidden:
        return re.sub(rf"[ \t]*{re.escape(words)}", "", text, flags=re.IGNORECASE)
    if demand.place == "start" and words.strip() in {"-", "*", "•"}:
        listed = as_list(text, numbered=False, keep_last="")
        return listed.replace("- ", f"{words.strip()} ") if listed is not None else None
    if demand.place == "start":
        return (
            words + ("" if words.endswith(("：", "，", "。")) or detect_language(text) == "zh" else " ") + text.lstrip()
        )
    own_line = any(f"\n{words}" in other.assistant for other in turn.others) or "\n" in text.strip()
    glue = (
        "\n" if own_line else "" if text.rstrip().endswith(("。", "！", "？")) or detect_language(text) == "zh" else " "
    )
    return text.rstrip() + glue + words


def _reordered(text: str, demand: Order) -> str | None:
    """Labelled lines put into the order that is asked for."""
    lines = text.split("\n")
    places = {
        name: next((i for i, line in enumerate(lines) if pattern.search(line)), -1)
        for name, pattern in LABEL_LINE.items()
    }
    a, b = places.get(demand.first, -1), places.get(demand.then, -1)
    if a < 0 or b < 0 or a < b:
        return None
    stop = next((i for i in sorted(places.values()) if i > a), len(lines))
    block = lines[a:stop]
    rest = lines[:a] + lines[stop:]
    return "\n".join([*rest[:b], *block, *rest[b:]])
