"""The tool format of Qwen2.5 and its relatives: signatures in the system text, calls in ``<tool_call>`` tags.

The wording is the wire format the models were trained on (their own chat template), not a prompt of ours. Pure.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|$)", re.DOTALL)
# Coder models like to answer with the bare object, fenced, or inside the wrong tag.
_BARE = re.compile(r"\s*(?:```(?:json)?|<tools>)?\s*(\{.*\})\s*(?:```|</tools>)?\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool the model wants to be run."""

    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said: text, calls, and pieces that were meant as calls but cannot be read."""

    text: str
    calls: tuple[Call, ...]
    malformed: tuple[tuple[str, str], ...] = ()


def describe_tools(tools: Sequence[Mapping[str, object]]) -> str:
    """The block that a system text ends with. ``tools`` are OpenAI-style function schemas."""
    signatures = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n"
        f"<tools>\n{signatures}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
        "</tool_call>"
    )


def write_call(name: str, arguments: Mapping[str, object]) -> str:
    """A call as the model itself would have written it."""
    return f"{OPEN}\n{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}\n{CLOSE}"


def write_results(results: Sequence[str]) -> str:
    """The results of tools, as the user turn that follows the calls."""
    return "\n".join(f"<tool_response>\n{result}\n</tool_response>" for result in results)


def read_reply(text: str, names: Sequence[str]) -> Reply:
    """Split a reply into text and calls. Outside of tags, only a reply that is one call of a known tool counts."""
    blocks = [match.group(1).strip() for match in _CALL.finditer(text)]
    if not blocks and (bare := _BARE.fullmatch(text)):
        call = _call(bare.group(1))
        if isinstance(call, Call) and call.name in names:
            return Reply("", (call,))
    read = [(block, _call(block)) for block in blocks]
    return Reply(
        _CALL.sub("", text).strip() if blocks else text,
        tuple(call for _, call in read if isinstance(call, Call)),
        tuple((block, reason) for block, reason in read if isinstance(reason, str)),
    )


def _call(block: str) -> Call | str:
    """The call, or the reason why it is none."""
    try:
        value = json.loads(block, strict=False)
        if isinstance(value, dict) and isinstance(value.get("arguments"), str):
            value["arguments"] = json.loads(value["arguments"], strict=False)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return "no object with a 'name'"
    arguments = value.get("arguments", {})
    return Call(value["name"], arguments) if isinstance(arguments, dict) else "'arguments' is not an object"
