"""The LangChain side: chat model and retriever."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool

from rag.errors import EngineError
from rag.langchain_model import MingbaiChatModel, MingbaiRetriever
from rag.tool_calls import write_call
from rag.types import Leg, Message, Passage, Role


@tool
def look_up(term: str) -> str:
    """Look up a term in the notes."""
    return f"{term}：见第一条"


@pytest.fixture
def model(fake_generator):
    def build(script="好的。", **fields):
        return MingbaiChatModel(generator=fake_generator(script), **fields)

    return build


def test_a_prompt_can_be_piped_into_the_model(model):
    chat = model("天空是蓝色的。", max_tokens=50, temperature=0.3, seed=9)
    prompt = ChatPromptTemplate.from_messages([("system", "短答。"), ("human", "{question}")])
    assert (prompt | chat | StrOutputParser()).invoke({"question": "天空？"}) == "天空是蓝色的。"
    request = chat.generator.requests[0]
    assert request.messages == (Message(Role.SYSTEM, "短答。"), Message(Role.USER, "天空？"))
    assert (request.max_tokens, request.temperature, request.seed) == (50, 0.3, 9)


def test_usage_and_how_it_ended(model):
    message = model("一二三四五六", max_tokens=4).invoke("问")
    assert message.content == "一二三四"
    assert message.usage_metadata == {
        "input_tokens": 1,
        "output_tokens": 4,
        "total_tokens": 5,
        "input_token_details": {"cache_read": 0},
    }
    assert message.response_metadata["finish_reason"] == "length"
    assert message.response_metadata["model_name"] == "fake"


def test_streaming_gives_pieces_and_the_usage_at_the_end(model):
    chunks = list(model("天空").stream("问", stop=["。"]))
    assert [chunk.content for chunk in chunks] == ["天", "空", ""]
    assert sum(chunks[1:], chunks[0]).usage_metadata["output_tokens"] == 2


def test_leaving_the_stream_cancels_the_generation(model, fake_generator):
    chat = model("天" * 100)
    streams = []
    generate = chat.generator.generate
    chat.generator.generate = lambda *args: streams.append(generate(*args)) or streams[-1]
    pieces = chat.stream("问")
    next(pieces)
    pieces.close()
    assert streams[0].result.finish == "cancelled"


async def read_all(chat):
    return [chunk.content async for chunk in chat.astream("问")]


def test_asynchronous_use(model):
    import asyncio

    assert "".join(asyncio.run(read_all(model("天空")))) == "天空"


def test_tools_are_described_in_the_system_text(model):
    chat = model()
    chat.bind_tools([look_up]).invoke([SystemMessage("短答。"), HumanMessage("查卷积")])
    chat.bind_tools([look_up]).invoke("查卷积")
    with_system, without = (request.messages for request in chat.generator.requests)
    assert with_system[0].text.startswith("短答。\n\n# Tools")
    assert without[0].role is Role.SYSTEM
    assert '"name": "look_up"' in without[0].text
    assert "Look up a term in the notes." in without[0].text


@pytest.mark.parametrize("is_streamed", [False, True])
def test_calls_are_parsed_and_malformed_ones_reported(model, is_streamed):
    said = f"我查一下。\n{write_call('look_up', {'term': '卷积'})}\n<tool_call>\n{{oops\n</tool_call>"
    chat = model(said, max_tokens=500).bind_tools([look_up])
    if is_streamed:
        chunks = list(chat.stream("查卷积"))
        assert "<" not in "".join(chunk.content for chunk in chunks)
        message = sum(chunks[1:], chunks[0])
    else:
        message = chat.invoke("查卷积")
    assert message.content.strip() == "我查一下。"
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("look_up", {"term": "卷积"})]
    assert [call["args"] for call in message.invalid_tool_calls] == ["<tool_call>{oops"]
    assert message.tool_calls[0]["id"]


@pytest.mark.parametrize("said", ["x < y 时返回。", "<b>粗体</b>", "`代码`", '{"a": 1}', "a <tool"])
def test_text_without_calls_is_streamed_whole(model, said):
    chat = model(said, max_tokens=500).bind_tools([look_up])
    assert "".join(chunk.content for chunk in chat.stream("问")) == said == chat.invoke("问").content


def test_the_history_of_a_tool_round_is_written_in_the_format_of_the_model(model):
    chat = model()
    calls = [{"name": "look_up", "args": {"term": term}, "id": term} for term in ("卷积", "池化")]
    chat.invoke(
        [
            HumanMessage("查"),
            AIMessage("好", tool_calls=calls),
            ToolMessage("甲", tool_call_id="卷积"),
            ToolMessage("乙", tool_call_id="池化"),
        ]
    )
    _, said, results = chat.generator.requests[0].messages
    assert said.text == "好\n" + "\n".join(write_call("look_up", {"term": term}) for term in ("卷积", "池化"))
    assert results == Message(Role.USER, "<tool_response>\n甲\n</tool_response>\n<tool_response>\n乙\n</tool_response>")


def test_an_agent_runs_its_tool(model):
    from langchain.agents import create_agent

    script = [write_call("look_up", {"term": "卷积"}), "卷积见第一条。"]
    agent = create_agent(model(script), [look_up])
    messages = agent.invoke({"messages": [("user", "卷积在哪？")]})["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert messages[2].content == "卷积：见第一条"
    assert messages[-1].content == "卷积见第一条。"


def test_what_a_local_model_cannot_do_is_refused(model):
    with pytest.raises(EngineError, match="image_url"):
        model().invoke([HumanMessage([{"type": "image_url", "image_url": {"url": "data:"}}])])
    with pytest.raises(EngineError, match="cannot be forced"):
        model().bind_tools([look_up], tool_choice="look_up")


class FakeSearcher:
    def search(self, question, k):
        return [
            Passage(1, "c1", "a.md", "卷积", 3, 9, 0.5, {Leg.DENSE: 2}, f"{question}：一段", line_start=2, line_end=4)
        ] * k


def test_the_retriever_returns_documents_with_their_place():
    documents = MingbaiRetriever(searcher=FakeSearcher(), k=2).invoke("卷积")
    assert len(documents) == 2
    assert documents[0].page_content == "卷积：一段"
    assert documents[0].metadata == {
        "file": "a.md",
        "entry": "卷积",
        "lines": [2, 4],
        "start": 3,
        "end": 9,
        "rank": 1,
        "score": 0.5,
        "found_by": {"dense": 2},
    }


@pytest.mark.model
def test_the_real_model_speaks_through_langchain(small_engine):
    chat = MingbaiChatModel(generator=small_engine, max_tokens=12)
    assert chat.invoke("你好").content
    assert chat.get_num_tokens("你好") == 1
