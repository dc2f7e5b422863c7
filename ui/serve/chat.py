"""``/v1/chat/completions`` and ``/v1/models``."""

from collections.abc import AsyncIterator, Iterator

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from ui.serve.chat_prompt import plan_chat
from ui.serve.chat_schema import ChatRequest
from ui.serve.chat_text import Ended, Item, converse
from ui.serve.chat_wire import Completion, Envelope, chunks, completion
from ui.serve.errors import Json, Problem
from ui.serve.gate import Cancellation
from ui.serve.metrics import Metrics
from ui.serve.replies import EventStream, collect, opened, stream_content, unnamed
from ui.serve.state import Serving, Shared, caller_of

# Clients that cannot be told a model's name may ask for this one.
ALIAS = "mingbai"
_FINGERPRINT_CHARS = 12

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class Model(BaseModel):
    """A model that this server has."""

    id: str
    object: str
    created: int
    owned_by: str


class Models(BaseModel):
    """All models of this server."""

    object: str
    data: list[Model]


@router.get("/models", response_model=Models)
def list_models(serving: Shared) -> dict[str, object]:
    """The language model and the embedding model."""
    return {"object": "list", "data": [_model(name, serving) for name in _names(serving)]}


@router.get("/models/{name}", response_model=Model)
def show_model(name: str, serving: Shared) -> Response:
    """One model."""
    if name not in _names(serving):
        return unknown_model(name, *_names(serving)).response()
    return Json(_model(name, serving))


@router.post(
    "/chat/completions",
    response_model=Completion,
    responses={200: {"content": stream_content()}},
)
async def complete_chat(body: ChatRequest, request: Request, serving: Shared) -> Response:
    """Continue a chat with the language model alone; the notes are not consulted.

    With ``stream`` the answer is a stream of chunks. ``temperature``, ``top_p`` and ``seed`` come from the settings
    when they are not given. A ``json_schema`` is always enforced; ``tool_choice: required`` forces one call.
    """
    generator = serving.notebook.generator
    if body.model not in (generator.model_id, ALIAS):
        return unknown_model(body.model, generator.model_id).response()

    def work(cancellation: Cancellation) -> Iterator[Item]:
        plan = plan_chat(body, serving.notebook.settings, generator)
        yield from _counted(converse(generator, plan, cancellation), serving.metrics)

    running = serving.gate.run(work, caller_of(request, body.user))
    envelope = Envelope(generator.model_id, f"fp_{generator.model_hash[:_FINGERPRINT_CHARS]}")
    if body.stream:
        options = body.stream_options
        include_usage = options is not None and options.include_usage is True
        items: AsyncIterator[Item] = await opened(request, running)
        return EventStream(running, unnamed(chunks(envelope, items, include_usage=include_usage)))
    return Json(completion(envelope, await collect(request, running)))


def unknown_model(name: str, *known: str) -> Problem:
    """The answer to a request for a model that is not here."""
    message = f"There is no model {name[:100]!r} here. Use {' or '.join(map(repr, known))}."
    return Problem(404, message, "model_not_found", "model")


def _counted(items: Iterator[Item], metrics: Metrics) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Ended):
            metrics.take_generation(item.generation)
        yield item


def _names(serving: Serving) -> list[str]:
    return [serving.notebook.generator.model_id, serving.notebook.embedder.model_id]


def _model(name: str, serving: Serving) -> dict[str, object]:
    return {"id": name, "object": "model", "created": serving.started, "owned_by": "local"}
