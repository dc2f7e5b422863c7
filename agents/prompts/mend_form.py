"""Patches that complete or straighten the description of the output form."""

import json
import re
from collections.abc import Callable, Mapping, Sequence

from agents.prompts.detect import Reading
from agents.prompts.example_data import value_broken
from agents.prompts.json_repair import repaired, without_key
from agents.prompts.patches import sentence_deletion
from agents.prompts.sketches import Template, top_keys
from agents.prompts.statements import Statement, statements
from agents.prompts.structure import Field, Structure, describe, field_list_spans, type_said
from agents.prompts.surface import strip_fence
from agents.prompts.types import Example, Finding, Labels, Patch
from rag.text import detect_language

Outcome = tuple[Patch | None, str]
_DEFAULT_FIELD = "answer"
_ZH_COUNTS = "零一二三四五六七八九"
_EN_COUNTS = "zero one two three four five six seven eight nine".split()


def form_patch(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    """A patch for a format finding and the decision it rests on; (None, "") where there is none by rule."""
    make = _MAKERS.get(finding.code) or (_second_choice if finding.code.startswith("two ") else None)
    return make(prompt, finding, reading, examples) if make else (None, "")


def _broken(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    (start, end), text = finding.spans[0], finding.quotes[0]
    fixed = repaired(text)
    return (None, "") if fixed is None else (Patch(start, prompt[start:end], fixed, finding.detail), "")


def _repeated(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    if not finding.spans:
        return None, ""
    (start, end), text = finding.spans[0], finding.quotes[0]
    keys = re.findall(r"\"([^\"\n]{1,40})\"\s*:", text)
    key = next((key for key in keys if keys.count(key) > 1), "")
    fixed = without_key(text, key)
    return (None, "") if fixed is None else (Patch(start, prompt[start:end], fixed, finding.detail), "")


def _no_fields(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    """Name the fields that the examples have, or else one."""
    form = reading.spec.structure.form or "json"
    start, end = _sentence_at(prompt, finding.spans[0])
    keys = _shown_keys(form, examples)
    decision = "" if keys else f"The {form.upper()} output had no field, so it got one: {_DEFAULT_FIELD}."
    text = _field_sentence(form, keys or (_DEFAULT_FIELD,), detect_language(prompt))
    glue = "" if detect_language(prompt) == "zh" else " "
    stopped = prompt[start:end].rstrip()[-1:] in set(".。!！?？;；:：")
    lead = glue if stopped else ("。" if detect_language(prompt) == "zh" else ". ")
    return Patch(end, "", lead + text, finding.detail), decision


def _template_missing(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    if not reading.spec.structure.form:
        start, end = _sentence_at(prompt, finding.spans[0])
        return sentence_deletion(
            prompt, start, end, finding.detail
        ), "A reference to a form that is not there was taken out."
    return _no_fields(prompt, finding, reading, examples)


def _labels_missing(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    start, end = finding.spans[0]
    sentence = _sentence_at(prompt, (start, end))
    seen = _shown_labels(prompt[slice(*sentence)], reading.spec.structure, examples)
    if len(seen) < 2:
        return sentence_deletion(
            prompt, *sentence, finding.detail
        ), "Labels that are listed nowhere are no longer spoken of."
    is_zh = detect_language(prompt) == "zh"
    listed = f"：{'、'.join(seen)}" if is_zh else f": {', '.join(seen)}"
    body = prompt[sentence[0] : sentence[1]].rstrip(".。 ")
    decision = f"The labels are those of the examples: {', '.join(seen)}."
    return Patch(sentence[0] + len(body), "", listed, finding.detail), decision


def _count(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    structure, quote = reading.spec.structure, finding.quotes[0]
    n = len(structure.names)
    at = prompt.find(quote)
    said = re.match(r"\d+|[一二两三四五六七八]|[a-z]+", quote, re.IGNORECASE)
    if at < 0 or said is None or not 0 < n < 10:
        return None, ""
    word = str(n) if said[0].isdigit() else _EN_COUNTS[n] if said[0].isascii() else "两" if n == 2 else _ZH_COUNTS[n]
    return Patch(at, said[0], word, finding.detail), f"The number of fields follows their list: {n}."


def _mismatch(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    """The list follows the template, which also says the types."""
    keys = next((top_keys(t.value) for t in reading.spec.structure.templates if top_keys(t.value)), ())
    for start, end, names in field_list_spans(prompt, reading.spec.structure):
        if keys and set(names) != set(keys):
            joint = "、" if "、" in prompt[start:end] or detect_language(prompt) == "zh" else ", "
            return Patch(
                start, prompt[start:end], joint.join(keys), finding.detail
            ), "The list of fields follows the template."
    return None, ""


def _unknown_field(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    """A field that a rule describes joins the template or the list."""
    match = re.search(r"'([\w-]+)'", finding.detail)
    name = match[1] if match else ""
    value = _placeholder(Field(name, types=_types_said(finding.quotes[0])))
    for template in reading.spec.structure.templates:
        place = re.search(r"(?P<last>[^\s])(?P<gap>\s*)\}\s*\]?\s*$", template.text)
        if template.is_valid and isinstance(template.value, dict) and place:
            indent = re.search(r"\n([ \t]+)\"", template.text)
            lead = f",\n{indent[1]}" if indent else ", "
            at = template.start + place.end("last")
            return Patch(
                at, "", f'{lead}"{name}": {value}', finding.detail
            ), f"The field {name} was added to the template."
    for _, end, names in field_list_spans(prompt, reading.spec.structure):
        joint = "、" if detect_language(prompt) == "zh" else ", "
        if name and names:
            return Patch(end, "", f"{joint}{name}", finding.detail), f"The field {name} was added to the list."
    return None, ""


def _second_choice(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    """Of two choices of form the first stays."""
    if len(finding.spans) < 2:
        return None, ""
    sentence = _sentence_at(prompt, finding.spans[1])
    if sentence == _sentence_at(prompt, finding.spans[0]):
        return None, ""
    return sentence_deletion(
        prompt, *sentence, finding.detail
    ), f"Of {finding.quotes[0]!r} and {finding.quotes[1]!r} the first stays."


def _two_values(prompt: str, finding: Finding, reading: Reading, examples: Sequence[Example]) -> Outcome:
    """Two things are said about a field: keep what the examples and the template show, else what is said first."""
    match = re.search(r"'([^']+)'", finding.detail)
    name = match[1] if match else ""
    said = [s for s in statements(prompt) if _speaks_of(s, name) and _says_value(s, name, reading)]
    alone = {s: _alone(s, name, reading) for s in said}
    wrong = [s for s in said if _disagrees(alone[s], name, examples)]
    template = next((t for t in reading.spec.structure.templates if name in top_keys(t.value)), None)
    if wrong and len(wrong) < len(said) + (template is not None):
        return sentence_deletion(
            prompt, wrong[0].start, wrong[0].end, finding.detail
        ), f"The examples show another {name}."
    if len(said) > 1:
        return sentence_deletion(
            prompt, said[-1].start, said[-1].end, finding.detail
        ), f"What is said first of {name} stays."
    if template is not None and said:
        return _new_value(template, name, alone[said[0]], finding), f"The template follows what is said of {name}."
    return None, ""


def _speaks_of(statement: Statement, name: str) -> bool:
    return re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", statement.text) is not None


def _says_value(statement: Statement, name: str, reading: Reading) -> bool:
    one = _alone(statement, name, reading)
    return bool(one.types or one.values or one.ranges)


def _alone(statement: Statement, name: str, reading: Reading) -> Field:
    """What one sentence says about a field."""
    rules = [rule for rule in reading.rules if rule.sentence == (statement.start, statement.end)]
    one = describe(name, statement.text, rules)
    labels = tuple(rule.demand.values for rule in rules if isinstance(rule.demand, Labels))
    return Field(name, one.types, labels or one.values, one.ranges)


def _disagrees(one: Field, name: str, examples: Sequence[Example]) -> bool:
    for example in examples:
        try:
            value = json.loads(strip_fence(example.assistant))
        except ValueError:
            continue
        rows = value if isinstance(value, list) else [value]
        if any(isinstance(row, dict) and name in row and value_broken(one, row[name]) for row in rows):
            return True
    return False


def _new_value(template: Template, name: str, one: Field, finding: Finding) -> Patch | None:
    match = re.search(rf"\"{re.escape(name)}\"\s*:\s*(\"[^\"]*\"|\[[^\]]*\]|[^,}}\]\n]+)", template.text)
    if match is None:
        return None
    return Patch(template.start + match.start(1), match[1], _placeholder(one), finding.detail)


def _placeholder(one: Field) -> str:
    """A value of the template that says what is said of the field."""
    if one.values:
        return json.dumps("|".join(one.values[0]), ensure_ascii=False)
    if one.ranges:
        return f"{one.ranges[0][0]:g}"
    shown = {"integer": "1", "number": "0.5", "boolean": "true", "array": '["string"]', "object": "{}"}
    return shown.get(one.types[0] if one.types else "", '"string"')


def _types_said(text: str) -> tuple[str, ...]:
    return (type_said(text),) if type_said(text) else ()


def _sentence_at(prompt: str, span: tuple[int, int]) -> tuple[int, int]:
    for statement in statements(prompt):
        if statement.start <= span[0] < statement.end:
            return statement.start, statement.end
    start = prompt.rfind("\n", 0, span[0]) + 1
    end = prompt.find("\n", span[1])
    return start, len(prompt) if end < 0 else end


def _shown_keys(form: str, examples: Sequence[Example]) -> tuple[str, ...]:
    """The fields or columns that the examples agree on."""
    shown: list[tuple[str, ...]] = []
    for example in examples:
        text = strip_fence(example.assistant).strip()
        if form == "json":
            try:
                shown.append(top_keys(json.loads(text)))
            except ValueError:
                continue
        elif form == "table" and text.startswith("|"):
            shown.append(tuple(cell.strip() for cell in text.splitlines()[0].strip("|").split("|")))
        elif form == "csv" and "," in text.splitlines()[0]:
            shown.append(tuple(cell.strip() for cell in text.splitlines()[0].split(",")))
        elif form == "xml":
            shown.append(tuple(dict.fromkeys(re.findall(r"<(\w+)>", text))))
    shown = [keys for keys in shown if keys]
    return max(shown, key=shown.count) if shown else ()


def _shown_labels(sentence: str, structure: Structure, examples: Sequence[Example]) -> list[str]:
    name = next((field for field in structure.fields if _names(sentence, field)), "")
    seen = []
    for example in examples:
        text = example.assistant.strip()
        try:
            value = json.loads(strip_fence(text))
        except ValueError:
            value = text if len(text) <= 20 and "\n" not in text and not structure.form else None
        rows = value if isinstance(value, list) else [value]
        seen += [row[name] for row in rows if isinstance(row, dict) and isinstance(row.get(name), str)]
        seen += [row for row in rows if isinstance(row, str)]
    return list(dict.fromkeys(seen))


def _names(sentence: str, field: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(field)}(?!\w)", sentence) is not None


def _field_sentence(form: str, keys: Sequence[str], language: str) -> str:
    is_column = form in {"csv", "table"}
    if form == "xml":
        body = "".join(f"<{key}>…</{key}>" for key in keys)
        return (
            f"结构为：<result>{body}</result>。" if language == "zh" else f"Its structure is: <result>{body}</result>."
        )
    if language == "zh":
        return (
            f"{'列' if is_column else '字段'}为：{'、'.join(keys)}。"
            if len(keys) > 1
            else f"{'列' if is_column else '字段'}为：“{keys[0]}”。"
        )
    what = "columns" if is_column else "fields"
    return (
        f"The {what} are: {', '.join(keys)}."
        if len(keys) > 1
        else f'Its only {what.removesuffix("s")} is: "{keys[0]}".'
    )


_MAKERS: Mapping[str, Callable[[str, Finding, Reading, Sequence[Example]], Outcome]] = {
    "broken template": _broken,
    "repeated field": _repeated,
    "no fields": _no_fields,
    "template missing": _template_missing,
    "labels not listed": _labels_missing,
    "field count": _count,
    "field mismatch": _mismatch,
    "unknown field": _unknown_field,
    "two types": _two_values,
    "two ranges": _two_values,
    "two value lists": _two_values,
}
