"""Assistant turns that no rule can mend are written anew by the model, and kept only when every check passes."""

import json
import re
from collections.abc import Sequence

from agents.prompt_files import fill, sections
from agents.prompts.example_data import expected_fields
from agents.prompts.example_demands import Spec
from agents.prompts.examples import broken_rules
from agents.prompts.judge import PACKAGE
from agents.prompts.structure import Structure
from agents.prompts.types import Example, Finding, Languages, Length
from agents.run import Meter
from rag.protocols import GenerationRequest
from rag.text import detect_language
from rag.types import Message, Role

ATTEMPTS = 2
MAX_TOKENS = 320
RETRY_TEMPERATURE = 0.7
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def rewritten(
    spec: Spec, example: Example, prompt: str, meter: Meter, *, seed: int, shown: Example | None
) -> str | None:
    """The assistant turn as the model corrects it, with no rule broken and no number made up; else None.

    ``shown`` is a pair that keeps all rules, if there is one: a small model follows a form better than its description.

    Raises:
        LimitError, EngineError: the model could not be asked any more.
    """
    current = example
    for attempt in range(ATTEMPTS):
        found = broken_rules(spec, current, 0)
        request = GenerationRequest(
            _messages(spec, example, prompt, found, shown),
            max_tokens=MAX_TOKENS,
            temperature=RETRY_TEMPERATURE if attempt else 0.0,
            seed=seed + attempt,
            json_schema=_schema(spec.structure),
        )
        made = meter.write("rewrite example", request)
        text = _plain(made.text, prompt)
        if (
            made.finish == "stop"
            and text
            and not broken_rules(spec, Example(example.user, text), 0)
            and adds_nothing(text, example, prompt)
        ):
            return text
    return None


def adds_nothing(text: str, example: Example, prompt: str) -> bool:
    """Whether every number of a text stands in the question, the old reply or the prompt."""
    known = set(_NUMBER.findall(f"{example.user}\n{example.assistant}\n{prompt}"))
    return set(_NUMBER.findall(re.sub(r"(?m)^\s*\d{1,2}[.)、]", "", text))) <= known


def _messages(
    spec: Spec, example: Example, prompt: str, found: Sequence[Finding], shown: Example | None
) -> tuple[Message, Message]:
    parts = sections(PACKAGE, "rewrite", detect_language(prompt))
    values = {
        "rules": prompt.strip(),
        "user": example.user,
        "reply": example.assistant,
        "problem": " ".join(one.detail for one in found),
        "hint": _hint(spec, example, found, parts),
        "shown": fill(parts[5], {"user": shown.user, "reply": shown.assistant}) + "\n\n" if shown is not None else "",
    }
    return Message(Role.SYSTEM, parts[0]), Message(Role.USER, fill(parts[1], values))


def _hint(spec: Spec, example: Example, found: Sequence[Finding], parts: Sequence[str]) -> str:
    """The demand behind the first finding, said plainly."""
    ids = {name for one in found for name in one.rule_ids}
    for rule in spec.rules:
        demand = rule.demand
        if rule.id not in ids:
            continue
        if isinstance(demand, Languages) and not demand.is_forbidden:
            codes = {detect_language(example.user)} if "mirror" in demand.codes else demand.codes
            return parts[2] if "en" in codes else parts[3] if "zh" in codes else ""
        if isinstance(demand, Length) and demand.low is not None:
            # Models write less than they are told to.
            return fill(parts[4], {"n": str(demand.low + demand.low // 3), "unit": demand.unit.value})
    return ""


def _plain(text: str, prompt: str) -> str:
    """Without the tags and the code fence that a model puts around its reply."""
    inside = re.sub(r"^\s*<(?:reply|回复)>\s*|\s*</(?:reply|回复)>\s*$", "", text.strip())
    fenced = re.fullmatch(r"```[\w-]*\n(.*?)\n?```", inside, re.DOTALL)
    return fenced[1].strip() if fenced and "```" not in prompt else inside.strip()


def _schema(structure: Structure) -> str | None:
    """A JSON schema for the fields of a flat JSON object, so that the reply cannot be anything else."""
    names = expected_fields(structure)
    if structure.form != "json" or not names:
        return None
    if any(
        isinstance(t.value, list) or any(isinstance(v, dict | list) for v in _values(t.value))
        for t in structure.templates
    ):
        return None
    properties = {name: _property(structure, name) for name in names}
    return json.dumps(
        {"type": "object", "properties": properties, "required": list(names), "additionalProperties": False},
        ensure_ascii=False,
    )


def _values(value: object) -> list[object]:
    return list(value.values()) if isinstance(value, dict) else []


def _property(structure: Structure, name: str) -> dict[str, object]:
    one = structure.fields.get(name)
    if one is not None and len(one.values) == 1:
        return {"type": "string", "enum": list(one.values[0])}
    kind = one.types[0] if one is not None and one.types else "number" if one is not None and one.ranges else "string"
    return {"type": "array", "items": {"type": "string"}} if kind == "array" else {"type": kind}
