"""What the server counts, for Prometheus. No question, no note and no file name is ever a label.

The adapter of the Prometheus client.
"""

import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.protocols import Generation
from rag.types import Answer

TEXT_FORMAT = CONTENT_TYPE_PLAIN_0_0_4
# Seconds, from a cached look-up to a long answer on a slow processor.
_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The numbers of one server.

    Args:
        working: how many requests are at work now.
        is_ready: whether the models are loaded.
    """

    def __init__(self, working: Callable[[], float], is_ready: Callable[[], bool]) -> None:
        self._registry = CollectorRegistry()
        given: dict[str, Any] = {"registry": self._registry, "namespace": "mingbai"}
        self.requests = Counter("requests", "Requests answered.", ["route", "method", "status"], **given)
        self.seconds = Histogram("request_seconds", "Until the last byte.", ["route"], buckets=_BUCKETS, **given)
        self.tokens = Counter("tokens", "Tokens read, reused from a cache, and written.", ["kind"], **given)
        self.queued = Histogram("queued_seconds", "Until the engine began.", buckets=_BUCKETS, **given)
        self.first = Histogram("first_token_seconds", "From asking to the first token.", buckets=_BUCKETS, **given)
        self.answers = Counter("answers", "Questions about the notes.", ["mode", "state"], **given)
        Gauge("working_requests", "Requests at work.", **given).set_function(working)
        Gauge("ready", "1 when the models are loaded.", **given).set_function(lambda: float(is_ready()))

    def take_generation(self, generation: Generation) -> None:
        """Count a finished generation."""
        self._take_tokens(generation.prompt_tokens, generation.reused_tokens, generation.completion_tokens)
        self.queued.observe(generation.queued)
        self.first.observe(generation.queued + generation.prefill)

    def take_answer(self, answer: Answer) -> None:
        """Count a finished answer."""
        self.answers.labels(answer.mode.value, answer.state.value).inc()
        tokens = answer.tokens
        self._take_tokens(tokens.get("prompt", 0), tokens.get("reused", 0), tokens.get("completion", 0))
        if "first_token" in answer.timings:
            self.first.observe(answer.timings["first_token"])

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self._registry)

    def _take_tokens(self, prompt: int, reused: int, completion: int) -> None:
        for kind, count in (("prompt", prompt), ("reused", reused), ("completion", completion)):
            self.tokens.labels(kind).inc(count)


class Meter:
    """Counts every request by the template of its route, those that were turned away included."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it when it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "500"
        started = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            # A path that is no route must not become a label: anybody could make as many as they like.
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD", "OPTIONS"} else "other"
            self._metrics.requests.labels(route, method, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
