"""The engine in a process of its own: a crash of native code ends that process, not the program.

Whoever waits when it ends gets an error that says so; the next request starts it again. Nothing else is lost: notes
and index live in this process, and the text of an answer is what had arrived. Answers are those of LlamaEngine.
"""

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from rag import errors
from rag.errors import EngineError
from rag.fair_queue import caller
from rag.protocols import Generation, GenerationRequest, TokenScore
from rag.settings import EngineSettings
from rag.streaming import Channel, PieceStream
from rag.types import Message

# A process that ends so many times in a row before its model is loaded will not load it the next time either.
MAX_FAILED_STARTS = 3
_CLOSE_SECONDS = 10.0
_CLOSED = "The engine is closed. Open the notebook again."


@dataclass(slots=True)
class Pending:
    """A call that waits: ``outcome`` for its result, or for a generation's acceptance; then ``channel`` goes on."""

    outcome: Future[Any]
    channel: Channel | None = None

    def fail(self, error: EngineError) -> None:
        """Tell whoever waits; without effect once it is done."""
        if not self.outcome.done():
            self.outcome.set_exception(error)
        elif self.channel is not None:
            self.channel.finish(error)


class Process:
    """One running child, and the calls that it has not answered yet."""

    def __init__(self, opening: dict[str, object]) -> None:
        self.is_ready = False
        self.error: EngineError | None = None
        self.pending: dict[int, Pending] = {}
        self._lock = threading.Lock()
        self._last = 0
        self._child = subprocess.Popen(
            [sys.executable, "-m", "rag.engine_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C is for this process, which then cancels
        )
        self._send(opening)
        self._reader = threading.Thread(target=self._read, name="engine replies", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The number of the child process."""
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        """Whether the child is gone."""
        return self._child.poll() is not None or not self._reader.is_alive()

    def call(self, kind: str, values: dict[str, object], channel: Channel | None = None) -> Future[Any]:
        """Send a call; the future gets its result, or True once a generation was accepted."""
        asking = caller()
        pending = Pending(Future(), channel)
        with self._lock:
            self._last = number = self._last + 1
            self.pending[number] = pending
        if channel is not None:
            channel.on_cancel = partial(self._cancel, number)
        on_behalf = {"caller": asking.name, "is_background": asking.is_background}
        if not self._send({"number": number, "kind": kind, **on_behalf, **values}):
            # The child is gone or about to be. Whoever is told so and asks again must find it gone.
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(_CLOSE_SECONDS)
            self._drop(number, self._ended())
        return pending.outcome

    def close(self) -> None:
        """End the child for good; whoever waits or comes later gets an error. Idempotent."""
        self.error = self.error or EngineError(_CLOSED)
        self.end()

    def end(self) -> None:
        """End the child, or clear up behind one that has ended; whoever waits gets an error. Idempotent."""
        for pending in list(self.pending.values()):
            if pending.channel is not None:
                pending.channel.cancel()
        self._close_input()
        try:
            self._child.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._reader.join(_CLOSE_SECONDS)

    def _cancel(self, number: int) -> None:
        self._send({"number": number, "kind": "cancel"})

    def _send(self, values: dict[str, object]) -> bool:
        line = json.dumps(values).encode("ascii") + b"\n"
        with self._lock:
            try:
                if self._child.stdin is None or self._child.stdin.closed:
                    return False
                self._child.stdin.write(line)
                self._child.stdin.flush()
            except (OSError, ValueError):  # the child is gone, or its pipe was closed just now
                return False
        return True

    def _read(self) -> None:
        """Hand replies on until the child's output ends; then nobody is left waiting."""
        output = self._child.stdout
        for line in output or ():
            # A line cut by a crash has no end.
            if line.endswith(b"\n"):
                self._take(json.loads(line))
        self._child.wait()
        ended = self._ended()
        for number in list(self.pending):
            self._drop(number, ended)
        self._close_input()
        if output is not None:
            output.close()

    def _close_input(self) -> None:
        with self._lock, suppress(OSError):  # what was not sent yet has no reader any more
            if self._child.stdin is not None:
                self._child.stdin.close()

    def _take(self, reply: dict[str, Any]) -> None:
        number = reply["number"]
        if number == 0:
            self.is_ready = "is_ready" in reply
            self.error = None if self.is_ready else _error(reply)
            return
        pending = self.pending.get(number)
        if pending is None:
            return
        if "error" in reply:
            self._drop(number, _error(reply))
        elif "is_accepted" in reply:
            pending.outcome.set_result(True)
        elif "piece" in reply and pending.channel is not None:
            pending.channel.put(reply["piece"])
            if pending.channel.is_cancelled:
                pending.channel.cancel()
        else:
            self._finish(number, pending, reply["result"])

    def _finish(self, number: int, pending: Pending, result: Any) -> None:  # noqa: ANN401 - any JSON value
        del self.pending[number]
        if pending.channel is None:
            pending.outcome.set_result(result)
        else:
            pending.channel.finish(Generation(**result))

    def _drop(self, number: int, error: EngineError) -> None:
        pending = self.pending.pop(number, None)
        if pending is not None:
            pending.fail(error)

    def _ended(self) -> EngineError:
        code = self._child.poll()
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return self.error or EngineError(f"The engine's process ended unexpectedly ({how}). Ask again: it starts anew.")


class IsolatedEngine:
    """A Generator whose model runs in a child process. Loads in the background; the first question waits for it.

    Every method may be called from any thread. Use it as a context manager or call ``close``.
    """

    def __init__(self, path: Path, *, model_id: str, model_hash: str, settings: EngineSettings) -> None:
        self.model_id = model_id
        self.model_hash = model_hash
        self.context_size = settings.context_size
        self._opening: dict[str, object] = {
            "path": str(path),
            "model_id": model_id,
            "model_hash": model_hash,
            "settings": settings.model_dump(mode="json"),
        }
        self._lock = threading.Lock()
        self._failed_starts = 0
        self._is_closed = False
        self._process = Process(self._opening)
        self._closer = weakref.finalize(self, _close, [self._process])

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded. False while it loads, when it failed to, and after ``close``."""
        return self._process.is_ready and not self._process.has_ended and not self._is_closed

    @property
    def pid(self) -> int:
        """The number of the process that holds the model now."""
        return self._process.pid

    def count_tokens(self, text: str) -> int:
        """The number of tokens of a plain text. Does not wait for running generations."""
        return int(self._running().call("count_tokens", {"text": text}).result())

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> PieceStream:
        """As LlamaEngine.generate; an EngineError of the stream also tells that the process ended."""
        channel = Channel(cancel)
        self._running().call("generate", {"request": asdict(request)}, channel).result()
        return PieceStream(channel)

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """As LlamaEngine.choose."""
        found: list[float] = self._ask("choose", messages=_values(messages), options=list(options))
        return found

    def choose_each(self, prompts: Sequence[Sequence[Message]], options: Sequence[str]) -> list[list[float]]:
        """As LlamaEngine.choose_each."""
        given = [_values(messages) for messages in prompts]
        found: list[list[float]] = self._ask("choose_each", prompts=given, options=list(options))
        return found

    def score(self, messages: Sequence[Message], continuation: str) -> list[TokenScore]:
        """As LlamaEngine.score."""
        found = self._ask("score", messages=_values(messages), continuation=continuation)
        return [TokenScore(bytes.fromhex(piece), score) for piece, score in found]

    def close(self) -> None:
        """End the process; whoever waits gets an error. Idempotent."""
        with self._lock:
            self._is_closed = True
        self._closer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, kind: str, **values: object) -> Any:  # noqa: ANN401 - any JSON value
        return self._running().call(kind, values).result()

    def _running(self) -> Process:
        """The child, started again when it has ended.

        Raises:
            EngineError: closed, the model cannot be loaded, or the process ended too often before it was.
        """
        with self._lock:
            if self._is_closed:
                raise EngineError(_CLOSED)
            if self._process.error is not None:
                raise self._process.error
            if not self._process.has_ended:
                return self._process
            self._failed_starts = 0 if self._process.is_ready else self._failed_starts + 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                self._process.error = EngineError(
                    f"The engine's process ended {self._failed_starts} times while it loaded {self.model_id}. "
                    "Verify the model: mingbai models verify"
                )
                raise self._process.error
            self._process.end()
            self._closer.detach()
            self._process = Process(self._opening)
            self._closer = weakref.finalize(self, _close, [self._process])
            return self._process


def _close(processes: list[Process]) -> None:
    for process in processes:
        process.close()


def _values(messages: Sequence[Message]) -> list[dict[str, object]]:
    return [asdict(message) for message in messages]


def _error(reply: dict[str, Any]) -> EngineError:
    kind = getattr(errors, reply["error_kind"], EngineError)
    return kind(reply["error"]) if issubclass(kind, EngineError) else EngineError(reply["error"])
