"""What ``/v1/chat/completions`` answers, byte for byte as OpenAI's clients expect it."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from pydantic import BaseModel

from rag.protocols import Generation
from rag.tool_calls import Call
from ui.serve.chat_schema import ToolCall
from ui.serve.chat_text import Begun, Ended, Item, Piece


class PromptDetails(BaseModel):
    """How many tokens of the prompt were not computed again."""

    cached_tokens: int


class Usage(BaseModel):
    """Tokens, counted by the model's own tokenizer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class Reply(BaseModel):
    """What the model said."""

    role: str
    content: str | None
    refusal: None
    tool_calls: list[ToolCall] | None = None


class Choice(BaseModel):
    """The one reply, and why it ended."""

    index: int
    message: Reply
    finish_reason: str
    logprobs: None


class Completion(BaseModel):
    """A finished chat completion."""

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all parts of one answer have in common."""

    model: str
    fingerprint: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def wrap(self, kind: str, choices: Sequence[object], **more: object) -> dict[str, object]:
        """An object of the API."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": list(choices),
            **more,
        }


def completion(envelope: Envelope, items: Sequence[Item]) -> dict[str, object]:
    """The whole answer at once, from all items of a conversation."""
    text = "".join(item.text for item in items if isinstance(item, Piece))
    (ended,) = (item for item in items if isinstance(item, Ended))
    message: dict[str, object] = {"role": "assistant", "content": text, "refusal": None}
    if ended.calls:
        message |= {"content": text or None, "tool_calls": _tool_calls(ended.calls)}
    choice = {"index": 0, "message": message, "finish_reason": ended.finish, "logprobs": None}
    return envelope.wrap("chat.completion", [choice], usage=usage(ended.generation))


async def chunks(
    envelope: Envelope, items: AsyncIterator[Item], *, include_usage: bool
) -> AsyncIterator[dict[str, object]]:
    """The answer as chunks: the role, pieces of text, the calls, the reason of the end, and the token counts."""
    more: dict[str, object] = {"usage": None} if include_usage else {}

    def chunk(delta: dict[str, object], finish: str | None = None) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return envelope.wrap("chat.completion.chunk", [choice], **more)

    async for item in items:
        match item:
            case Begun():
                yield chunk({"role": "assistant", "content": "", "refusal": None})
            case Piece(text):
                yield chunk({"content": text})
            case Ended(calls, finish, generation):
                for index, call in enumerate(_tool_calls(calls)):
                    yield chunk({"tool_calls": [{"index": index, **call}]})
                yield chunk({}, finish)
                if include_usage:
                    yield envelope.wrap("chat.completion.chunk", [], usage=usage(generation))


def usage(generation: Generation) -> dict[str, object]:
    """The token counts."""
    return {
        "prompt_tokens": generation.prompt_tokens,
        "completion_tokens": generation.completion_tokens,
        "total_tokens": generation.prompt_tokens + generation.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": generation.reused_tokens},
    }


def _tool_calls(calls: Sequence[Call]) -> list[dict[str, object]]:
    return [
        {
            "id": f"call_{uuid4().hex[:24]}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
        }
        for call in calls
    ]
