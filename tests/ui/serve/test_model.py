"""OpenAI's client against the small real model."""

import json
import time

import pytest

pytestmark = pytest.mark.model

USER = [{"role": "user", "content": "用一句话说说天空。"}]
ENDLESS = [{"role": "user", "content": "从 1 数到 1000，用逗号分开，一个也不要省略。"}]
FREED_SECONDS = 1.0


@pytest.fixture
def live(monkeypatch, small_engine, live_of):
    # The engine is shared with other tests; the notebook would close it. Patched first, so restored after the server.
    monkeypatch.setattr(small_engine, "_closer", lambda: None)
    return live_of(small_engine)


def create(live, **body):
    return live.openai.chat.completions.create(**{"model": "mingbai", "messages": USER, "max_tokens": 24, **body})


def test_streamed_and_whole_answers_are_equal_and_reproducible(live):
    whole = create(live, seed=1)
    chunks = list(create(live, seed=1, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole.choices[0].message.content
    assert whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens <= 24
    # A prompt this short is read anew, so that warm and cold answers have the same bits (rag.prompt_cache).
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 0


def test_a_schema_json_mode_and_a_forced_call_give_json(live):
    schema = {"type": "object", "properties": {"colour": {"enum": ["blue", "red"]}}, "required": ["colour"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "sky", "schema": schema}}
    assert json.loads(create(live, response_format=wanted).choices[0].message.content)["colour"] in {"blue", "red"}
    question = [{"role": "user", "content": 'Answer in JSON with the field "colour": what colour is the sky?'}]
    answer = create(live, messages=question, response_format={"type": "json_object"}, max_tokens=100)
    assert isinstance(json.loads(answer.choices[0].message.content), dict)
    tool = {"name": "paint", "parameters": schema}
    called = create(live, tools=[{"type": "function", "function": tool}], tool_choice="required")
    (call,) = called.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)["colour"] in {"blue", "red"}) == ("paint", True)


def test_a_client_that_leaves_frees_the_engine_at_once(live, wait):
    stream = create(live, messages=ENDLESS, max_tokens=1500, stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    left = time.monotonic()
    stream.close()
    wait(lambda: not live.server.config.app.state.serving.gate.working)
    # The engine itself is free, too: the next answer does not wait for hundreds of tokens.
    create(live, max_tokens=1)
    assert time.monotonic() - left < 2 * FREED_SECONDS
