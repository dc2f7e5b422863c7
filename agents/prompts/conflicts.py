# ruff: noqa: E501 - a pattern or a table is read as one line
"""The solver: which rules of a prompt cannot both be followed, decided without a model.

Two rules are compared only where both apply: same target, and conditions that meet. A rule with a condition is an
exception to one without, not a contradiction, unless the general rule says that it knows no exception.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from agents.prompts import content
from agents.prompts.choices import OF_ONE_SUBJECT
from agents.prompts.example_language import WRONG_SCRIPT
from agents.prompts.lexicon import EXTRA_TEXT, exclusive_formats, opposite_tones
from agents.prompts.special import is_compatible, same_case, subject_of
from agents.prompts.surface import language_share
from agents.prompts.types import (
    Brevity,
    Content,
    Fallback,
    Finding,
    Format,
    Kind,
    Labels,
    Languages,
    Length,
    Order,
    Priority,
    Rule,
    Tone,
    Unit,
)

SENTENCE_WORDS = 60
"""More words than the longest sentence that "two sentences" may mean."""
SENTENCE_CHARACTERS = 150
SHORT_AT_LEAST = {Unit.WORDS: 150, Unit.CHARACTERS: 250, Unit.SENTENCES: 8, Unit.PARAGRAPHS: 3}
"""A text of at least so much is not short."""
LONG_AT_MOST = {Unit.WORDS: 40, Unit.CHARACTERS: 80, Unit.SENTENCES: 2, Unit.LINES: 2}
"""A text of at most so much is not detailed."""
FEW_WORDS = 3
"""So many words hold no explanation."""
_KIND_WORDS = {
    Kind.LENGTH: content.units("length short brief brevity concise 长度 字数 篇幅 简短 简洁"),
    Kind.LANGUAGE: content.units("language 语言"),
    Kind.FORMAT: content.units("format form 格式 形式"),
    Kind.TONE: content.units("tone style 语气 口吻 风格"),
}
_DATA_FORMS = frozenset({"json", "xml", "yaml", "csv"})
_OF_SOMETHING = frozenset({"quote", "code", "explanation", "example", "names", "warning", "summary"})
_COARSE_TO_FINE = (Unit.PARAGRAPHS, Unit.SENTENCES, Unit.WORDS, Unit.CHARACTERS)


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
        reason = _demands_clash(first, second)
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
    return is_ban and bool(_demands_clash(ban.demand, fallback.demand))


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


def _demands_clash(a: object, b: object) -> str:  # noqa: PLR0911 - one return per kind of clash
    if isinstance(a, Length):
        return _length_clash(a, b)
    if isinstance(a, Brevity) and isinstance(b, Brevity):
        return "length: one wants it short, the other long" if a.is_short != b.is_short else ""
    if isinstance(a, Languages) and isinstance(b, Languages):
        return _language_clash(a, b)
    if isinstance(a, Format):
        return _format_clash(a, b)
    if isinstance(a, Tone) and isinstance(b, Tone):
        return _tone_clash(a, b)
    if isinstance(a, Fallback) and isinstance(b, Fallback):
        same = same_case(a.case, b.case)
        return "fallback: two things to do in one case" if same and not is_compatible(a, b) else ""
    if isinstance(a, Content) and isinstance(b, Content):
        return _content_clash(a, b)
    if isinstance(a, Content) and isinstance(b, Fallback):
        return _fallback_ban(a, b)
    if isinstance(a, Order) and isinstance(b, Order):
        return _order_clash(a, b)
    return _labels_clash(a, b) or _labels_clash(b, a)


def _length_clash(a: Length, b: object) -> str:  # noqa: PLR0911 - one return per kind of clash
    if isinstance(b, Brevity):
        bound = SHORT_AT_LEAST.get(a.unit) if b.is_short else LONG_AT_MOST.get(a.unit)
        if bound is None:
            return ""
        if b.is_short and a.low is not None and a.low >= bound:
            return "length: short, and at least so much"
        is_too_little = not b.is_short and a.high is not None and a.high <= bound
        return "length: detailed, and at most so little" if is_too_little else ""
    if isinstance(b, Content):
        is_word = a.unit is Unit.WORDS and a.high is not None and a.high <= FEW_WORDS
        wants_more = b.concept in EXTRA_TEXT and not b.is_forbidden and not b.is_permission
        return "length: a word or two, and a text beside it" if is_word and wants_more else ""
    if not isinstance(b, Length):
        return ""
    if a.unit is b.unit:
        if a.of != b.of:
            return ""
        return "length: the ranges do not meet" if _above(a, b) or _above(b, a) else ""
    return "length: the ranges do not meet" if _implies_more(a, b) or _implies_more(b, a) else ""


def _above(a: Length, b: Length) -> bool:
    return a.low is not None and b.high is not None and a.low > b.high


def _implies_more(low: Length, high: Length) -> bool:
    """Whether the least that ``low`` allows is more than the most that ``high`` allows, in different units."""
    if low.low is None or high.high is None:
        return False
    if low.unit is Unit.ITEMS and high.unit in (Unit.SENTENCES, Unit.LINES, Unit.PARAGRAPHS):
        return high.unit is not Unit.PARAGRAPHS and low.low >= 2 and high.high < low.low
    if low.unit not in _COARSE_TO_FINE or high.unit not in _COARSE_TO_FINE:
        return False
    if _COARSE_TO_FINE.index(low.unit) < _COARSE_TO_FINE.index(high.unit):
        return low.low > high.high
    size = {Unit.WORDS: SENTENCE_WORDS, Unit.CHARACTERS: SENTENCE_CHARACTERS}.get(low.unit)
    return high.unit is Unit.SENTENCES and size is not None and low.low > high.high * size


def _language_clash(a: Languages, b: Languages) -> str:
    if a.is_forbidden and not b.is_forbidden:
        return "language: demanded and forbidden" if b.codes <= a.codes else ""
    if a.is_forbidden or b.is_forbidden or a.codes & b.codes:
        return ""
    return "language: two different ones"


def _format_clash(a: Format, b: object) -> str:  # noqa: PLR0911 - one return per kind of clash
    if isinstance(b, Format):
        if a.is_forbidden != b.is_forbidden:
            wanted, banned = (b, a) if a.is_forbidden else (a, b)
            return "format: demanded and forbidden" if _is_kind_of(wanted.name, banned.name) else ""
        exclusive = not a.is_forbidden and exclusive_formats(a.name, b.name)
        return "format: two that exclude each other" if exclusive else ""
    if isinstance(b, Length) and not a.is_forbidden and a.name == "label":
        too_long = b.unit in (Unit.WORDS, Unit.SENTENCES, Unit.PARAGRAPHS) and (b.low or 0) > (
            3 if b.unit is Unit.WORDS else 1
        )
        return "format: a label, and a longer text" if too_long else ""
    if isinstance(b, Length) and not a.is_forbidden and a.name == "prose":
        return "format: one text, and several items" if b.unit is Unit.ITEMS and (b.low or 0) > 1 else ""
    if isinstance(b, Content) and a.name == "label" and not a.is_forbidden:
        is_more = b.concept in EXTRA_TEXT - {"extra"} and not b.is_forbidden and not b.is_permission
        return "format: a label, and a text beside it" if is_more else ""
    if (
        isinstance(b, Content)
        and a.name in _DATA_FORMS
        and not a.is_forbidden
        and not b.is_forbidden
        and not b.is_permission
    ):
        # What begins or ends the answer may be a value of the data, unless nothing but the data may be there.
        is_around = a.is_only and b.place and (b.is_literal or b.concept in EXTRA_TEXT)
        return (
            "format: data, and text around it"
            if is_around or b.concept in {"greeting", "apology", "heading", "bold", "closing", "preamble"}
            else ""
        )
    if isinstance(b, Length) and a.is_forbidden and a.name == "bullets":
        return (
            "format: bullets forbidden, and a number of them wanted"
            if b.unit is Unit.ITEMS and (b.low or 0) > 1
            else ""
        )
    return ""


def _fallback_ban(ban: Content, fallback: Fallback) -> str:
    """A ban without condition on the very thing that a fallback does: "never guess", "if unsure, guess"."""
    banned = {"ask": {"question"}, "guess": {"guess", "outside"}}.get(fallback.action, set())
    return "fallback: it does what is forbidden" if ban.is_forbidden and ban.concept in banned else ""


def _is_kind_of(wanted: str, banned: str) -> bool:
    kinds = {"markdown": {"markdown", "table", "bullets", "numbered"}, "bullets": {"bullets", "numbered"}}
    return wanted in kinds.get(banned, {banned})


def _tone_clash(a: Tone, b: Tone) -> str:
    if a.is_forbidden != b.is_forbidden:
        return "tone: demanded and forbidden" if a.name == b.name else ""
    return "tone: opposite manners" if not a.is_forbidden and opposite_tones(a.name, b.name) else ""


def _content_clash(a: Content, b: Content) -> str:  # noqa: PLR0911 - one return per kind of clash
    if a.is_forbidden == b.is_forbidden:
        differs = a.is_literal and b.is_literal and a.concept != b.concept
        is_clash = a.place and a.place == b.place and differs and not a.is_forbidden
        return f"place: two texts at the same {a.place}" if is_clash else ""
    banned, wanted = (a, b) if a.is_forbidden else (b, a)
    if banned.is_literal != wanted.is_literal:
        return ""
    if banned.is_literal:
        return "content: demanded and forbidden" if banned.concept in wanted.concept else ""
    if banned.concept == "extra":
        is_extra = wanted.concept in EXTRA_TEXT - {"extra"} and not wanted.is_permission
        return "content: nothing else, and something else" if is_extra else ""
    if (banned.concept, wanted.concept) == ("question_mark", "question"):
        return "content: a question, and no question mark"
    if banned.concept != wanted.concept:
        return ""
    if not banned.concept:
        is_same = content.same_matter(banned.units, wanted.units) or content.same_object(banned.units, wanted.units)
        return "content: demanded and forbidden" if is_same else ""
    return "content: demanded and forbidden" if _same_object(banned, wanted) else ""


def _same_object(a: Content, b: Content) -> bool:
    """Of one concept; where it is one of many things (which quote?) and both say which, that must be the same in part."""
    return a.concept not in _OF_SOMETHING or not (a.units and b.units) or bool(a.units & b.units)


def _order_clash(a: Order, b: Order) -> str:
    if (a.first, a.then) == (b.then, b.first):
        return "order: each before the other"
    if a.first == b.first == "^" or a.then == b.then == "$":
        return "order: two parts at one end" if a != b else ""
    if a.first == "^" and b.then == "$" and a.then == b.first:
        return "order: one part at both ends"
    if (a.first == "^" and b.then == a.then and b.first not in {"^", "$"}) or (
        a.then == "$" and b.first == a.first and b.then not in {"^", "$"}
    ):
        return "order: a part at one end, and another beyond it"
    return ""


def _labels_clash(a: object, b: object) -> str:
    if not isinstance(a, Labels):
        return ""
    if isinstance(b, Labels):
        disjoint = not {v.casefold() for v in a.values} & {v.casefold() for v in b.values}
        return "labels: two lists without a common label" if disjoint else ""
    if isinstance(b, Languages) and not b.is_forbidden and not b.codes - {"zh", "en"}:
        is_other = not any(language_share(value, code) >= WRONG_SCRIPT for value in a.values for code in b.codes)
        return "labels: in another language than is demanded" if is_other else ""
    return ""


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
