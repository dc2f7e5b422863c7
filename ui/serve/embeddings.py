"""``/v1/embeddings``: the vectors that the notes are searched with."""

import base64
from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from rag.chat_completions import estimate_tokens
from rag.errors import UsageError
from rag.protocols import Embedder, Vectors
from ui.serve.chat import ALIAS, unknown_model
from ui.serve.chat_schema import Body
from ui.serve.errors import Json
from ui.serve.gate import Cancellation
from ui.serve.replies import collect
from ui.serve.state import Shared

MAX_INPUTS = 256
MAX_INPUT_CHARS = 8000
# Cancelling takes effect between slices; on a CPU one text takes about a quarter of a second.
_SLICE = 2

Input = Annotated[str, Field(min_length=1, max_length=MAX_INPUT_CHARS)]

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class EmbeddingRequest(Body):
    """Texts to embed. Questions and passages lie in one space, but are embedded differently: say which they are."""

    model: str
    input: Input | Annotated[list[Input], Field(min_length=1, max_length=MAX_INPUTS)]
    input_type: Literal["query", "document"] = "document"
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: str | None = None


class Embedding(BaseModel):
    """An L2-normalised vector: numbers, or base64 of little-endian float32."""

    object: str
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Tokens, as an upper estimate."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    """The vectors in input order."""

    object: str
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


@router.post("/embeddings", response_model=Embeddings)
async def embed(body: EmbeddingRequest, request: Request, serving: Shared) -> Response:
    """Embed texts. ``input_type`` is "document" unless it is given."""
    embedder = serving.notebook.embedder
    if body.model not in (embedder.model_id, ALIAS):
        return unknown_model(body.model, embedder.model_id).response()
    if body.dimensions not in (None, embedder.dimension):
        raise UsageError(f"The vectors of {embedder.model_id} have {embedder.dimension} dimensions.")
    texts = [body.input] if isinstance(body.input, str) else body.input

    def work(cancellation: Cancellation) -> Iterator[Vectors]:
        yield from _slices(embedder, texts, body.input_type)

    vectors = np.concatenate(await collect(request, serving.gate.run(work)))
    tokens = sum(map(estimate_tokens, texts))
    return Json(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": _encode(vector, body.encoding_format)}
                for index, vector in enumerate(vectors)
            ],
            "model": embedder.model_id,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _slices(embedder: Embedder, texts: list[str], kind: str) -> Iterator[Vectors]:
    for start in range(0, len(texts), _SLICE):
        part = texts[start : start + _SLICE]
        if kind == "query":
            yield np.stack([embedder.embed_query(text) for text in part])
        else:
            yield embedder.embed_documents([""] * len(part), part)


def _encode(vector: Vectors, encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(number) for number in vector]
