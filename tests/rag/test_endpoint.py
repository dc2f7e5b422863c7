"""The endpoint generator against a real local server that behaves well and badly."""

import json
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.chat_completions import estimate_tokens, option_probabilities
from rag.endpoint import EndpointGenerator
from rag.errors import EndpointError, EngineError, PromptTooLongError
from rag.protocols import GenerationRequest
from rag.settings import EndpointSettings
from rag.types import Message, Role

ASK = (Message(Role.SYSTEM, "短答。"), Message(Role.USER, "天空什么颜色？"))
REQUEST = GenerationRequest(ASK)


def open_endpoint(server, **settings: object) -> EndpointGenerator:
    return EndpointGenerator(EndpointSettings(**{"url": server.url, "timeout_seconds": 5, **settings}))


def read(server, request: GenerationRequest = REQUEST, **settings: object) -> str:
    return "".join(open_endpoint(server, **settings).generate(request))


def test_usage_comes_from_the_server(chat_server):
    stream = open_endpoint(chat_server).generate(REQUEST)
    assert list(stream) == list("天空是蓝色的。")
    result = stream.result
    assert (result.prompt_tokens, result.completion_tokens, result.reused_tokens) == (7, 7, 3)


def test_the_request_holds_all_that_was_asked(chat_server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    request = GenerationRequest(
        ASK, max_tokens=9, temperature=0.5, top_p=0.9, seed=4, stop=("。",), json_schema='{"type": "string"}'
    )
    read(chat_server, request, model="qwen", api_key_variable="MY_KEY")
    body = chat_server.bodies[0]
    assert body["messages"] == [{"role": "system", "content": "短答。"}, {"role": "user", "content": "天空什么颜色？"}]
    assert {key: body[key] for key in ("model", "max_tokens", "temperature", "top_p", "seed", "stop", "stream")} == {
        "model": "qwen",
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 4,
        "stop": ["。"],
        "stream": True,
    }
    assert body["response_format"]["json_schema"]["schema"] == {"type": "string"}
    assert chat_server.sent_headers[0]["Authorization"] == "Bearer secret"


def test_without_a_key_none_is_sent_and_proxies_are_not_used_for_this_machine(chat_server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert read(chat_server) == "天空是蓝色的。"
    assert "Authorization" not in chat_server.sent_headers[0]
    assert "stop" not in chat_server.bodies[0]
    assert "continue_final_message" not in chat_server.bodies[0]


def test_a_begun_answer_is_marked_for_continuation(chat_server):
    read(chat_server, GenerationRequest((*ASK, Message(Role.ASSISTANT, "天空是"))))
    assert chat_server.bodies[0]["continue_final_message"] is True
    assert chat_server.bodies[0]["add_generation_prompt"] is False


def raw(*lines: str):
    def reply(handler):
        handler.begin()
        handler.wfile.write("\n".join(lines).encode() + b"\n")

    return reply


def chunk(text: str, finish: str | None = None) -> str:
    return "data: " + json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": finish}]})


def test_comments_other_fields_and_carriage_returns_are_passed_over(chat_server):
    chat_server.reply = raw(
        ": ping\r", "event: x\r", chunk("天") + "\r", "\r", "data:" + chunk("空", "stop")[6:], "data: [DONE]"
    )
    assert read(chat_server) == "天空"


def test_raw_line_separators_inside_json_do_not_cut_an_event(chat_server):
    body = json.dumps(
        {"choices": [{"delta": {"content": "a\u2028b\x85c"}, "finish_reason": "stop"}]}, ensure_ascii=False
    )
    chat_server.reply = raw(f"data: {body}")
    assert read(chat_server) == "a\u2028b\x85c"


def test_characters_cut_between_packets_stay_whole(chat_server):
    def reply(handler):
        handler.begin()
        event = {"choices": [{"delta": {"content": "天空"}, "finish_reason": "length"}]}
        for byte in f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode():
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()

    chat_server.reply = reply
    stream = open_endpoint(chat_server).generate(REQUEST)
    assert (list(stream), stream.result.finish) == (["天空"], "length")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (raw(chunk("天")), "broke off after 1 characters"),
        (raw("data: {oops"), "instead of JSON"),
        (raw("data: [1]"), "instead of a JSON object"),
        (raw('data: {"choices": [{"text": "x"}]}'), "not a chat chunk"),
        (raw('data: {"choices": [7]}'), "not a chat chunk"),
        (raw(chunk("天"), 'data: {"error": {"message": "out of memory"}}'), "out of memory"),
        (raw(chunk("天", "content_filter")), "content_filter"),
        (raw("<html>hello</html>"), "broke off after 0"),
        (lambda handler: handler.send(500, "boom"), "answered 500: boom.*endpoint.url"),
        (lambda handler: handler.send(404, ""), "answered 404: nothing"),
        (lambda handler: handler.send(401, "no"), "answered 401: no. Set MINGBAI_ENDPOINT_KEY"),
        (lambda handler: handler.connection.close(), "could not be reached"),
    ],
)
def test_a_server_that_misbehaves_is_an_endpoint_error(chat_server, reply, said):
    chat_server.reply = reply
    stream = open_endpoint(chat_server).generate(REQUEST)
    with pytest.raises(EndpointError, match=said):
        list(stream)
    with pytest.raises(EndpointError, match=said):
        assert stream.result


def test_a_broken_connection_in_the_middle_is_an_error(chat_server):
    def reply(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.event({"choices": [{"delta": {"content": "天"}, "finish_reason": None}]})

    chat_server.reply = reply
    stream = open_endpoint(chat_server).generate(REQUEST)
    pieces = []
    with pytest.raises(EndpointError, match="could not be reached"):
        pieces.extend(stream)


def test_a_server_that_is_not_there(chat_server):
    settings = EndpointSettings(url="http://127.0.0.1:9/v1")
    with pytest.raises(EndpointError, match="could not be reached"):
        list(EndpointGenerator(settings).generate(REQUEST))
    with pytest.raises(EndpointError, match="could not be reached"):
        EndpointGenerator(settings).choose(ASK, ["是", "否"])


def wait(handler):
    handler.server.go_on.wait(10)
    handler.answer()


def test_a_slow_server_runs_into_the_timeout(chat_server):
    chat_server.reply = wait
    with pytest.raises(EndpointError, match=r"ReadTimeout|timed out"):
        read(chat_server, timeout_seconds=0.2)


def test_cancel_while_the_server_is_silent_closes_the_connection(chat_server):
    def reply(handler):
        handler.connection.settimeout(10)
        if handler.connection.recv(1) == b"":
            handler.server.hung_up.set()

    chat_server.reply = reply
    stream = open_endpoint(chat_server).generate(REQUEST)
    threading.Timer(0.2, stream.cancel).start()
    started = time.perf_counter()
    assert list(stream) == []
    assert time.perf_counter() - started < 4
    assert stream.result.finish == "cancelled"
    assert chat_server.hung_up.wait(5)


def test_close_cancels_what_runs(chat_server):
    chat_server.reply = wait
    endpoint = open_endpoint(chat_server)
    stream = endpoint.generate(REQUEST)
    endpoint.close()
    assert list(stream) == []
    assert stream.result.finish == "cancelled"


def test_choose_reads_log_probabilities(chat_server):
    chat_server.top_logprobs = [
        {"token": "是", "logprob": -0.5},
        {"token": "否", "logprob": -1.5},
        {"token": "", "logprob": 0},
    ]
    yes, no, other = open_endpoint(chat_server).choose(ASK, ["是的", "否", "也许"])
    assert yes / no == pytest.approx(2.718281828)
    assert other == 0
    assert chat_server.bodies[0]["max_tokens"] == 1
    assert chat_server.bodies[0]["top_logprobs"] == 20


@pytest.mark.parametrize("top", [None, [], [{"token": "x", "logprob": -1}], [{"token": 1}], [7]])
def test_choose_without_usable_log_probabilities_is_an_error(chat_server, top):
    chat_server.top_logprobs = top
    with pytest.raises(EngineError, match=r"log-probabilities|apart"):
        open_endpoint(chat_server).choose(ASK, ["是", "否"])


def test_choose_tells_of_a_server_that_answers_html(chat_server):
    chat_server.reply = lambda handler: handler.send(200, "<html>")
    with pytest.raises(EndpointError, match="else than JSON"):
        open_endpoint(chat_server).choose(ASK, ["是", "否"])


@given(st.dictionaries(st.text("是否对", min_size=1, max_size=2), st.floats(-30, 0), max_size=6))
def test_option_probabilities_sum_to_one_or_are_refused(scores):
    try:
        chances = option_probabilities(scores, ["是的", "否", "对"])
    except EngineError:
        assert not any(option.startswith(token) for token in scores for option in ["是的", "否", "对"])
    else:
        assert sum(chances) == pytest.approx(1)


@pytest.mark.parametrize(
    "url", ["", "ftp://host/v1", "file:///etc/passwd", "http://", "localhost:8080", "http://host:port"]
)
def test_only_web_addresses(url):
    with pytest.raises(EndpointError, match=r"endpoint\.url"):
        EndpointGenerator(EndpointSettings(url=url))


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(EndpointError) as caught:
        EndpointGenerator(EndpointSettings(url="http://me:hunter2@127.0.0.1/v1"))
    assert "hunter2" not in str(caught.value)


def test_sizes_and_schemas_are_checked_before_anything_is_sent(chat_server):
    endpoint = open_endpoint(chat_server, context_size=100)
    with pytest.raises(PromptTooLongError, match=r"about 2\d\d tokens; with 5 .* 100"):
        endpoint.generate(GenerationRequest((Message(Role.USER, "天" * 200),), max_tokens=5))
    with pytest.raises(EngineError, match="not JSON"):
        endpoint.generate(GenerationRequest(ASK, max_tokens=5, json_schema="{"))
    with pytest.raises(EngineError, match="no messages"):
        endpoint.generate(GenerationRequest((), max_tokens=5))
    assert chat_server.bodies == []


@pytest.mark.model
@pytest.mark.parametrize(
    "text",
    [
        "卷积神经网络的感受野随层数增大，注意力机制让每个位置看到全部位置。",
        "The transformer (2017) uses multi-head attention; d_model = 512, h=8.",
        "def f(x):\n    return [i ** 2 for i in range(10) if i % 2 == 0]\n",
        "𠮷野家 😀👩‍👩‍👧 ﬁ ℝⁿ ∑ᵢ xᵢ² 錯誤率　全角ＡＢＣ",
        "| a | b |\n|---|---|\n| 1 | 2 |\n$64,895.00",
    ],
)
def test_the_estimate_is_not_below_a_real_tokenizer(small_engine, text):
    real = small_engine.count_tokens(text)
    assert real <= estimate_tokens(text) <= 4 * real
