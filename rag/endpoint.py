"""A generator behind an OpenAI-compatible server (llama-server, vLLM, …). The adapter of httpx.

Every request runs on an event loop of its own thread, so that ``cancel`` can close the connection at
any moment: while connecting, while the server still reads the prompt, and between two pieces.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rag.chat_completions import (
    choice_body,
    estimate_prompt,
    estimate_tokens,
    events,
    finish_of,
    first_token_scores,
    generation_body,
    option_probabilities,
)
from rag.errors import EndpointError, EngineError, PromptTooLongError
from rag.protocols import Generation, GenerationRequest
from rag.settings import EndpointSettings
from rag.streaming import Channel, Finish, PieceStream
from rag.types import Message

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 10.0
_SHOWN_BODY_CHARS = 300
_NEXT_STEP = "Check endpoint.url and that the server runs; an empty endpoint.url uses the local model."


class EndpointGenerator:
    """A Generator over ``{url}/chat/completions``.

    The key is read from the environment variable that the settings name; it is sent, never shown.

    Raises:
        EndpointError: the address is not http(s), or holds a user name or password.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        import httpx

        try:
            address = httpx.URL(settings.url)
        except httpx.InvalidURL as error:
            raise EndpointError(f"endpoint.url {settings.url!r} is not an address: {error}.") from error
        if address.scheme not in {"http", "https"} or not address.host:
            raise EndpointError(f"endpoint.url {settings.url!r} must begin with http:// or https:// and name a host.")
        if address.userinfo:
            raise EndpointError(f"endpoint.url must hold no password. Put the key into {settings.api_key_variable}.")
        self._settings = settings
        self._is_local = address.host in {"localhost", "127.0.0.1", "::1"}
        self._lock = threading.Lock()
        self._running: set[Channel] = set()
        self._is_closed = False

    @property
    def model_id(self) -> str:
        """The model's name on the server."""
        return self._settings.model or self._settings.url

    @property
    def model_hash(self) -> str:
        """The address: the weights behind it are not known."""
        return self._settings.url

    @property
    def context_size(self) -> int:
        """Tokens that prompt and answer may use together, as set."""
        return self._settings.context_size

    def count_tokens(self, text: str) -> int:
        """An upper estimate: the tokenizer is on the server."""
        return estimate_tokens(text)

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> PieceStream:
        """Send a request at once; the server queues.

        Raises:
            PromptTooLongError: the estimated prompt and ``max_tokens`` exceed the context together.
            EngineError: closed, or a JSON schema that is not JSON.
        """
        estimate = self._check_size(request.messages, request.max_tokens)
        body = generation_body(request)
        channel = Channel(cancel)
        with self._lock:
            self._check_open()
            self._running.add(channel)
        pull = _Pull(channel, estimate)
        channel.on_cancel = pull.cancel
        stream = PieceStream(channel)
        threading.Thread(target=self._run, args=(pull, body), name="endpoint", daemon=True).start()
        return stream

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """Probabilities from the 20 best first tokens of the server; an option outside of them counts as 0.

        Raises:
            EngineError: the server gives no log-probabilities, none of the options is among them, or two
                options begin with the same token.
        """
        self._check_size(messages, 1)
        with self._lock:
            self._check_open()
        return option_probabilities(first_token_scores(self._post(choice_body(messages))), options)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        with self._lock:
            self._is_closed = True
            running = [*self._running]
        for channel in running:
            channel.cancel()

    def _check_open(self) -> None:
        if self._is_closed:
            raise EngineError("The endpoint is closed. Open the notebook again.")

    def _check_size(self, messages: Sequence[Message], max_tokens: int) -> int:
        estimate = estimate_prompt(messages)
        if estimate + max_tokens > self.context_size:
            raise PromptTooLongError(
                f"The prompt has about {estimate} tokens; with {max_tokens} for the answer that exceeds the context "
                f"of {self.context_size}. Use fewer passages, or set endpoint.context_size to what the server has."
            )
        return estimate

    def _run(self, pull: "_Pull", body: Mapping[str, object]) -> None:
        try:
            asyncio.run(self._stream(pull, body))
        finally:
            with self._lock:
                self._running.discard(pull.channel)
            pull.channel.finish(EndpointError(f"The connection to {self._settings.url} ended unexpectedly."))

    async def _stream(self, pull: "_Pull", body: Mapping[str, object]) -> None:
        import httpx

        if not pull.begin():
            return
        try:
            async with (
                httpx.AsyncClient(**self._connection()) as client,
                client.stream("POST", self._path(), json=self._named(body)) as reply,
            ):
                if not reply.is_success:
                    await reply.aread()
                self._check_status(reply)
                async for event in events(reply.aiter_bytes()):
                    pull.take(event)
            pull.end()
        except (httpx.HTTPError, httpx.StreamError) as error:
            pull.channel.finish(self._unreachable(error))
        except EngineError as error:
            pull.channel.finish(error)
        except asyncio.CancelledError:
            pull.finish("cancelled")
        finally:
            pull.detach()

    def _post(self, body: Mapping[str, object]) -> object:
        import httpx

        try:
            with httpx.Client(**self._connection()) as client:
                reply = client.post(self._path(), json=self._named(body))
                self._check_status(reply)
                return reply.json()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        except ValueError as error:
            raise EndpointError(f"{self._settings.url} answered something else than JSON. {_NEXT_STEP}") from error

    def _connection(self) -> dict[str, Any]:
        import httpx

        key = os.environ.get(self._settings.api_key_variable, "")
        return {
            "timeout": httpx.Timeout(self._settings.timeout_seconds, connect=_CONNECT_SECONDS),
            "headers": {"Authorization": f"Bearer {key}"} if key else {},
            # A proxy for the web must not get what stays on this machine.
            "trust_env": not self._is_local,
        }

    def _path(self) -> str:
        return f"{self._settings.url.rstrip('/')}/chat/completions"

    def _named(self, body: Mapping[str, object]) -> dict[str, object]:
        return {**body, "model": self._settings.model or "default"}

    def _check_status(self, reply: "httpx.Response") -> None:
        if reply.is_success:
            return
        said = reply.text.strip()[:_SHOWN_BODY_CHARS]
        hint = f"Set {self._settings.api_key_variable}." if reply.status_code in {401, 403} else _NEXT_STEP
        raise EndpointError(f"{self._settings.url} answered {reply.status_code}: {said or 'nothing'}. {hint}")

    def _unreachable(self, error: Exception) -> EndpointError:
        reason = str(error) or type(error).__name__
        return EndpointError(f"{self._settings.url} could not be reached: {reason}. {_NEXT_STEP}")


class _Pull:
    """Turns the events of one reply into pieces and a result."""

    def __init__(self, channel: Channel, estimate: int) -> None:
        self.channel = channel
        self._usage: Mapping[str, Any] = {"prompt_tokens": estimate}
        self._pieces = 0
        self._finish: Finish | None = None
        self._asked = perf_counter()
        self._first: float | None = None
        self._lock = threading.Lock()
        self._abort: Callable[[], object] | None = None

    def begin(self) -> bool:
        """On the loop's thread: make ``cancel`` reach this task. False when it was cancelled before."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        with self._lock:
            if task is not None and not self.channel.is_cancelled:
                self._abort = lambda: loop.call_soon_threadsafe(task.cancel)
                return True
        self.finish("cancelled")
        return False

    def cancel(self) -> None:
        """From any thread: close the connection."""
        with self._lock:
            if self._abort is not None:
                self._abort()
                self._abort = None

    def detach(self) -> None:
        """The event loop is about to end: ``cancel`` must not reach for it any more."""
        with self._lock:
            self._abort = None

    def take(self, event: Mapping[str, Any]) -> None:
        """One event of the stream."""
        if "error" in event:
            raise EndpointError(f"The endpoint broke off: {str(event['error'])[:_SHOWN_BODY_CHARS]}. {_NEXT_STEP}")
        self._usage = event.get("usage") or self._usage
        try:
            for choice in event.get("choices") or []:
                self._piece(choice["delta"].get("content") or "")
                self._finish = finish_of(choice.get("finish_reason")) or self._finish
        except (KeyError, TypeError, AttributeError) as error:
            raise EndpointError(f"The endpoint sent an event that is not a chat chunk: {event!r:.300}.") from error
        if self.channel.is_cancelled:
            raise asyncio.CancelledError

    def _piece(self, text: str) -> None:
        if text:
            self._first = self._first or perf_counter()
            self._pieces += 1
            self.channel.put(text)

    def end(self) -> None:
        """The reply is complete."""
        if self._finish is None:
            raise EndpointError(
                f"The stream of the endpoint broke off after {len(self.channel.text)} characters. Ask again."
            )
        self.finish(self._finish)

    def finish(self, finish: Finish) -> None:
        """Set the result."""
        now = perf_counter()
        first = self._first or now
        details = self._usage.get("prompt_tokens_details") or {}
        self.channel.finish(
            Generation(
                text=self.channel.text,
                finish=finish,
                prompt_tokens=int(self._usage.get("prompt_tokens") or 0),
                completion_tokens=int(self._usage.get("completion_tokens") or self._pieces),
                reused_tokens=int(details.get("cached_tokens") or 0),
                queued=0.0,
                prefill=first - self._asked,
                decode=now - first,
            )
        )
