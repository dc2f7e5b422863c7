"""Reading replies: however the text is cut into pieces, the same is shown and called."""

import json
from itertools import pairwise

import pytest
from fakes import FakeGenerator
from hypothesis import given
from hypothesis import strategies as st

from rag.protocols import Generation, GenerationRequest
from rag.tool_calls import write_call
from rag.types import Message, Role
from ui.serve.chat_prompt import Plan, Reading
from ui.serve.chat_text import Begun, Ended, Piece, _reader, converse
from ui.serve.errors import UnusableReplyError
from ui.serve.gate import Cancellation

REQUEST = GenerationRequest((Message(Role.USER, "?"),))
JSON_OBJECTS = st.dictionaries(
    st.text(max_size=5), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)
)


def generation(text, finish="stop"):
    return Generation(text, finish, 1, len(text), 0, 0.0, 0.0, 0.0)


def read(reading, pieces, *, names=("look",), finish="stop", single=False):
    """Text that was shown, and the calls."""
    reader = _reader(Plan(REQUEST, reading, names, single))
    shown = "".join(map(reader.push, pieces))
    rest, calls = reader.close(generation("".join(pieces), finish))
    return shown + rest, [(call.name, dict(call.arguments)) for call in calls]


def cuts(text, points):
    edges = [0, *sorted(point % (len(text) + 1) for point in points), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@given(JSON_OBJECTS, st.text(), st.lists(st.integers(min_value=0), max_size=4))
def test_an_object_is_complete_and_what_follows_is_dropped(value, behind, points):
    text = json.dumps(value, ensure_ascii=False) + behind
    shown, _ = read(Reading.OBJECT, cuts(text[1:], points))
    assert json.loads(shown) == value


def test_line_breaks_inside_strings_become_valid_json():
    shown, _ = read(Reading.OBJECT, ['"a": "x\n\ty"', "}"])
    assert json.loads(shown) == {"a": "x\n\ty"}


def test_a_cut_object_is_shown_as_far_as_it_goes():
    assert read(Reading.OBJECT, ['"a": [1'], finish="length")[0] == '{"a": [1'


@pytest.mark.parametrize("text", ['"a": 1', "我不会。", '"a" 1}', "a: 1}", "]", ""])
def test_what_is_no_object_is_an_error(text):
    with pytest.raises(UnusableReplyError, match="json_schema"):
        read(Reading.OBJECT, [text])


CALL = write_call("look", {"at": "天空"})


@pytest.mark.parametrize(
    ("text", "shown", "calls"),
    [
        ("只有文字。", "只有文字。", []),
        (CALL, "", [("look", {"at": "天空"})]),
        (f"我看看。\n{CALL}", "我看看。\n", [("look", {"at": "天空"})]),
        (f"{CALL}\n{CALL}", "", [("look", {"at": "天空"})] * 2),
        ('{"name": "look", "arguments": {"at": "天空"}}', "", [("look", {"at": "天空"})]),
        ('{"name": "else", "arguments": {}}', '{"name": "else", "arguments": {}}', []),
        (write_call("else", {}), write_call("else", {}), []),
        ("好。<tool_call>{broken</tool_call>", "好。<tool_call>{broken</tool_call>", []),
        ("a < b 而且 <tool", "a < b 而且 <tool", []),
        ("`code` 是这样", "`code` 是这样", []),
    ],
)
@given(points=st.lists(st.integers(min_value=0), max_size=6))
def test_text_and_calls_do_not_depend_on_the_pieces(text, shown, calls, points):
    assert read(Reading.TOOLS, cuts(text, points)) == (shown, calls)


def test_one_call_when_the_client_wants_one():
    assert len(read(Reading.TOOLS, [CALL + CALL], single=True)[1]) == 1


def test_a_forced_call_shows_no_text():
    assert read(Reading.CALL, ['{"name": "look", ', '"arguments": {}}']) == ("", [("look", {})])


@pytest.mark.parametrize(
    ("finish", "word"), [("stop", "stop"), ("length", "length"), ("repetition", "length"), ("cancelled", "length")]
)
def test_the_reason_of_the_end_in_openais_words(finish, word):
    class Ends(FakeGenerator):
        def generate(self, request, cancel=None):
            stream = super().generate(request, cancel)
            made = generation(self.reply, finish)
            return type("S", (), {"__iter__": lambda _: iter(stream), "result": made, "cancel": stream.cancel})()

    items = list(converse(Ends("好。"), Plan(REQUEST, Reading.TEXT), Cancellation()))
    assert items[0] == Begun()
    assert "".join(item.text for item in items if isinstance(item, Piece)) == "好。"
    assert isinstance(items[-1], Ended)
    assert items[-1].finish == word


def test_the_generator_stops_when_the_object_is_complete():
    endless = FakeGenerator('"a": 1}' + "还有" * 1000)
    items = list(converse(endless, Plan(REQUEST, Reading.OBJECT), Cancellation()))
    assert "".join(item.text for item in items if isinstance(item, Piece)) == '{"a": 1}'
    assert (items[-1].finish, items[-1].generation.completion_tokens) == ("stop", len('"a": 1}'))
