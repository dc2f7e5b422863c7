"""The child process of an isolated engine: requests as lines of JSON on its input, replies on its output.

Run by rag.isolated_engine as ``python -m rag.engine_process``. A crash of the native library ends this process only.
The first line opens the model; each further one is a call with a number, and every reply carries that number. The
process ends with its input: when the parent is gone, so is the model.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from rag.engine import LlamaEngine
from rag.errors import EngineError
from rag.fair_queue import calling
from rag.protocols import GenerationRequest
from rag.settings import EngineSettings
from rag.types import Message, Role

Values = dict[str, Any]


class Replies:
    """Lines of JSON to the parent, from any thread."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._lock = threading.Lock()

    def send(self, number: int, **values: object) -> None:
        """Write one reply. A parent that is gone reads none; the input ends soon, too."""
        line = json.dumps({"number": number, **values}).encode("ascii") + b"\n"
        with self._lock:
            try:
                self._output.write(line)
                self._output.flush()
            except BrokenPipeError:
                return


class Calls:
    """Answers the parent's calls with one engine; each call has a thread of its own, so none waits for another."""

    def __init__(self, engine: LlamaEngine, replies: Replies) -> None:
        self._engine = engine
        self._replies = replies
        self._cancels: dict[int, threading.Event] = {}
        self._kinds: dict[str, Callable[[Values], object]] = {
            "count_tokens": lambda v: engine.count_tokens(v["text"]),
            "choose": lambda v: engine.choose(messages(v["messages"]), v["options"]),
            "choose_each": lambda v: engine.choose_each([messages(one) for one in v["prompts"]], v["options"]),
            "score": lambda v: [
                (score.piece.hex(), score.log_probability)
                for score in engine.score(messages(v["messages"]), v["continuation"])
            ],
        }

    def take(self, call: Values) -> None:
        """Begin a call, or cancel one."""
        number = int(call["number"])
        if call["kind"] == "cancel":
            if (cancel := self._cancels.get(number)) is not None:
                cancel.set()
            return
        self._cancels[number] = threading.Event()
        threading.Thread(target=self._answer, args=(number, call), daemon=True).start()

    def _answer(self, number: int, call: Values) -> None:
        try:
            with calling(call["caller"], is_background=call["is_background"]):
                if call["kind"] == "generate":
                    self._generate(number, call["request"])
                else:
                    self._replies.send(number, result=self._kinds[call["kind"]](call))
        except EngineError as error:
            self._replies.send(number, error=str(error), error_kind=type(error).__name__)
        finally:
            del self._cancels[number]

    def _generate(self, number: int, request: Values) -> None:
        stream = self._engine.generate(to_request(request), self._cancels[number])
        self._replies.send(number, is_accepted=True)
        for piece in stream:
            self._replies.send(number, piece=piece)
        self._replies.send(number, result=asdict(stream.result))


def messages(values: list[Values]) -> tuple[Message, ...]:
    """Messages from their JSON values."""
    return tuple(Message(Role(value["role"]), value["text"]) for value in values)


def to_request(values: Values) -> GenerationRequest:
    """A request from its JSON values."""
    return GenerationRequest(
        **values
        | {"messages": messages(values["messages"]), "contrast": messages(values["contrast"])}
        | {"stop": tuple(values["stop"])}
    )


def lines(source: BinaryIO) -> Iterator[Values]:
    """The JSON values of a stream, line by line, to its end."""
    for line in source:
        yield json.loads(line)


def main() -> None:
    """Open the model that the first line names, then answer until the input ends."""
    # Native code may print; what it prints must not stand between the replies.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    calls = lines(sys.stdin.buffer)
    first = next(calls, None)
    if first is None:
        return
    replies = Replies(output)
    settings = EngineSettings.model_validate(first["settings"])
    path = Path(first["path"])
    with LlamaEngine(path, model_id=first["model_id"], model_hash=first["model_hash"], settings=settings) as engine:
        threading.Thread(target=_announce, args=(engine, replies), daemon=True).start()
        answering = Calls(engine, replies)
        for call in calls:
            answering.take(call)


def _announce(engine: LlamaEngine, replies: Replies) -> None:
    """Tell the parent once the model is loaded, or why it is not."""
    try:
        engine.count_tokens("a")
    except EngineError as error:
        replies.send(0, error=str(error), error_kind=type(error).__name__)
    else:
        replies.send(0, is_ready=True)


if __name__ == "__main__":
    main()
