"""What went wrong, as OpenAI's clients read it: ``{"error": {"message", "type", "param", "code"}}``."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from rag.errors import (
    EndpointError,
    GenerationCancelledError,
    MingbaiError,
    PromptTooLongError,
    QueueFullError,
    UsageError,
)
from ui.serve.gate import GateFullError, TimeLimitError

# nginx's word for "the client went away"; nobody reads it, but the metrics show it.
CLIENT_GONE = 499

_log = logging.getLogger(__name__)
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class ClientGoneError(Exception):
    """The client closed its connection while it waited."""


class UnusableReplyError(Exception):
    """The model wrote something else than the client asked for."""


class ErrorDetail(BaseModel):
    """What is wrong, with which parameter, under which code."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorDetail


class Json(JSONResponse):
    """JSON in ASCII: half a surrogate pair from a note or a client can be sent back, too."""

    def render(self, content: object) -> bytes:
        """Encode a value."""
        return dump(content).encode()


# Status, code and parameter. The first class that fits counts, so subclasses stand before their bases.
_KNOWN: Mapping[type[Exception], tuple[int, str | None, str | None]] = {
    TimeLimitError: (504, "time_limit", None),
    ClientGoneError: (CLIENT_GONE, "client_gone", None),
    UnusableReplyError: (422, "unusable_reply", "response_format"),
    QueueFullError: (429, "queue_full", None),
    PromptTooLongError: (400, "context_length_exceeded", "messages"),
    UsageError: (400, "invalid_value", None),
    EndpointError: (502, "endpoint", None),
    GenerationCancelledError: (503, "cancelled", None),
    MingbaiError: (503, None, None),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that is not a success."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """The JSON body."""
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        """The whole answer."""
        challenge = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        return Json(self.body(), status_code=self.status, headers={**challenge, **self.headers})


def dump(content: object) -> str:
    """JSON on one line, in ASCII."""
    return json.dumps(content, allow_nan=False, separators=(",", ":"))


def problem_of(error: Exception) -> Problem:
    """How an error is told to a client. One that was not raised on purpose keeps its text to itself."""
    if isinstance(error, GateFullError):
        return Problem(429, str(error), "queue_full", headers={"Retry-After": str(error.retry_after)})
    for kind, (status, code, param) in _KNOWN.items():
        if isinstance(error, kind):
            return Problem(status, str(error), code or type(error).__name__, param)
    _log.error("A request failed", exc_info=error)
    return Problem(500, "Something unexpected went wrong. The terminal of the server has the details.")


def install(app: FastAPI) -> None:
    """Make every error of the application look like this."""
    for kind in (MingbaiError, GateFullError, TimeLimitError, ClientGoneError, UnusableReplyError):
        app.add_exception_handler(kind, _respond)
    app.add_exception_handler(HTTPException, _respond_http)
    app.add_exception_handler(RequestValidationError, _respond_invalid)
    app.add_exception_handler(Exception, _respond)


async def _respond(_: Request, error: Exception) -> Response:
    return problem_of(error).response()


async def _respond_http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return Problem(error.status_code, str(error.detail), headers=error.headers or {}).response()


async def _respond_invalid(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    return Problem(400, f"{place or 'The body'}: {first['msg']}.", "invalid_value", place or None).response()
