"""Mingbai for LangChain: any Generator as a chat model, any searcher as a retriever.

The adapter of langchain_core. Import it only where LangChain is wanted; importing it takes about a second.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Protocol
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, SkipValidation

from rag.decoding import held_back
from rag.errors import EngineError
from rag.protocols import Generation, GenerationRequest, Generator
from rag.tool_calls import OPEN, Reply, describe_tools, read_reply, write_call, write_results
from rag.types import Message, Passage, Role

ToolLike = dict[str, Any] | type | Callable[..., Any] | BaseTool


class Searcher(Protocol):
    """Something that finds passages, such as a Notebook."""

    def search(self, question: str, k: int) -> list[Passage]:
        """The best passages, best first."""


class MingbaiChatModel(BaseChatModel):
    """A LangChain chat model over a Generator: ``prompt | model``, streaming, and tools in Qwen's format.

    The generator stays the caller's: it is not closed here.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    generator: SkipValidation[Generator]
    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    @property
    def _llm_type(self) -> str:
        return "mingbai"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.generator.model_id, "temperature": self.temperature, "seed": self.seed}

    def bind_tools(
        self,
        tools: Sequence[ToolLike],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Tell the model about tools. It decides itself: a forced ``tool_choice`` is refused with EngineError."""
        if tool_choice not in {None, "auto"}:
            raise EngineError(f"tool_choice {tool_choice!r} cannot be forced on a local model. Leave it out.")
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def get_num_tokens(self, text: str) -> int:
        """The tokens of a text, counted by the generator."""
        return self.generator.count_tokens(text)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        tools = kwargs.get("tools") or []
        stream = self.generator.generate(self._request(messages, stop, tools))
        text = "".join(stream)
        reply = read_reply(text, _names(tools)) if tools else Reply(text, ())
        message = AIMessage(
            content=reply.text,
            tool_calls=_tool_calls(reply),
            invalid_tool_calls=_invalid_calls(reply),
            usage_metadata=_usage(stream.result),
            response_metadata=self._metadata(stream.result),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Iterator[ChatGenerationChunk]:
        tools = kwargs.get("tools") or []
        stream = self.generator.generate(self._request(messages, stop, tools))
        shown = ""
        for piece in _outside_calls(stream) if tools else stream:
            shown += piece
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager is not None:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
        result = stream.result
        reply = read_reply(result.text, _names(tools)) if tools else Reply(result.text, ())
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="" if reply.calls or reply.malformed else result.text.removeprefix(shown),
                tool_calls=_tool_calls(reply),
                invalid_tool_calls=_invalid_calls(reply),
                usage_metadata=_usage(result),
                response_metadata=self._metadata(result),
                chunk_position="last",
            )
        )

    def _request(
        self, messages: Sequence[BaseMessage], stop: Sequence[str] | None, tools: Sequence[dict[str, Any]]
    ) -> GenerationRequest:
        return GenerationRequest(
            messages=tuple(_with_tools(_messages(messages), tools)),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stop=tuple(stop or ()),
        )

    def _metadata(self, result: Generation) -> dict[str, Any]:
        seconds = {"queued": result.queued, "prefill": result.prefill, "decode": result.decode}
        return {"model_name": self.generator.model_id, "finish_reason": result.finish, "seconds": seconds}


class MingbaiRetriever(BaseRetriever):
    """A LangChain retriever over anything that searches passages."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    searcher: SkipValidation[Searcher]
    k: int = 5

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [_document(passage) for passage in self.searcher.search(query, self.k)]


def _document(passage: Passage) -> Document:
    return Document(
        id=passage.chunk_id,
        page_content=passage.text,
        metadata={
            "file": passage.file,
            "entry": passage.entry,
            "lines": [passage.line_start, passage.line_end],
            "start": passage.start,
            "end": passage.end,
            "rank": passage.rank,
            "score": passage.score,
            "found_by": {leg.value: rank for leg, rank in passage.found_by.items()},
        },
    )


def _messages(messages: Sequence[BaseMessage]) -> Iterator[Message]:
    """Our messages; results of tools that follow each other become one user turn."""
    for is_result, group in groupby(messages, key=lambda message: isinstance(message, ToolMessage)):
        if is_result:
            yield Message(Role.USER, write_results([_text(message) for message in group]))
        else:
            yield from map(_message, group)


def _message(message: BaseMessage) -> Message:
    if isinstance(message, SystemMessage):
        return Message(Role.SYSTEM, _text(message))
    if isinstance(message, HumanMessage):
        return Message(Role.USER, _text(message))
    if isinstance(message, AIMessage):
        calls = [write_call(call["name"], call["args"]) for call in message.tool_calls]
        return Message(Role.ASSISTANT, "\n".join(filter(None, [_text(message), *calls])))
    raise EngineError(
        f"A message of type {message.type!r} cannot be given to a local model. Use system, human, ai, tool."
    )


def _text(message: BaseMessage) -> str:
    blocks = message.content if isinstance(message.content, list) else []
    if foreign := [block["type"] for block in blocks if isinstance(block, dict) and block.get("type") != "text"]:
        raise EngineError(f"A message holds {foreign[0]!r}; the local model reads only text. Leave it out.")
    return str(message.text)


def _with_tools(messages: Iterator[Message], tools: Sequence[dict[str, Any]]) -> list[Message]:
    given = list(messages)
    if not tools:
        return given
    system = given.pop(0).text if given and given[0].role is Role.SYSTEM else ""
    return [Message(Role.SYSTEM, f"{system}\n\n{describe_tools(tools)}".lstrip()), *given]


def _outside_calls(pieces: Any) -> Iterator[str]:  # noqa: ANN401
    """The text up to the first call; nothing at all while the reply may be one bare call."""
    text, shown = "", 0
    for piece in pieces:
        text += piece
        if text.lstrip()[:1] in {"{", "`", "<", ""}:
            continue
        end = text.find(OPEN)
        end = len(text) - held_back(text, (OPEN,)) if end < 0 else end
        if end > shown:
            yield text[shown:end]
            shown = end


def _names(tools: Sequence[dict[str, Any]]) -> list[str]:
    return [str(tool["function"]["name"]) for tool in tools]


def _tool_calls(reply: Reply) -> list[ToolCall]:
    return [
        ToolCall(name=call.name, args=dict(call.arguments), id=f"call_{uuid4().hex[:12]}", type="tool_call")
        for call in reply.calls
    ]


def _invalid_calls(reply: Reply) -> list[InvalidToolCall]:
    """With their tag: when LangChain merges chunks, it would complete half JSON to a valid call."""
    return [
        InvalidToolCall(
            name=None, args=OPEN + block, id=f"call_{uuid4().hex[:12]}", error=reason, type="invalid_tool_call"
        )
        for block, reason in reply.malformed
    ]


def _usage(result: Generation) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=result.prompt_tokens,
        output_tokens=result.completion_tokens,
        total_tokens=result.prompt_tokens + result.completion_tokens,
        input_token_details={"cache_read": result.reused_tokens},
    )
