"""The server as one ASGI application. The adapter of FastAPI's offline documentation page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from starlette.datastructures import MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.notebook import Notebook
from ui.serve import chat, embeddings, health, notes
from ui.serve.errors import ErrorBody, Json, install
from ui.serve.guard import MAX_BODY_BYTES, Access, Guard
from ui.serve.metrics import Meter
from ui.serve.state import serving

# A long answer on a slow processor takes a minute or two.
REQUEST_SECONDS = 600.0
# The page may load and call nothing but this server; Swagger starts from a script inside the page.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ROUTERS: tuple[APIRouter, ...] = (chat.router, embeddings.router, notes.router, health.metrics_router)


def create_app(notebook: Notebook, access: Access, *, seconds: float = REQUEST_SECONDS) -> FastAPI:
    """The application over a notebook, which stays the caller's.

    Args:
        notebook: the notes and the models.
        access: who may use it.
        seconds: how long one request may take.

    As many requests are taken at once as the engine's queue holds (``engine.queue_size``).
    """
    shared = serving(notebook, limit=notebook.settings.engine.queue_size, seconds=seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        shared.gate.open()
        shared.warmth.start()
        yield
        shared.gate.close()

    app = FastAPIOffline(
        redoc_url=None,
        title="Mingbai",
        summary="Ask your own notes, on your own machine.",
        version="1",
        lifespan=lifespan,
        default_response_class=Json,
        # An environment variable must not make a private server report to a collector.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        swagger_ui_parameters={"validatorUrl": None},
        responses={"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}},
    )
    app.state.serving = shared
    for router in _ROUTERS:
        app.include_router(router, dependencies=[Depends(HTTPBearer(auto_error=False))])
    app.include_router(health.router)
    install(app)
    # Added last is asked first.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES)
    app.add_middleware(Guard, access=access)
    app.add_middleware(Hardened)
    app.add_middleware(Meter, metrics=shared.metrics)
    return app


class Hardened:
    """Sets headers that keep browsers from doing more with an answer than showing it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to its answer."""
        await self._app(scope, receive, _hardening(send) if scope["type"] == "http" else send)


def _hardening(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def harden(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = _POLICY
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return harden
