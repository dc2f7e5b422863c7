"""Reads what the model writes: which text may be shown at once, which calls it makes, whether its JSON is whole."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.decoding import held_back
from rag.protocols import Generation, Generator
from rag.tool_calls import OPEN, Call, read_reply
from ui.serve.chat_prompt import OBJECT_START, Plan, Reading
from ui.serve.errors import UnusableReplyError
from ui.serve.gate import Cancellation

# A reply that begins like this may be one bare call as a whole.
_BARE_CALL_STARTS = ("{", "`", "<")


@dataclass(frozen=True, slots=True)
class Begun:
    """The generator took the request; the text follows."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that may be shown."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The calls the model makes, why it ended ("stop", "length" or "tool_calls"), and what it cost."""

    calls: tuple[Call, ...]
    finish: str
    generation: Generation


Item = Begun | Piece | Ended


def converse(generator: Generator, plan: Plan, cancellation: Cancellation) -> Iterator[Item]:
    """Generate and read a reply, item by item, ``Ended`` last.

    Raises:
        EngineError: as ``Generator.generate``.
        UnusableReplyError: a JSON object was asked for and the model wrote something else.
    """
    stream = generator.generate(plan.request)
    cancellation.follow(stream)
    yield Begun()
    reader = _reader(plan)
    for piece in stream:
        if text := reader.push(piece):
            yield Piece(text)
        if reader.is_complete:
            stream.cancel()
    generation = stream.result
    rest, calls = reader.close(generation)
    if rest:
        yield Piece(rest)
    yield Ended(calls, _finish(generation, has_calls=bool(calls), is_complete=reader.is_complete), generation)


def _finish(generation: Generation, *, has_calls: bool, is_complete: bool) -> str:
    """OpenAI's word. A reply that was cut because it went in circles was cut for its length."""
    if has_calls:
        return "tool_calls"
    return "stop" if is_complete or generation.finish == "stop" else "length"


class _Reader(Protocol):
    """Reads one reply."""

    is_complete: bool

    def push(self, piece: str) -> str:
        """Take the next piece; the text that may be shown now. ``is_complete`` is set when nothing more is needed."""

    def close(self, generation: Generation) -> tuple[str, tuple[Call, ...]]:
        """What is left to be shown, and the calls."""


def _reader(plan: Plan) -> _Reader:
    if plan.reading is Reading.OBJECT:
        return _ObjectReader()
    if plan.reading is Reading.TEXT:
        return _TextReader()
    return _CallReader(plan.tools, is_forced=plan.reading is Reading.CALL, is_single=plan.single_call)


class _TextReader:
    """Everything may be shown."""

    is_complete = False

    def push(self, piece: str) -> str:
        return piece

    def close(self, generation: Generation) -> tuple[str, tuple[Call, ...]]:
        return "", ()


class _CallReader:
    """Text up to the first call; nothing while the reply may be one bare call, or must be one.

    A call that cannot be read, or of a tool that nobody offered, is shown as the text that it is.
    """

    is_complete = False

    def __init__(self, names: Sequence[str], *, is_forced: bool, is_single: bool) -> None:
        self._names = names
        self._is_forced = is_forced
        self._is_single = is_single
        self._text = ""
        self._shown = 0

    def push(self, piece: str) -> str:
        self._text += piece
        start = self._text.lstrip()[:1]
        if self._is_forced or not start or start in _BARE_CALL_STARTS:
            return ""
        end = self._text.find(OPEN)
        end = len(self._text) - held_back(self._text, (OPEN,)) if end < 0 else end
        shown, self._shown = self._shown, max(end, self._shown)
        return self._text[shown : self._shown]

    def close(self, generation: Generation) -> tuple[str, tuple[Call, ...]]:
        calls = tuple(call for call in read_reply(self._text, self._names).calls if call.name in self._names)
        if not calls:
            return self._text[self._shown :], ()
        return "", calls[:1] if self._is_single or self._is_forced else calls


class _ObjectReader:
    """A JSON object whose first brace was given to the model; what it writes behind the last one is dropped."""

    def __init__(self) -> None:
        self.is_complete = False
        self._text = ""
        self._depth = 1
        self._in_string = False
        self._is_escaped = False

    def push(self, piece: str) -> str:
        shown = "" if self._text else OBJECT_START
        for character in piece:
            if self.is_complete:
                break
            shown += self._take(character)
        self._text += shown
        return shown

    def close(self, generation: Generation) -> tuple[str, tuple[Call, ...]]:
        if self.is_complete and _is_object(self._text):
            return "", ()
        if generation.finish == "length" and not self.is_complete:
            return "", ()
        raise UnusableReplyError(
            "The model did not write a JSON object. Say in the messages which fields you want, or give a json_schema: "
            "that is enforced."
        )

    def _take(self, character: str) -> str:
        """Follow the nesting; models write line breaks into strings, where JSON wants them escaped."""
        if self._in_string:
            if self._is_escaped:
                self._is_escaped = False
            elif character == "\\":
                self._is_escaped = True
            elif character == '"':
                self._in_string = False
            return json.dumps(character)[1:-1] if character < " " else character
        self._in_string = character == '"'
        self._depth += (character in "{[") - (character in "}]")
        self.is_complete = self._depth == 0
        return character


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
