"""OpenAI's own client against a live server."""

import json
import socket
import threading
import time

import numpy as np
import openai
import pytest
from fakes import FakeEmbedder, FakeGenerator

from rag.errors import EngineError
from rag.tool_calls import write_call

USER = [{"role": "user", "content": "天空是什么颜色？"}]
SAID = "天空是蓝色的。"
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}
# The engine must be free so soon after a client went away.
FREED_SECONDS = 1.0


@pytest.fixture
def create(live_of):
    """``create(reply or generator, **body)``: one chat completion of OpenAI's client."""

    def run(generator=SAID, **body):
        live = live_of(FakeGenerator(generator) if isinstance(generator, str) else generator)
        return live.openai.chat.completions.create(model="mingbai", messages=USER, **body)

    return run


def test_a_completion(create):
    answer = create()
    assert answer.object == "chat.completion"
    assert answer.model == "fake"
    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, len(SAID))
    assert answer.usage.total_tokens == 10 + len(SAID)
    assert abs(answer.created - time.time()) < 60


def test_a_stream(create):
    chunks = list(create(stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == SAID
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], len(SAID))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    assert len(chunks) > 5


def test_the_bytes_of_a_stream_are_openais(live_of):
    live = live_of(FakeGenerator("好\u2028的"))
    body = {"model": "mingbai", "messages": USER, "stream": True}
    answer = live.http.post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = answer.content.split(b"\n\n")
    assert blocks[-2:] == [b"data: [DONE]", b""]
    values = [json.loads(block.removeprefix(b"data: ")) for block in blocks[:-2]]
    assert "".join(value["choices"][0]["delta"].get("content", "") for value in values) == "好\u2028的"
    assert all("usage" not in value for value in values)


def test_tools(create):
    answer = create(write_call("look", {"at": "天空"}), tools=[TOOL])
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("look", {"at": "天空"})
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("tool_calls", None)


def test_a_stream_with_tools(live_of):
    live = live_of(FakeGenerator("我看看。" + write_call("look", {"at": "天"}) + write_call("look", {"at": "云"})))
    with live.openai.chat.completions.stream(model="mingbai", messages=USER, tools=[TOOL]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.content == "我看看。"
    assert [json.loads(call.function.arguments)["at"] for call in message.tool_calls] == ["天", "云"]
    assert len({call.id for call in message.tool_calls}) == 2


def test_json_mode_in_a_stream(create):
    chunks = create('"a": "x\ny"} 完', response_format={"type": "json_object"}, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert json.loads(text) == {"a": "x\ny"}


def test_an_error_inside_a_stream_is_raised(create):
    class Breaks(FakeGenerator):
        def generate(self, request, cancel=None):
            def pieces():
                yield "天"
                raise EngineError("The worker died.")

            stream = super().generate(request, cancel)
            return type("S", (), {"__iter__": lambda _: pieces(), "cancel": stream.cancel})()

    seen = []
    with pytest.raises(openai.APIError, match="The worker died"):
        seen += create(Breaks(), stream=True)
    with pytest.raises(openai.APIError, match="did not write a JSON object"):
        list(create("不会", response_format={"type": "json_object"}, stream=True))


def test_embeddings_as_numbers_and_as_base64(live_of):
    live = live_of(FakeGenerator())
    texts, fake = ["云杉网络", "雪松"], FakeEmbedder()
    packed = live.openai.embeddings.create(model="mingbai", input=texts)
    plain = live.openai.embeddings.create(model=fake.model_id, input=texts, encoding_format="float")
    expected = fake.embed_documents(["", ""], texts)
    for answer in (packed, plain):
        assert [one.index for one in answer.data] == [0, 1]
        np.testing.assert_allclose([one.embedding for one in answer.data], expected, rtol=1e-6)
        assert answer.usage.prompt_tokens > 0
    (query,) = live.openai.embeddings.create(model="mingbai", input="云杉", extra_body={"input_type": "query"}).data
    np.testing.assert_allclose(query.embedding, fake.embed_query("云杉"), rtol=1e-6)


@pytest.mark.parametrize("more", [{"input": []}, {"input": ""}, {"input": [[1, 2]]}, {"input": "a", "dimensions": 3}])
def test_embeddings_that_cannot_be_made(live_of, more):
    with pytest.raises(openai.BadRequestError):
        live_of(FakeGenerator()).openai.embeddings.create(**{"model": "mingbai", **more})


def test_queries_and_documents_are_embedded_differently(live_of):
    class Asymmetric(FakeEmbedder):
        def embed_query(self, text):
            return super().embed_query(f"query {text}")

        def embed_documents(self, titles, texts):
            return np.stack([FakeEmbedder.embed_query(self, text) for text in texts])

    live = live_of(FakeGenerator())
    live.server.config.app.state.serving.notebook._embedder = Asymmetric()
    make = live.openai.embeddings.create
    query = make(model="mingbai", input="云", extra_body={"input_type": "query"}).data[0].embedding
    document = make(model="mingbai", input="云").data[0].embedding
    assert query != document
    np.testing.assert_allclose(document, FakeEmbedder().embed_query("云"), rtol=1e-6)


def test_the_notes_through_the_same_client(live_of):
    client = live_of(FakeGenerator("云杉网络共有 48 层。")).openai
    answer = client.post("/notes/ask", body={"question": "云杉网络有几层？", "mode": "rcg"}, cast_to=object)
    assert answer["state"] == "answered"
    assert answer["text"].startswith("云杉网络共有 48 层。[1]")


def test_models(live_of):
    client = live_of(FakeGenerator()).openai
    assert [model.id for model in client.models.list()] == ["fake", FakeEmbedder().model_id]
    assert client.models.retrieve("fake").owned_by == "local"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


def test_errors_are_the_clients_own_classes(create):
    with pytest.raises(openai.BadRequestError, match="temperature"):
        create(temperature=5)
    with pytest.raises(openai.NotFoundError):
        create(extra_body={"model": "gpt-4o"})


def test_the_key(live_of):
    live = live_of(FakeGenerator(SAID), key="a-long-and-random-key-for-tests")
    assert live.openai.models.list().data
    with pytest.raises(openai.AuthenticationError):
        live.openai.with_options(api_key="wrong-wrong-wrong-wrong").models.list()


def test_leaving_a_stream_frees_the_engine(live_of, slow, wait):
    live = live_of(slow)
    stream = live.openai.chat.completions.create(model="mingbai", messages=USER, stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    left = time.monotonic()
    stream.close()
    wait(lambda: slow.cancelled_at)
    assert slow.cancelled_at[0] - left < FREED_SECONDS
    wait(lambda: not live.server.config.app.state.serving.gate.working)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "mingbai", "messages": USER}),
        ("/v1/notes/ask", {"question": "云杉网络有几层？"}),
        ("/v1/notes/ask", {"question": "云杉网络有几层？", "stream": True}),
    ],
    ids=str,
)
def test_hanging_up_while_waiting_frees_the_engine(live_of, slow, wait, path, body):
    live = live_of(slow)
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", live.port)) as connection:
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        assert slow.begun.wait(60)
    hung_up = time.monotonic()
    wait(lambda: slow.cancelled_at)
    assert slow.cancelled_at[0] - hung_up < FREED_SECONDS
    wait(lambda: not live.server.config.app.state.serving.gate.working)


def test_a_full_queue_says_when_to_come_back(live_of, slow, wait):
    live = live_of(slow, engine={"queue_size": 1})
    stream = live.openai.chat.completions.create(model="mingbai", messages=USER, stream=True)
    with pytest.raises(openai.RateLimitError, match="queue is full") as refused:
        live.openai.chat.completions.create(model="mingbai", messages=USER)
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    stream.close()
    wait(lambda: not live.server.config.app.state.serving.gate.working)
    assert live.openai.chat.completions.create(model="mingbai", messages=USER, max_tokens=2).choices


def test_stopping_the_server_ends_streams_at_once_and_says_so(live_of, slow):
    live = live_of(slow)
    stream = live.openai.chat.completions.create(model="mingbai", messages=USER, stream=True)
    next(stream)
    live.server.should_exit = True
    with pytest.raises(openai.APIError, match="stopped before it ended"):
        list(stream)
    assert slow.cancelled_at


def test_several_clients_at_once_get_their_own_answers(live_of):
    class Echo(FakeGenerator):
        def generate(self, request, cancel=None):
            from fakes import FakeStream

            return FakeStream(request.messages[-1].text, cancel)

    live, answers = live_of(Echo()), {}

    def ask(number):
        text = f"第{number}个问题" * 20
        answer = live.openai.chat.completions.create(model="mingbai", messages=[{"role": "user", "content": text}])
        answers[number] = (text, answer.choices[0].message.content)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 12
    assert all(asked == said for asked, said in answers.values())
