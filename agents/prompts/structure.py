# ruff: noqa: E501 - a pattern or a table is read as one line
"""The structured output that a prompt asks for: its form, fields, types, allowed values and template."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agents.prompts.lexicon import STRUCTURED
from agents.prompts.sketches import Template, templates_in, top_keys
from agents.prompts.statements import FENCE
from agents.prompts.types import Format, Labels, Rule

_NAME = r"[\"“「'`]?[A-Za-z_\u4e00-\u9fff][\w\u4e00-\u9fff-]{0,30}[\"”」'`]?"
_NOTE = r"(?:\s*[（(][^()（）]{0,60}[)）])?"
_SEPARATOR = r"(?:\s*[、,，]\s*(?:and\s+)?|\s+and\s+|\s*(?:和|以及|与|及)\s*)"
_FIELD_LISTS = (
    re.compile(rf"\b(?:fields?|keys?|columns?|properties|attributes|headers?|elements?|tags?)\b(?: (?:named|called|are|is|in this order|in the order))?\s*[:：]?\s*(?P<list>{_NAME}{_NOTE}(?:{_SEPARATOR}{_NAME}{_NOTE})*)", re.IGNORECASE),
    re.compile(rf"(?:字段|键|列|属性|表头|元素|标签)(?:名)?(?:依次)?(?:为|是|有|包括|包含|分别是|分别为)?\s*[:：]?\s*(?P<list>{_NAME}{_NOTE}(?:{_SEPARATOR}{_NAME}{_NOTE})*)"),
    re.compile(rf"(?:包含|含有?|只含|带有?|有|包括)\s*(?P<list>{_NAME}{_NOTE}(?:{_SEPARATOR}{_NAME}{_NOTE})*)\s*(?:这|共)?(?:[一二两三四五六七八]个?|几个?)?(?:字段|键|列|属性)"),
    re.compile(rf"\b(?:with|has|have|contains?|containing|of)\s+(?:the |exactly |only )?(?P<list>{_NAME}{_NOTE}(?:{_SEPARATOR}{_NAME}{_NOTE})+)\s+(?:fields?|keys?|columns?)\b", re.IGNORECASE),
)  # fmt: skip
_NOT_NAMES = frozenset(
    "the a an and or with of in is are must be should order this that these only exactly as to for each every no not any by below above following listed shown given "
    "following: named called it they which where if when may than must_be from on at missing unknown empty null values value names name2 types type2 you your".split()
)  # fmt: skip
_JSON_FENCE = re.compile(r"^[ \t]*```json\b", re.MULTILINE | re.IGNORECASE)
_COUNT = re.compile(
    r"\b(?P<en>two|three|four|five|six|seven|eight|\d)\s+(?:fields|keys|columns|properties)\b|(?P<zh>[两二三四五六七八\d])\s*个?(?:字段|键|列|属性)",
    re.IGNORECASE,
)
_TYPES: Mapping[str, str] = {
    "array": r"\b(?:(?:string|text|number|integer|object)s? )?(?:arrays?|lists?)\b|(?:字符串|文本|数字|整数|对象)?的?(?:数组|列表)",
    "integer": r"\b(?:integers?|whole numbers?)\b|整数",
    "number": r"\b(?:numbers?|floats?|decimals?|numeric)\b|数字|数值|小数|浮点",
    "boolean": r"\b(?:booleans?|true or false|true/false)\b|布尔|true 或 false|true或false",
    "string": r"\b(?:strings?)\b|字符串|文本",
    "object": r"\bobjects?\b(?! with)|对象",
}  # fmt: skip
_TYPE = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _TYPES.items()}
_RANGE = re.compile(
    r"(?:\b(?:from|between)\s+|介于|范围(?:为|是)?|取值(?:为|是)?|从|为|是|\(|（|of|in)?\s*(?P<low>-?\d+(?:\.\d+)?)\s*(?:%\s*)?(?:to|and|-|–|—|~|～|到|至|与|和)\s*(?P<high>\d+(?:\.\d+)?)(?!\s*(?:words|sentences|字|句|条|characters|items|fields|点))",
    re.IGNORECASE,
)
_ENUM_IN_VALUE = re.compile(r"^[^|/]{1,24}(?:\s*[|/]\s*[^|/]{1,24})+$")


@dataclass(frozen=True, slots=True)
class Field:
    """What a prompt says about one field. ``types``, ``values`` and ``ranges`` hold one entry per place that says it."""

    name: str
    types: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()
    quotes: tuple[str, ...] = ()
    samples: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Structure:
    """The output structure of a prompt; ``form`` is "" where it wants none. ``listed`` are the field lists it gives."""

    form: str = ""
    templates: tuple[Template, ...] = ()
    listed: tuple[tuple[str, ...], ...] = ()
    fields: Mapping[str, Field] = field(default_factory=dict)
    counts: tuple[tuple[int, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The fields in order: those of the template, else those listed."""
        for template in self.templates:
            keys = top_keys(template.value)
            if keys:
                return keys
        return self.listed[0] if self.listed else ()


def structure_of(prompt: str, rules: list[Rule]) -> Structure:
    """Read the output structure."""
    form = next(
        (
            r.demand.name
            for r in rules
            if isinstance(r.demand, Format) and not r.demand.is_forbidden and r.demand.name in STRUCTURED
        ),
        "",
    )
    form = form or ("json" if _JSON_FENCE.search(prompt) else "")
    templates = tuple(templates_in(prompt)) if form else ()
    prose = _prose(prompt, templates)
    listed = tuple(dict.fromkeys(_field_lists(prose))) if form else ()
    names = list(
        dict.fromkeys(
            [*(key for t in templates for key in top_keys(t.value)), *(name for names in listed for name in names)]
        )
    )
    described = {name: _describe(name, names, prose, templates, rules) for name in names}
    counts = tuple((_count(match), match[0]) for match in _COUNT.finditer(prose)) if form else ()
    return Structure(form, templates, listed, described, counts)


def field_list_spans(prompt: str, structure: Structure) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Where the prompt lists fields: the span of the list, and its names."""
    prose = _prose(prompt, structure.templates)
    for pattern in _FIELD_LISTS:
        for match in pattern.finditer(prose):
            names = _names_of(match["list"])
            if names in structure.listed:
                yield match.start("list"), match.start("list") + len(match["list"].rstrip()), names


def describe(name: str, text: str, rules: list[Rule]) -> Field:
    """What a piece of text and rules say about a field."""
    return _describe(name, [name], text, (), rules)


def type_said(text: str) -> str:
    """The type that a text names, or ""."""
    places = [
        (match.start(), order, t) for order, (t, pattern) in enumerate(_TYPE.items()) if (match := pattern.search(text))
    ]
    return min(places)[2] if places else ""


def _prose(prompt: str, templates: tuple[Template, ...]) -> str:
    """The prompt with templates and code blocks blanked out, so that offsets stay."""
    spans = [(t.start, t.end) for t in templates] + [match.span() for match in FENCE.finditer(prompt)]
    characters = list(prompt)
    for start, end in spans:
        characters[start:end] = [c if c == "\n" else " " for c in characters[start:end]]
    text = "".join(characters)
    # Examples that are part of the prompt say nothing about what is asked for.
    return re.split(r"^#{1,6}\s*(?:Examples?|示例|样例|例子)\b", text, maxsplit=1, flags=re.MULTILINE | re.IGNORECASE)[
        0
    ]


def _field_lists(prose: str) -> Iterator[tuple[str, ...]]:
    for pattern in _FIELD_LISTS:
        for match in pattern.finditer(prose):
            names = _names_of(match["list"])
            if all(_is_name(name) for name in names) and (len(names) > 1 or re.search(r"[\"“「'`]", match["list"])):
                yield names


def _names_of(listed: str) -> tuple[str, ...]:
    parts = re.split(_SEPARATOR, re.sub(r"[（(][^()（）]*[)）]", "", listed))
    return tuple(part.strip(" \"“”「」'`") for part in parts)


def _is_name(name: str) -> bool:
    return (
        bool(name)
        and name.lower() not in _NOT_NAMES
        and not re.search(r"不|必须|应|可以|如果|缺|的|没有|取值|类型|这个|那个|省略|时$|.内容|内容.", name)
    )


def _count(match: re.Match[str]) -> int:
    words = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
    said = (match["en"] or match["zh"]).lower()
    if said.isdigit():
        return int(said)
    return words.get(said) or {"两": 2}.get(said) or "零一二三四五六七八".index(said)


def _describe(name: str, names: list[str], prose: str, templates: tuple[Template, ...], rules: list[Rule]) -> Field:
    # "from 1 (can wait) to 5 (urgent)": what stands in brackets behind a number explains it.
    prose = re.sub(r"(?<=\d)\s*[(（][^()（）\d]{1,30}[)）]", lambda match: " " * len(match[0]), prose)
    types: list[str] = []
    values: list[tuple[str, ...]] = []
    ranges: list[tuple[float, float]] = []
    quotes: list[str] = []
    for start, end in _mentions(name, names, prose):
        said = prose[start:end]
        found = type_said(said[len(name) :])
        span = _RANGE.search(said)
        if found:
            types.append(found)
        if span:
            ranges.append((float(span["low"]), float(span["high"])))
        if found or span:
            quotes.append(said.strip(" ,，;；。."))
    for template in templates:
        value = _value_at(template.value, name)
        if value is not None:
            _add_template(value, types, values, ranges, quotes)
    for rule in rules:
        if isinstance(rule.demand, Labels) and rule.target == f"field:{name.lower()}":
            values.append(rule.demand.values)
            quotes.append(rule.text)
    shown = [_value_at(template.value, name) for template in templates]
    samples = tuple(float(value) for value in shown if isinstance(value, int | float) and not isinstance(value, bool))
    return Field(name, tuple(types), tuple(values), tuple(ranges), tuple(quotes), samples)


def _mentions(name: str, names: list[str], prose: str) -> Iterator[tuple[int, int]]:
    """What is said about a field: from its name to the next field's name or the end of the clause or bracket."""
    pattern = re.compile(rf"(?<![\w\u4e00-\u9fff]){re.escape(name)}(?![\w])" if name.isascii() else re.escape(name))
    others = re.compile(
        "|".join(
            rf"(?<!\w){re.escape(other)}(?!\w)" if other.isascii() else re.escape(other)
            for other in names
            if other != name
        )
        or r"(?!)"
    )
    for match in pattern.finditer(prose):
        stop = re.search(
            r"(?<!\d)\.|\.(?!\d)|[。;；\n]|[)）]|、|[,，](?!\s*(?:an?|one of|between|from|within|in|either|取值|范围|介于|必须是|为|是)\b|\s*(?:取|范围|介于|必须是|为|是))",
            prose[match.end() :],
        )
        end = match.end() + stop.start() if stop else len(prose)
        other = others.search(prose, match.end(), end)
        yield match.start(), other.start() if other else end


def _value_at(value: object, name: str) -> object:
    if isinstance(value, list) and value:
        value = value[0]
    return value.get(name) if isinstance(value, dict) else None


def _add_template(
    value: object, types: list[str], values: list[tuple[str, ...]], ranges: list[tuple[float, float]], quotes: list[str]
) -> None:
    if isinstance(value, bool | int | float | list):
        types.append({bool: "boolean", int: "integer", float: "number", list: "array"}[type(value)])
    elif isinstance(value, str):
        inner = value.strip("<> ")
        found = type_said(inner)
        span = _RANGE.search(inner)
        if found:
            types.append(found)
        elif _ENUM_IN_VALUE.match(inner) and not span:
            values.append(tuple(part.strip() for part in re.split(r"[|/]", inner)))
        if span:
            ranges.append((float(span["low"]), float(span["high"])))
    quotes.append(json.dumps(value, ensure_ascii=False))
