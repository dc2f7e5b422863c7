"""Shared fixtures: a scripted Generator, a local chat server, and the small real model."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import hypothesis
import pytest
import tiny_model

from rag import model_store
from rag.engine import LlamaEngine
from rag.errors import EngineError, PromptTooLongError
from rag.protocols import Generation, GenerationRequest
from rag.settings import EngineSettings
from rag.types import Message

# A machine that is busy with something else is no failure; each test has its time limit.
hypothesis.settings.register_profile("mingbai", deadline=None)
hypothesis.settings.load_profile("mingbai")

SMALL_MODEL = "qwen2.5-coder-0.5b-instruct-q4_k_m"


def pytest_unconfigure() -> None:
    """llama_cpp leaves two handles on /dev/null open, and warnings are errors here."""
    if (library := sys.modules.get("llama_cpp._utils")) is not None:
        library.outnull_file.close()
        library.errnull_file.close()


class FakeStream:
    """A GenerationStream that makes a scripted text in the reader's thread, a character a token."""

    def __init__(self, request: GenerationRequest, text: str, cancel: threading.Event | None) -> None:
        self._request, self._text = request, text
        self._cancel = cancel or threading.Event()
        self._own_cancel = threading.Event()
        self._shown = ""
        self._result: Generation | None = None

    def __iter__(self) -> Iterator[str]:
        try:
            for character in self._text[: self._request.max_tokens]:
                if self._cancel.is_set() or self._own_cancel.is_set():
                    return
                self._shown += character
                yield character
            self._end("stop" if len(self._text) <= self._request.max_tokens else "length")
        finally:
            self._end("cancelled")

    @property
    def result(self) -> Generation:
        if self._result is None:
            raise EngineError("still running")
        return self._result

    def cancel(self) -> None:
        self._own_cancel.set()

    def _end(self, finish: str) -> None:
        prompt = sum(len(message.text) for message in self._request.messages)
        made = Generation(self._shown, finish, prompt, len(self._shown), 0, 0.0, 0.0, 0.0)
        self._result = self._result or made


class FakeGenerator:
    """A Generator that answers from a script; ``requests`` and ``choices`` keep what it was asked.

    ``script`` is the answer to everything, a list of answers in order (the last one stays), or a function of
    the request. ``probabilities`` is what ``choose`` returns, or a function of (messages, options);
    uniform when it is not given. One character is one token.
    """

    model_id = "fake"
    model_hash = "0" * 64

    def __init__(
        self,
        script: str | Sequence[str] | Callable[[GenerationRequest], str] = "好的。",
        *,
        probabilities: Sequence[float] | Callable[[Sequence[Message], Sequence[str]], list[float]] | None = None,
        context_size: int = 4096,
    ) -> None:
        self._script, self._probabilities = script, probabilities
        self.context_size = context_size
        self.requests: list[GenerationRequest] = []
        self.choices: list[tuple[tuple[Message, ...], tuple[str, ...]]] = []
        self.is_closed = False

    def count_tokens(self, text: str) -> int:
        return len(text)

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> FakeStream:
        self._check(request.messages, request.max_tokens)
        self.requests.append(request)
        return FakeStream(request, self._answer(request), cancel)

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        self._check(messages, 1)
        if not options or len({option[:1] for option in options}) < len(options):
            raise EngineError("the options begin alike")
        self.choices.append((tuple(messages), tuple(options)))
        if callable(self._probabilities):
            return self._probabilities(messages, options)
        return list(self._probabilities or [1 / len(options)] * len(options))

    def close(self) -> None:
        self.is_closed = True

    def _answer(self, request: GenerationRequest) -> str:
        if callable(self._script):
            return self._script(request)
        if isinstance(self._script, str):
            return self._script
        return self._script[min(len(self.requests), len(self._script)) - 1]

    def _check(self, messages: Sequence[Message], max_tokens: int) -> None:
        if self.is_closed:
            raise EngineError("closed")
        prompt = sum(len(message.text) for message in messages)
        if prompt + max_tokens > self.context_size:
            raise PromptTooLongError(f"{prompt} + {max_tokens} > {self.context_size}")


@pytest.fixture
def fake_generator() -> type[FakeGenerator]:
    """The class FakeGenerator: ``fake_generator("answer", probabilities=[0.9, 0.1])``."""
    return FakeGenerator


class ChatServer(ThreadingHTTPServer):
    """An OpenAI-compatible server on 127.0.0.1. ``reply`` writes the answer; the default streams ``text``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ChatHandler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.text = "天空是蓝色的。"
        self.seconds_per_piece = 0.0
        self.top_logprobs: list[dict[str, object]] | None = [
            {"token": "是", "logprob": -0.1},
            {"token": "否", "logprob": -2.5},
        ]
        self.reply: Callable[[_ChatHandler], None] = lambda handler: handler.answer()
        self.bodies: list[dict] = []
        self.sent_headers: list[dict[str, str]] = []
        # Set to let a stream that waits go on; ``hung_up`` is set when the client closed its connection.
        self.go_on, self.hung_up = threading.Event(), threading.Event()


class _ChatHandler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        self.server.sent_headers.append(dict(self.headers))
        try:
            self.server.reply(self)
        except (BrokenPipeError, ConnectionResetError):
            self.server.hung_up.set()

    def answer(self) -> None:
        body = self.server.bodies[-1]
        if not body.get("stream"):
            content = [{"token": "是", "top_logprobs": self.server.top_logprobs}]
            logprobs = {"content": content} if self.server.top_logprobs is not None else None
            self.send(200, json.dumps({"choices": [{"message": {"content": "是"}, "logprobs": logprobs}]}))
            return
        self.begin()
        text = self.server.text[: body["max_tokens"]]
        for character in text:
            time.sleep(self.server.seconds_per_piece)
            self.event({"choices": [{"delta": {"content": character}, "finish_reason": None}]})
        finish = "stop" if text == self.server.text else "length"
        self.event({"choices": [{"delta": {}, "finish_reason": finish}]})
        usage = {"prompt_tokens": 7, "completion_tokens": len(text), "prompt_tokens_details": {"cached_tokens": 3}}
        self.event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

    def event(self, value: object) -> None:
        self.wfile.write(f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode())
        self.wfile.flush()

    def send(self, status: int, body: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """A running local chat server."""
    server = ChatServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def small_model_path() -> Path:
    """The 0.5B model in the user's model cache; the test is skipped where it was not pulled."""
    path = model_store.root() / SMALL_MODEL / f"{SMALL_MODEL}.gguf"
    if not path.exists():
        pytest.skip(f"the small model is not on this machine; run: mingbai models pull {SMALL_MODEL}")
    return path


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights that the real llama.cpp runs at thousands of tokens a second."""
    return tiny_model.write(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="session")
def small_engine(small_model_path: Path) -> Iterator[LlamaEngine]:
    """The 0.5B model, loaded once for all tests of a run."""
    settings = EngineSettings(context_size=2048)
    with LlamaEngine(small_model_path, model_id=SMALL_MODEL, model_hash="0" * 64, settings=settings) as engine:
        yield engine
