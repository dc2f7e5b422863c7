"""Waiting for running work on behalf of a client: all at once, or as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import TypeVar

from fastapi import Request
from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ui.serve.errors import ClientGoneError, dump, problem_of
from ui.serve.gate import Running

T = TypeVar("T")
R = TypeVar("R")

# Proxies must not keep events back, and nobody may keep answers about private notes.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def stream_content(*names: str) -> dict[str, object]:
    """How the API describes a stream of events of these types, or of no type: as in OpenAPI 3.2."""
    event: dict[str, object] = {"data": {"type": "string", "contentMediaType": "application/json"}}
    if names:
        event["event"] = {"enum": list(names)}
    schema = {"type": "object", "properties": event, "required": list(event)}
    return {"text/event-stream": {"itemSchema": schema}}


async def collect(request: Request, running: Running[T]) -> list[T]:
    """Wait for all items; the work is cancelled when the client goes away.

    Raises:
        ClientGoneError: it did.
        Exception: whatever the work raised.
    """

    async def items() -> list[T]:
        return [item async for item in running]

    return await _unless_gone(request, running, items())


async def opened(request: Request, running: Running[T]) -> AsyncIterator[T]:
    """Wait for the first item, so that what fails before it can still be told by the status of the answer.

    Raises:
        ClientGoneError: the client went away, or the server stops.
        Exception: whatever the work raised before its first item.
    """

    async def first() -> T:
        async for item in running:
            return item
        raise ClientGoneError

    item = await _unless_gone(request, running, first())

    async def items() -> AsyncIterator[T]:
        yield item
        async for following in running:
            yield following

    return items()


async def _unless_gone(request: Request, running: Running[T], wanted: Coroutine[None, None, R]) -> R:
    result, gone = asyncio.ensure_future(wanted), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({result, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise ClientGoneError
        return result.result()
    except BaseException:
        running.cancel()
        raise
    finally:
        result.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    """Wait until the client closes the connection; its body was read already."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """Server-sent events made of running work, which ends with the connection."""

    media_type = "text/event-stream"

    def __init__(self, running: Running[T], events: AsyncIterator[bytes]) -> None:
        super().__init__(events, headers=_HEADERS)
        self._cancel = running.cancel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until they or the client are done."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._cancel()


async def unnamed(values: AsyncIterator[dict[str, object]]) -> AsyncIterator[bytes]:
    """OpenAI's form: a value an event, ``[DONE]`` at the end; an error is a value, and then there is no ``[DONE]``."""
    try:
        async for value in values:
            yield format_sse_event(data_str=dump(value))
    except Exception as error:  # noqa: BLE001 - the status is sent already
        yield format_sse_event(data_str=dump(problem_of(error).body()))
        return
    yield format_sse_event(data_str="[DONE]")


async def named(values: AsyncIterator[tuple[str, dict[str, object]]]) -> AsyncIterator[bytes]:
    """Typed events; a failure is an event of the type "error", and the last one."""
    try:
        async for name, value in values:
            yield format_sse_event(event=name, data_str=dump(value))
    except Exception as error:  # noqa: BLE001 - the status is sent already
        yield format_sse_event(event="error", data_str=dump(problem_of(error).body()))
