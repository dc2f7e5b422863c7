"""What a chat request becomes, and which requests are refused."""

import json

import pytest
from fakes import FakeGenerator

from rag.errors import EndpointError, EngineError, PromptTooLongError
from rag.tool_calls import OPEN
from rag.types import Role

USER = [{"role": "user", "content": "天空是什么颜色？"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "看天空",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    },
}


class Recorder(FakeGenerator):
    """Keeps the requests."""

    def __init__(self, reply="好。", error=None):
        super().__init__(reply)
        self.requests, self.error = [], error

    def generate(self, request, cancel=None):
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return super().generate(request, cancel)


@pytest.fixture
def chat(client_of):
    """``chat(**body)`` → (status, body of the answer, the generator's request or None)."""

    def run(generator=None, settings=None, **body):
        generator = generator or Recorder()
        client = client_of(generator, **(settings or {}))
        answer = client.post("/v1/chat/completions", json={"model": "fake", "messages": USER, **body})
        return answer.status_code, answer.json(), generator.requests[-1] if generator.requests else None

    return run


def test_every_setting_reaches_the_generator(chat):
    status, _, request = chat(temperature=0.7, top_p=0.9, seed=7, max_tokens=33, stop=["甲", "乙"])
    assert status == 200
    assert (request.temperature, request.top_p, request.seed, request.max_tokens) == (0.7, 0.9, 7, 33)
    assert request.stop == ("甲", "乙")
    assert (request.messages[0].role, request.messages[0].text) == (Role.USER, "天空是什么颜色？")


def test_what_is_not_given_comes_from_the_settings(chat):
    _, _, request = chat(settings={"generation": {"temperature": 0.25, "top_p": 0.5, "seed": 3}})
    assert (request.temperature, request.top_p, request.seed, request.stop) == (0.25, 0.5, 3, ())


def test_the_default_length_is_what_the_context_leaves(chat):
    assert chat()[2].max_tokens == 1024
    long = [{"role": "user", "content": "天" * 4000}]
    assert chat(messages=long)[2].max_tokens == 4096 - 4000 - 16


def test_max_completion_tokens_wins(chat):
    assert chat(max_tokens=5, max_completion_tokens=9)[2].max_tokens == 9


def test_all_kinds_of_messages(chat):
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "天"}'}}
    messages = [
        {"role": "developer", "content": "短。"},
        {"role": "user", "content": [{"type": "text", "text": "一"}, {"type": "text", "text": "二"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "蓝"},
        {"role": "tool", "tool_call_id": "c1", "content": "白"},
        {"role": "user", "content": "所以？"},
    ]
    _, _, request = chat(messages=messages)
    roles = [message.role for message in request.messages]
    assert roles == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER, Role.USER]
    texts = [message.text for message in request.messages]
    assert texts[1] == "一\n二"
    assert texts[2].startswith(OPEN)
    assert texts[3].count("<tool_response>") == 2


def test_tools_stand_at_the_end_of_the_system_text(chat):
    messages = [{"role": "system", "content": "短。"}, *USER]
    _, _, request = chat(messages=messages, tools=[TOOL])
    system = request.messages[0].text
    assert system.startswith("短。\n\n# Tools")
    assert "看天空" in system
    assert '"type": "function"' in system
    assert [message.role for message in chat(tools=[TOOL])[2].messages] == [Role.SYSTEM, Role.USER]
    assert "# Tools" not in chat(tools=[TOOL], tool_choice="none")[2].messages[0].text


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "look"}}])
def test_a_forced_call_is_a_grammar(chat, choice):
    other = {"type": "function", "function": {"name": "rest"}}
    generator = Recorder('{"name": "look", "arguments": {"at": "天"}}')
    status, body, request = chat(generator, tools=[TOOL, other], tool_choice=choice)
    assert status == 200
    schema = json.loads(request.json_schema)
    names = [one["properties"]["name"]["const"] for one in schema.get("anyOf", [schema])]
    assert names == (["look", "rest"] if choice == "required" else ["look"])
    choice = body["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"at": "天"}


def test_a_json_schema_is_enforced(chat):
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "sky", "schema": schema}}
    _, _, request = chat(response_format=wanted)
    assert json.loads(request.json_schema) == schema


def test_json_mode_begins_the_object_for_the_model(chat):
    status, body, request = chat(Recorder('"a": 1} 就这样'), response_format={"type": "json_object"})
    assert status == 200
    assert (request.messages[-1].role, request.messages[-1].text) == (Role.ASSISTANT, "{")
    assert json.loads(body["choices"][0]["message"]["content"]) == {"a": 1}


def test_json_mode_without_json_is_an_error_and_not_an_answer(chat):
    status, body, _ = chat(Recorder("我不会"), response_format={"type": "json_object"})
    assert (status, body["error"]["code"]) == (422, "unusable_reply")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"temperature": 2.5}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages"),
        ({"top_k": 40}, "top_k"),
        ({"stop": ["a"] * 9}, "stop"),
        ({"stop": ""}, "stop string"),
        ({"seed": 2**64}, "seed"),
        ({"tools": [TOOL, TOOL]}, "same name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "nix"}}}, "tool_choice"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tools": [TOOL], "response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "x"}}}}, "schema"),
        (
            {
                "response_format": {"type": "json_object"},
                "messages": [*USER, {"role": "assistant", "content": "x"}],
            },
            "assistant",
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": "[1]"}}],
                    }
                ]
            },
            "arguments",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_followed_is_refused_by_name(chat, more, named):
    status, body, request = chat(**more)
    assert (status, request) == (400, None)
    assert body["error"]["type"] == "invalid_request_error"
    assert named in body["error"]["message"]


def test_a_schema_for_a_remote_model_is_the_remotes_affair(chat):
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    assert chat(response_format=wanted)[0] == 400
    remote = {"endpoint": {"url": "http://127.0.0.1:1/v1"}}
    assert chat(settings=remote, response_format=wanted)[0] == 200


def test_another_model_is_not_found(chat):
    status, body, _ = chat(model="gpt-4o")
    assert (status, body["error"]["code"]) == (404, "model_not_found")
    assert "'fake'" in body["error"]["message"]
    assert chat(model="mingbai")[0] == 200


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (PromptTooLongError("5000 > 4096"), 400, "context_length_exceeded"),
        (EndpointError("no answer"), 502, "endpoint"),
        (EngineError("closed"), 503, "EngineError"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_before_the_first_word_have_their_status(chat, error, status, code, stream):
    got, body, _ = chat(Recorder(error=error), stream=stream)
    assert (got, body["error"]["code"], body["error"]["message"]) == (status, code, str(error))


def test_a_defect_tells_nothing_of_itself(chat, caplog):
    status, body, _ = chat(Recorder(error=RuntimeError("secret /home/me")))
    assert status == 500
    assert "secret" not in json.dumps(body)
    assert "secret" in caplog.text
