"""Qwen's tool format."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.tool_calls import Call, Reply, describe_tools, read_reply, write_call, write_results

TOOL = {"type": "function", "function": {"name": "查找", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.model
def test_the_description_is_what_the_model_was_trained_on(small_engine):
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    template = ImmutableSandboxedEnvironment().from_string(small_engine._worker.model().model.template)
    tool = {"type": "function", "function": {"name": "find", "description": "Find."}}
    call = {"function": {"name": "find", "arguments": {"q": "a"}}}
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "R1"},
        {"role": "tool", "content": "R2"},
    ]
    whole = template.render(messages=messages, tools=[tool])
    # The template's JSON filter sorts keys; ours keeps the order of the schema.
    in_order = json.dumps(tool, sort_keys=True)
    assert f"S\n\n{describe_tools([tool])}<|im_end|>".replace(json.dumps(tool), in_order) in whole
    assert write_call("find", {"q": "a"}) in whole
    assert f"user\n{write_results(['R1', 'R2'])}<|im_end|>" in whole


def test_chinese_stays_readable():
    assert '"查找"' in describe_tools([TOOL])
    assert '"问题": "卷积"' in write_call("查找", {"问题": "卷积"})


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=3),
    st.text("ab\n。", max_size=9),
)
def test_written_calls_are_read_back(calls, text):
    # A value that holds a tag itself cannot be told from the tag; the alphabet of real tools has none.
    written = "\n".join(write_call("f", arguments) for arguments in calls)
    reply = read_reply(text + written, ["f"])
    assert reply.calls == tuple(Call("f", arguments) for arguments in calls)
    assert reply.malformed == ()
    assert reply.text == (text.strip() if calls else text)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("{oops", "not JSON"),
        ("[1]", "no object"),
        ('{"name": 3}', "no object"),
        ('{"name": "f", "arguments": [1]}', "not an object"),
        ("", "not JSON"),
        ('{"name": "f", "arguments": "x"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_malformed_calls_are_kept_with_the_reason(block, reason):
    good = write_call("f", {})
    reply = read_reply(f"先查。<tool_call>{block}</tool_call>{good}", ["f"])
    assert reply.text == "先查。"
    assert reply.calls == (Call("f", {}),)
    assert [(kept, reason in why) for kept, why in reply.malformed] == [(block, True)]


def test_a_call_cut_at_the_end_and_arguments_as_text():
    assert read_reply('<tool_call>\n{"name": "f", "arguments": "{\\"a\\": 1}"}', ["f"]).calls == (Call("f", {"a": 1}),)


@pytest.mark.parametrize("frame", ["{}", "```json\n{}\n```", "<tools>\n{}\n</tools>", "\n{}\n"])
def test_a_reply_that_is_one_bare_call_of_a_known_tool_counts(frame):
    bare = frame.replace("{}", '{"name": "f", "arguments": {"a": {"b": 1}}}')
    assert read_reply(bare, ["f"]) == Reply("", (Call("f", {"a": {"b": 1}}),))
    assert read_reply(bare, ["g"]) == Reply(bare, ())
    assert read_reply("如下：" + bare, ["f"]).calls == ()


@given(st.text(max_size=60))
def test_any_text_can_be_read(text):
    reply = read_reply(text, ["f"])
    assert reply.calls or reply.malformed or reply.text == text
