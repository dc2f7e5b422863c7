"""The body of ``/v1/chat/completions`` as OpenAI defines it, as far as a local model can follow it.

Unknown fields are refused, and so are known ones that would change the answer and cannot be followed: nothing that
a client asked for is dropped in silence. What only concerns OpenAI's own books (``store``, ``user``) is accepted.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_MESSAGES = 512
MAX_TOOLS = 64
MAX_STOPS = 8
MAX_STOP_CHARS = 200
MAX_TOKENS = 262_144


class Body(BaseModel):
    """A part of a request; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TextPart(Body):
    """A piece of a message. Pictures, sound and files are not read."""

    type: Literal["text"]
    text: str


Text = str | list[TextPart]


class FunctionCall(Body):
    """A call as the model asked for it; ``arguments`` is JSON text."""

    name: str
    arguments: str


class ToolCall(Body):
    """A call in an earlier turn of the assistant."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class SystemMessage(Body):
    """Instructions."""

    role: Literal["system", "developer"]
    content: Text
    name: str | None = None


class UserMessage(Body):
    """What a person says."""

    role: Literal["user"]
    content: Text
    name: str | None = None


class AssistantMessage(Body):
    """What the model said. As the last message it is continued."""

    role: Literal["assistant"]
    content: Text | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Body):
    """What a tool answered."""

    role: Literal["tool"]
    content: Text
    tool_call_id: str


ChatMessage = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class Function(Body):
    """What a tool is called, what it does, and the JSON schema of its arguments."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Body):
    """A function that the model may ask the client to run."""

    type: Literal["function"]
    function: Function


class NamedFunction(Body):
    """The name of a tool."""

    name: str


class NamedTool(Body):
    """The tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class PlainFormat(Body):
    """Text, the default."""

    type: Literal["text"]


class ObjectFormat(Body):
    """Any JSON object."""

    type: Literal["json_object"]


class NamedSchema(Body):
    """A JSON schema with a name. It is always enforced, whatever ``strict`` says."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    description: str | None = None
    rules: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class SchemaFormat(Body):
    """JSON that follows a schema."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat = Annotated[PlainFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]


class StreamOptions(Body):
    """Whether the last chunk of a stream holds the token counts."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class ChatRequest(Body):
    """A chat to be continued. What is not given comes from the settings, so that the default is greedy decoding."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | Annotated[list[str], Field(max_length=MAX_STOPS)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    # Only the values that change nothing.
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    modalities: list[Literal["text"]] | None = None
    # OpenAI's own books; nothing is stored here.
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    service_tier: str | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @model_validator(mode="after")
    def _check(self) -> "ChatRequest":
        if any(not 0 < len(stop) <= MAX_STOP_CHARS for stop in self.stops):
            raise ValueError(f"a stop string has 1 to {MAX_STOP_CHARS} characters")
        names = [tool.function.name for tool in self.tools or ()]
        if len(set(names)) < len(names):
            raise ValueError("two tools have the same name")
        forced = self.tool_choice.function.name if isinstance(self.tool_choice, NamedTool) else None
        if (forced is not None and forced not in names) or (self.tool_choice == "required" and not names):
            raise ValueError("tool_choice names no tool of this request")
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options is only for streams")
        return self
