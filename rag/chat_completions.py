"""The wire format of OpenAI-compatible chat completions: requests, events, log-probabilities. Pure."""

import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from rag.errors import EndpointError, EngineError
from rag.protocols import GenerationRequest
from rag.streaming import Finish
from rag.types import Message, Role

# The most alternatives that OpenAI-compatible servers report for a token.
TOP_LOGPROBS = 20
# Chat templates spend about five tokens a message on roles and borders.
_TOKENS_PER_MESSAGE = 8
_FINISHES: Mapping[str, Finish] = {"stop": "stop", "eos": "stop", "tool_calls": "stop", "length": "length"}


def generation_body(request: GenerationRequest) -> dict[str, object]:
    """The body that asks for a stream.

    Raises:
        EngineError: the JSON schema is not JSON.
    """
    body: dict[str, object] = {
        "messages": _turns(request.messages),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
        **_continuation(request.messages),
    }
    if request.stop:
        body["stop"] = list(request.stop)
    if request.json_schema is not None:
        try:
            schema = json.loads(request.json_schema)
        except ValueError as error:
            raise EngineError(f"The JSON schema is not JSON: {error}. Pass the schema as JSON text.") from error
        named = {"name": "answer", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    return body


def choice_body(messages: Sequence[Message]) -> dict[str, object]:
    """The body that asks for the probabilities of the first token."""
    return {
        "messages": _turns(messages),
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": TOP_LOGPROBS,
        **_continuation(messages),
    }


async def events(parts: AsyncIterator[bytes]) -> AsyncIterator[Mapping[str, Any]]:
    """The JSON objects of a server-sent event stream, until ``[DONE]`` or its end.

    Cut at line feeds only: JSON may hold other characters that Python counts as line ends (U+2028).

    Raises:
        EndpointError: a data line that is not a JSON object.
    """
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            content = line.removeprefix(b"data:").strip()
            if content == b"[DONE]":
                return
            yield _event(content)


def _event(content: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(content)
    except ValueError as error:
        raise EndpointError(f"The endpoint sent {content[:80]!r} instead of JSON. Check endpoint.url.") from error
    if not isinstance(event, dict):
        raise EndpointError(f"The endpoint sent {content[:80]!r} instead of a JSON object. Check endpoint.url.")
    return event


def finish_of(reason: object) -> Finish | None:
    """Our word for a ``finish_reason``; None while there is none.

    Raises:
        EndpointError: the server ended the answer for a reason of its own, such as a content filter.
    """
    if reason is None:
        return None
    if str(reason) not in _FINISHES:
        raise EndpointError(f"The endpoint ended the answer with {reason!r}. Ask otherwise, or use the local model.")
    return _FINISHES[str(reason)]


def first_token_scores(answer: Any) -> dict[str, float]:  # noqa: ANN401
    """Token → log-probability of the alternatives for the first token.

    Raises:
        EndpointError: the answer holds none.
    """
    try:
        top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        scores = {str(item["token"]): float(item["logprob"]) for item in top}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise EndpointError(
            "The endpoint gives no log-probabilities, which this step needs. Use the local model for it."
        ) from error
    return scores


def option_probabilities(scores: Mapping[str, float], options: Sequence[str]) -> list[float]:
    """Softmax over the options; each takes the best alternative that begins it. Others count as 0.

    Raises:
        EngineError: no option is among the alternatives, or one alternative begins two options.
    """
    heads = [
        max((token for token in scores if token and option.startswith(token)), key=scores.__getitem__, default="")
        for option in options
    ]
    found = [head for head in heads if head]
    if not found or len(set(found)) < len(found):
        raise EngineError(
            f"The endpoint's {len(scores)} best first tokens do not tell {list(options)} apart. Use other words."
        )
    best = max(scores[head] for head in found)
    weights = [math.exp(scores[head] - best) if head else 0.0 for head in heads]
    return [weight / sum(weights) for weight in weights]


def estimate_prompt(messages: Sequence[Message]) -> int:
    """An upper estimate of the tokens of a chat."""
    return sum(estimate_tokens(message.text) + _TOKENS_PER_MESSAGE for message in messages)


def estimate_tokens(text: str) -> int:
    """An upper estimate for byte-level tokenizers trained on Chinese and English, such as Qwen's."""
    return math.ceil(sum(map(_weight, text)))


def _weight(character: str) -> float:
    """Words of Latin letters take two or more letters a token; rare characters one token a byte."""
    if character.isascii():
        return 0.5 if character.isalpha() else 1.0
    if "\u4e00" <= character <= "\u9fff" or "\u3000" <= character <= "\u303f" or "\uff00" <= character <= "\uffef":
        return 1.0
    return len(character.encode("utf-8", errors="replace"))


def _turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    if not messages:
        raise EngineError("There are no messages to answer. Give at least one user message.")
    return [{"role": message.role.value, "content": message.text} for message in messages]


def _continuation(messages: Sequence[Message]) -> dict[str, object]:
    """What vLLM needs to go on with a last message of the assistant; llama-server does it unasked."""
    if messages[-1].role is not Role.ASSISTANT:
        return {}
    return {"add_generation_prompt": False, "continue_final_message": True}
