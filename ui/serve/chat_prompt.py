"""From a chat request to what the generator is asked for, and how its text is read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby

from rag.errors import EngineError, UsageError
from rag.json_grammar import grammar_for
from rag.protocols import GenerationRequest, Generator
from rag.settings import Settings
from rag.tool_calls import describe_tools, write_call, write_results
from rag.types import Message, Role
from ui.serve.chat_schema import (
    AssistantMessage,
    ChatMessage,
    ChatRequest,
    NamedTool,
    ObjectFormat,
    SchemaFormat,
    SystemMessage,
    Text,
    Tool,
    ToolMessage,
)

# A chat gets so many tokens when it names no limit, or what the context leaves.
DEFAULT_MAX_TOKENS = 1024
# What a chat template spends on roles and borders, rounded up.
_TOKENS_PER_MESSAGE = 16
# A JSON object begins like this; the model goes on from there.
OBJECT_START = "{"


class Reading(Enum):
    """What the generated text is."""

    TEXT = "text"
    TOOLS = "text with calls"
    CALL = "one call"
    OBJECT = "the rest of a JSON object"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask the generator, and how to read its text. ``tools`` are the names the model may call."""

    request: GenerationRequest
    reading: Reading
    tools: tuple[str, ...] = ()
    single_call: bool = False


def plan_chat(body: ChatRequest, settings: Settings, generator: Generator) -> Plan:
    """Turn a request into a plan.

    Raises:
        UsageError: earlier calls that are not JSON, an unusable schema, or tools and a response format together.
    """
    tools = [] if body.tool_choice == "none" else body.tools or []
    messages = [*_messages(body.messages)]
    reading, schema = _reading(body, tools, messages)
    if tools:
        messages = _with_system(messages, describe_tools([_signature(tool) for tool in tools]))
    if reading is Reading.OBJECT:
        messages = [*messages, Message(Role.ASSISTANT, OBJECT_START)]
    if schema is not None and not settings.endpoint.url:
        _check_schema(schema)
    request = _sampled(GenerationRequest(tuple(messages), stop=body.stops, json_schema=schema), body, settings)
    return Plan(
        replace(request, max_tokens=_max_tokens(body, messages, generator)),
        reading,
        tuple(tool.function.name for tool in tools),
        single_call=body.parallel_tool_calls is False,
    )


def _sampled(request: GenerationRequest, body: ChatRequest, settings: Settings) -> GenerationRequest:
    default = settings.generation
    return replace(
        request,
        temperature=default.temperature if body.temperature is None else body.temperature,
        top_p=default.top_p if body.top_p is None else body.top_p,
        seed=default.seed if body.seed is None else body.seed,
    )


def _reading(body: ChatRequest, tools: Sequence[Tool], messages: Sequence[Message]) -> tuple[Reading, str | None]:
    """How the text is to be read, and the schema that it must follow."""
    wanted = body.response_format
    has_format = isinstance(wanted, ObjectFormat | SchemaFormat)
    if tools and has_format:
        raise UsageError("A local model cannot call tools and keep a response_format at once. Leave one of them out.")
    if tools and (body.tool_choice == "required" or isinstance(body.tool_choice, NamedTool)):
        forced = body.tool_choice.function.name if isinstance(body.tool_choice, NamedTool) else None
        return Reading.CALL, _call_schema([tool for tool in tools if forced in (None, tool.function.name)])
    if tools:
        return Reading.TOOLS, None
    if has_format and messages[-1].role is Role.ASSISTANT:
        raise UsageError("A response_format needs a user message at the end. Leave out the last assistant message.")
    if isinstance(wanted, SchemaFormat):
        return Reading.TEXT, json.dumps(wanted.json_schema.rules)
    return (Reading.OBJECT, None) if isinstance(wanted, ObjectFormat) else (Reading.TEXT, None)


def _call_schema(tools: Sequence[Tool]) -> str:
    """The schema of one call of one of these tools."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": tool.function.name}, "arguments": _arguments(tool)},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return json.dumps(calls[0] if len(calls) == 1 else {"anyOf": calls})


def _arguments(tool: Tool) -> Mapping[str, object]:
    parameters = tool.function.parameters or {}
    return parameters if parameters.get("properties") else {"const": {}}


def _check_schema(schema: str) -> None:
    try:
        grammar_for(schema)
    except EngineError as error:
        raise UsageError(str(error)) from error
    except RecursionError as error:
        raise UsageError("The JSON schema is nested too deeply. Simplify it.") from error


def _max_tokens(body: ChatRequest, messages: Sequence[Message], generator: Generator) -> int:
    asked = body.max_completion_tokens or body.max_tokens
    if asked is not None:
        return asked
    used = sum(generator.count_tokens(message.text) + _TOKENS_PER_MESSAGE for message in messages)
    return max(1, min(DEFAULT_MAX_TOKENS, generator.context_size - used))


def _messages(messages: Sequence[ChatMessage]) -> Iterator[Message]:
    """Our messages; results of tools that follow each other become one user turn."""
    for is_result, group in groupby(messages, key=lambda message: isinstance(message, ToolMessage)):
        if is_result:
            yield Message(Role.USER, write_results([_text(message.content) for message in group]))
        else:
            yield from map(_message, group)


def _message(message: ChatMessage) -> Message:
    if isinstance(message, SystemMessage):
        return Message(Role.SYSTEM, _text(message.content))
    if isinstance(message, AssistantMessage):
        calls = [
            write_call(call.function.name, _read_arguments(call.function.arguments))
            for call in message.tool_calls or ()
        ]
        return Message(Role.ASSISTANT, "\n".join(filter(None, [_text(message.content), *calls])))
    return Message(Role.USER, _text(message.content))


def _text(content: Text | None) -> str:
    return content if isinstance(content, str) else "\n".join(part.text for part in content or ())


def _read_arguments(text: str) -> Mapping[str, object]:
    try:
        arguments = json.loads(text or "{}", strict=False)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The arguments of an earlier call are not JSON: {text[:80]!r}.") from error
    if not isinstance(arguments, dict):
        raise UsageError(f"The arguments of an earlier call are no JSON object: {text[:80]!r}.")
    return arguments


def _signature(tool: Tool) -> dict[str, object]:
    return tool.model_dump(exclude_none=True, exclude={"function": {"strict"}})


def _with_system(messages: Sequence[Message], block: str) -> list[Message]:
    """The block at the end of the system text, which is made where there is none."""
    has_system = messages[0].role is Role.SYSTEM
    system = messages[0].text if has_system else ""
    return [Message(Role.SYSTEM, f"{system}\n\n{block}".lstrip()), *messages[1 if has_system else 0 :]]
