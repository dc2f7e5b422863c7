"""``/v1/notes``: search the notes and ask them, with modes and citations."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from rag.notebook import MAX_QUESTION_CHARS, LegName
from rag.types import Answer, Checked, Draft, Event, Mode, Passage, Stage
from ui.serve.chat_schema import Body
from ui.serve.errors import Json
from ui.serve.gate import Cancellation
from ui.serve.replies import EventStream, collect, named, opened, stream_content
from ui.serve.state import Serving, Shared, caller_of

MAX_K = 100
MAX_TURNS = 50
# An answer of the assistant in the history may be long; a question may not.
MAX_ANSWER_CHARS = 20_000

Question = Annotated[str, Field(min_length=1, max_length=MAX_QUESTION_CHARS)]

router = APIRouter(prefix="/v1/notes", tags=["Notes"])


class SearchRequest(Body):
    """A question, how many passages, and which way of searching."""

    question: Question
    k: Annotated[int, Field(ge=0, le=MAX_K)] | None = None
    leg: LegName = "hybrid"


class Found(BaseModel):
    """Passages, best first."""

    passages: list[Passage]


class Turn(Body):
    """An earlier question and its answer."""

    question: Question
    answer: Annotated[str, Field(max_length=MAX_ANSWER_CHARS)]


class AskRequest(Body):
    """A question about the notes. ``history`` holds earlier turns, oldest first, for follow-up questions."""

    question: Question
    mode: Mode = Mode.RCG
    history: Annotated[tuple[Turn, ...], Field(max_length=MAX_TURNS)] = ()
    stream: bool = False


@router.post("/search", response_model=Found)
async def search(body: SearchRequest, request: Request, serving: Shared) -> Response:
    """Find the passages that fit a question best, without a language model."""

    def work(cancellation: Cancellation) -> Iterator[list[Passage]]:
        yield serving.notebook.search(body.question, body.k, leg=body.leg)

    (passages,) = await collect(request, serving.gate.run(work))
    return Json({"passages": [asdict(passage) for passage in passages]})


@router.post(
    "/ask",
    response_model=Answer,
    responses={200: {"content": stream_content("stage", "draft", "sentence", "answer", "error")}},
)
async def ask(body: AskRequest, request: Request, serving: Shared) -> Response:
    """Answer a question. ``rcg`` shows only what the notes support, ``rag`` mixes and marks, ``rog`` does not search.

    With ``stream`` the answer is a stream of events: ``stage`` (what is being done), ``draft`` (text before it was
    checked; never in rcg), ``sentence`` (a checked sentence with its citations), and last ``answer`` (all of it) or
    ``error``.
    """
    running = serving.gate.run(lambda cancellation: answer_events(serving, body, cancellation), caller_of(request))
    if body.stream:
        return EventStream(running, named(_typed(await opened(request, running))))
    *_, answer = await collect(request, running)
    return Json(_value(answer)[1])


def answer_events(serving: Serving, body: AskRequest, cancellation: Cancellation) -> Iterator[Event | Answer]:
    """The events of an answer that may be shown in its mode, then the answer."""
    history = [(turn.question, turn.answer) for turn in body.history]
    stream = serving.notebook.stream(body.question, body.mode.value, history)
    cancellation.follow(stream)
    for event in stream:
        if body.mode is not Mode.RCG or not isinstance(event, Draft):
            yield event
    answer = stream.result
    serving.metrics.take_answer(answer)
    yield answer


async def _typed(events: AsyncIterator[Event | Answer]) -> AsyncIterator[tuple[str, dict[str, object]]]:
    async for event in events:
        yield _value(event)


def _value(event: Event | Answer) -> tuple[str, dict[str, object]]:
    """The name of an event and its JSON values."""
    match event:
        case Stage():
            return "stage", asdict(event)
        case Draft():
            return "draft", asdict(event)
        case Checked(sentence):
            return "sentence", asdict(sentence)
        case Answer():
            return "answer", event.to_dict()
