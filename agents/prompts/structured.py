# ruff: noqa: E501 - a pattern or a table is read as one line
"""The structured-output agent's checks: is the form that a prompt asks for fully and consistently described?"""

import re
from collections.abc import Iterator, Sequence

from agents.prompts.form_choices import choice_findings
from agents.prompts.sketches import read_sketch, top_keys
from agents.prompts.statements import FENCE
from agents.prompts.structure import Field, Structure, structure_of
from agents.prompts.types import Content, Example, Finding, Format, Labels, Rule

_PLAIN_SHAPE = re.compile(
    r"\b(?:(?:array|list|one-dimensional|flat) of (?:strings|numbers|integers|names|words|keywords|objects with)|string array|single (?:key|field|string)|one (?:key|field|column|string) per|two-column|one column)\b|字符串数组|(?:关键词|字符串|数字|名称)(?:的)?(?:数组|列表)|由[^，。]{1,12}组成的数组|键值对|单列|两列",
    re.IGNORECASE,
)
_LIKE_EXAMPLES = re.compile(
    r"\b(?:(?:as|like|same (?:form|format|fields|keys|shape|structure)|see|follow|shown|exactly as) (?:\w+ ){0,4}?examples?|examples? (?:below|above) show)\b|(?:和|与|按|照|同|见|参照|仿照|如)[^，。]{0,6}(?:示例|例子|样例|范例)",
    re.IGNORECASE,
)
_POINTS_BELOW = re.compile(
    r"\b(?:(?:schema|template|format|structure|fields?|keys?|columns?|layout|list|categories|labels|values|options) (?:\w+ ){0,3}?(?:below|that follows?)|following (?:schema|template|format|structure|fields?|keys?|columns?|layout|categories|labels|values|options))\b|(?:如下|以下|下面的?|下列|下述)(?:的)?(?: ?(?:JSON|XML|CSV|YAML|Markdown) ?)?(?:格式|模板|结构|字段|模式|schema|列|类别|标签|取值)|(?:格式|模板|结构|字段|类别|标签)(?:如下|见下)",
    re.IGNORECASE,
)
_LABEL_TALK = re.compile(
    r"\b(?:one of (?:the|our) (?:\w+ )?(?:labels|categories|classes|values|options|levels)|(?:allowed|predefined|permitted|agreed|fixed|given|standard|official) (?:labels|categories|classes|values|set|levels)|classify (?:\w+ ){0,5}?into (?:the |a |one of the )?(?:right |correct |appropriate |suitable )?(?:categor(?:y|ies)|class(?:es)?|labels?))\b|"
    r"(?:规定|给定|指定|预设|允许|既定|约定|固定|相应|合适|对应)的?(?:几个|几种|一个)?(?:类别|标签|取值|分类|选项|等级|级别)|(?:类别|标签|取值)(?:只能)?(?:是|为|取)?(?:规定|允许|预设|给定|约定)",
    re.IGNORECASE,
)
_NUMERIC = frozenset({"integer", "number"})


def format_findings(prompt: str, rules: Sequence[Rule], examples: Sequence[Example] = ()) -> list[Finding]:
    """What is missing, broken or at odds in the description of the output's form."""
    structure = structure_of(prompt, list(rules))
    found = [*_templates(structure), *choice_findings(prompt), *_missing_list(prompt, rules, structure)]
    if structure.form:
        found += [
            *_fields(prompt, structure, rules),
            *_counts(structure),
            *_mismatch(structure),
            *_field_rules(structure, rules),
        ]
        for one in structure.fields.values():
            found += _field_conflicts(one)
    return found


def finding(
    code: str, detail: str, quotes: Sequence[str], spans: Sequence[tuple[int, int]] = (), rule_ids: Sequence[str] = ()
) -> Finding:
    """A format finding."""
    return Finding("format", code, detail, rule_ids=tuple(rule_ids), quotes=tuple(quotes), spans=tuple(spans))


def _templates(structure: Structure) -> Iterator[Finding]:
    for template in structure.templates:
        if not template.is_valid and structure.form == "json":
            yield finding(
                "broken template",
                "The JSON template cannot be parsed.",
                [template.text],
                [(template.start, template.end)],
            )
        elif names := _repeated(template.text):
            yield finding(
                "repeated field",
                f"The template holds {names[0]!r} twice.",
                [template.text],
                [(template.start, template.end)],
            )
    for listed in structure.listed:
        if len(set(listed)) < len(listed):
            yield finding("repeated field", "The list of fields names one twice.", listed)


def _repeated(text: str) -> list[str]:
    """Keys that stand twice in the outermost object of a template."""
    depth, keys = 0, []
    for match in re.finditer(r"\"(?P<key>[^\"\n]{1,40})\"\s*:|[{}\[\]]", text):
        if match["key"] is None:
            depth += 1 if match[0] in "{[" else -1
        elif depth == 1:
            keys.append(match["key"])
    return [key for key in dict.fromkeys(keys) if keys.count(key) > 1]


def _missing_list(prompt: str, rules: Sequence[Rule], structure: Structure) -> Iterator[Finding]:
    """It points to a schema, a list or labels that are nowhere."""
    has_labels = any(isinstance(rule.demand, Labels) for rule in rules) or any(
        f.values for f in structure.fields.values()
    )
    for match in _LABEL_TALK.finditer(prompt):
        if (
            not has_labels
            and not _list_follows(prompt, match.end())
            and not re.match(r"[^\n。.]{0,10}[:：(（]", prompt[match.end() :])
        ):
            yield finding("labels not listed", "It speaks of labels that it does not list.", [match[0]], [match.span()])
            return
    for match in _POINTS_BELOW.finditer(prompt):
        below = bool(re.search(r"label|categor|option|类别|标签", match[0], re.IGNORECASE))
        has = bool(
            structure.templates
            or structure.listed
            or FENCE.search(prompt)
            or _list_follows(prompt, match.end())
            or (below and has_labels)
        )
        if not has and not re.match(r"[^\n]{0,20}[:：][ \t]*[^\s]", prompt[match.end() :]):
            yield finding(
                "template missing", "It points to a form below that is not there.", [match[0]], [match.span()]
            )
            return


def _list_follows(prompt: str, position: int) -> bool:
    line = prompt[prompt.rfind("\n", 0, position) + 1 : position]
    mark = re.match(r"\s*(?:[-*+•]\s|\d+[.)])", line)
    if mark and re.match(
        rf"[^\n]*\n{re.escape(mark[0])}" if not mark[0].strip()[0].isdigit() else r"[^\n]*\n\s*\d+[.)]",
        prompt[position:],
    ):
        return False  # the next line is one more point of the list that this one belongs to
    return bool(re.match(r"[^\n]{0,60}\n\s*(?:[-*+•]|\d+[.)]|\||<|\w+\s*[:,|])", prompt[position:]))


def _fields(prompt: str, structure: Structure, rules: Sequence[Rule]) -> Iterator[Finding]:
    if (
        structure.templates
        or structure.names
        or structure.fields
        or _PLAIN_SHAPE.search(prompt)
        or _LIKE_EXAMPLES.search(prompt)
    ):
        return
    if (
        FENCE.search(prompt)
        or _list_follows_form(prompt, structure.form)
        or any(rule.target.startswith("field:") for rule in rules)
    ):
        return
    rule = next(
        r
        for r in rules
        if isinstance(r.demand, Format) and r.demand.name == structure.form and not r.demand.is_forbidden
    )
    if structure.form == "table" and rule.condition:
        return
    yield finding(
        "no fields",
        f"It wants {structure.form.upper()} and names no field or column.",
        [rule.text],
        [(rule.start, rule.end)],
        [rule.id],
    )


def _list_follows_form(prompt: str, form: str) -> bool:
    """A header row, tags, or a list of "name: meaning" lines describes the fields too."""
    if form in {"xml", "html"}:
        return bool(re.search(r"<\w+>", prompt))
    if form == "table":
        return bool(re.search(r"^\s*\|.*\|", prompt, re.MULTILINE))
    if form == "csv" and re.search(r"^\s*\w+(?:[,;\t]\w+){1,}\s*$", prompt, re.MULTILINE):
        return True
    return (
        len(
            re.findall(
                r"^\s*(?:[-*+•]|\d+[.)])?\s*[`\"*]{0,3}[A-Za-z_\u4e00-\u9fff][\w\u4e00-\u9fff-]{0,20}[`\"*]{0,3}[ \t]*[:：(（—-][ \t]*\S",
                prompt,
                re.MULTILINE,
            )
        )
        >= 2
    )


def _counts(structure: Structure) -> Iterator[Finding]:
    sizes = {len(names) for names in structure.listed} | {
        len(top_keys(t.value)) for t in structure.templates if top_keys(t.value)
    }
    for count, quote in structure.counts:
        if sizes and count not in sizes:
            yield finding("field count", f"It says {count} fields and names {max(sizes)}.", [quote])


def _mismatch(structure: Structure) -> Iterator[Finding]:
    """The list of fields and the template name different ones."""
    for template in structure.templates:
        keys = set(top_keys(template.value))
        for names in structure.listed:
            # A nested object has a list of its own.
            if keys and len(names) == 1 and names[0] not in _all_keys(template.value):
                quotes = structure.fields[names[0]].quotes or names
                yield finding(
                    "unknown field", f"It speaks of the field {names[0]!r}, which the output does not have.", quotes
                )
                return
            if keys and set(names) != keys and not set(names) <= _all_keys(template.value):
                missing = sorted(set(names) ^ keys)
                yield finding(
                    "field mismatch",
                    f"List and template differ in: {', '.join(missing)}.",
                    [", ".join(names), template.text],
                    [(template.start, template.end)],
                )
                return


def _all_keys(value: object) -> set[str]:
    if isinstance(value, list):
        return {key for item in value for key in _all_keys(item)}
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in _all_keys(item)}
    return set()


def _field_rules(structure: Structure, rules: Sequence[Rule]) -> Iterator[Finding]:
    """A rule speaks of a field that neither the list nor the template has."""
    known = {key.lower() for t in structure.templates for key in _all_keys(t.value)} | {
        n.lower() for names in structure.listed for n in names
    }
    seen: set[str] = set()
    for rule in rules:
        name = rule.target.removeprefix("field:")
        if not known or name == rule.target or name in known or name in seen or not re.fullmatch(r"[a-z_][\w-]*", name):
            continue
        if any(name in value.lower() for one in structure.fields.values() for values in one.values for value in values):
            continue
        if isinstance(rule.demand, Labels) or (isinstance(rule.demand, Content) and rule.demand.is_forbidden):
            continue
        seen.add(name)
        yield finding(
            "unknown field",
            f"It speaks of the field {name!r}, which the output does not have.",
            [rule.text],
            [(rule.start, rule.end)],
            [rule.id],
        )


def _field_conflicts(one: Field) -> Iterator[Finding]:
    types = {"number" if t in _NUMERIC else t for t in one.types}
    if len(types) > 1:
        yield finding("two types", f"The field {one.name!r} is {' and '.join(sorted(types))}.", one.quotes)
    elif one.values and types & {"number", "boolean", "array", "object"}:
        labels = [value for values in one.values for value in values if not re.fullmatch(r"-?[\d.]+|true|false", value)]
        if labels:
            yield finding("two types", f"The field {one.name!r} is {types.pop()} and a label.", one.quotes)
    outside = [x for x in one.samples for low, high in one.ranges if not low <= x <= high]
    if len(set(one.ranges)) > 1 or outside:
        yield finding("two ranges", f"The field {one.name!r} has two ranges.", one.quotes)
    sets = {frozenset(value.casefold().strip() for value in values) for values in one.values}
    if len(sets) > 1:
        yield finding("two value lists", f"The field {one.name!r} has two lists of allowed values.", one.quotes)


__all__ = ["finding", "format_findings", "read_sketch"]
