"""The seams of Mingbai. Each Protocol has one contract test that runs over all its implementations."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rag.types import Message, Passage

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns text into vectors of one dimension, L2-normalised."""

    @property
    def model_id(self) -> str:
        """The catalogue id of the model."""

    @property
    def model_hash(self) -> str:
        """The hash that identifies the weights."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    def embed_documents(self, titles: Sequence[str], texts: Sequence[str]) -> Vectors:
        """Embed passages with their titles (breadcrumbs). Shape (n, dimension), input order kept; n = 0 is allowed."""

    def embed_query(self, text: str) -> Vectors:
        """Embed a question. Shape (dimension,)."""


class DenseIndex(Protocol):
    """Nearest vectors. Rows are numbered 0..n-1 in the order in which they were added."""

    def search(self, query: Vectors, k: int) -> list[tuple[int, float]]:
        """The best ``min(k, n)`` rows as (row, score), best first; ties by row. Empty for k <= 0 or n = 0."""


@runtime_checkable
class Closeable(Protocol):
    """What holds files or threads."""

    def close(self) -> None:
        """Let go of them. Idempotent."""


class LexicalIndex(Protocol):
    """BM25 over token lists. Rows as in DenseIndex; only rows that share a token with the query are returned."""

    def search(self, tokens: Sequence[str], k: int) -> list[tuple[int, float]]:
        """The best rows as (row, score), best first; ties by row. Empty for k <= 0 or n = 0."""


class Reranker(Protocol):
    """Scores question and passage together."""

    def rerank(
        self, question: str, passages: Sequence[Passage], check: Callable[[], None] = lambda: None
    ) -> list[Passage]:
        """The same passages, best first, ranks and scores rewritten. What ``check`` raises before a read ends it."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What a generator is asked for. ``temperature`` 0 is greedy; ``json_schema`` constrains the output.

    ``contrast`` is the same request without its evidence. With it every token is drawn from the scores
    (1 + w) · with − w · without, w being ``contrast_weight`` (context-aware decoding, Shi et al. 2023).
    """

    messages: tuple[Message, ...]
    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    json_schema: str | None = None
    contrast: tuple[Message, ...] = ()
    contrast_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Generation:
    """A finished generation. ``finish`` is "stop", "length", "repetition" or "cancelled".

    Seconds: ``queued`` before the worker took it, ``prefill`` until the first token, ``decode`` after it.
    ``reused_tokens`` of the prompt were already in the cache.
    """

    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    reused_tokens: int
    queued: float
    prefill: float
    decode: float


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A token of a given text: its bytes and the natural log of its probability (0 or less)."""

    piece: bytes
    log_probability: float


class GenerationStream(Protocol):
    """Pieces of text as they are decoded; ``result`` is there once the iteration has ended."""

    def __iter__(self) -> Iterator[str]:
        """Pieces in order; they join to ``result.text``."""

    @property
    def result(self) -> Generation:
        """The finished generation. Raises EngineError while it still runs."""

    def cancel(self) -> None:
        """Stop it now, queued or running. Idempotent."""


class Generator(Protocol):
    """A language model that continues a chat."""

    @property
    def model_id(self) -> str:
        """What the trace calls the model."""

    @property
    def model_hash(self) -> str:
        """The hash of its weights, or the address of an endpoint."""

    @property
    def context_size(self) -> int:
        """Tokens that prompt and answer may use together."""

    def count_tokens(self, text: str) -> int:
        """The number of tokens of a plain text (an upper estimate where the tokenizer is remote)."""

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> GenerationStream:
        """Queue a request. Raises PromptTooLongError before any work when the prompt does not fit."""

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """Probabilities (summing to 1 over ``options``) that the reply begins with each option, from one forward pass.

        Raises EngineError where the backend cannot tell.
        """

    def close(self) -> None:
        """Stop the worker and free the model. Idempotent."""


@runtime_checkable
class Scorer(Protocol):
    """A generator that can also tell how likely a given text is. Remote endpoints cannot."""

    def score(self, messages: Sequence[Message], continuation: str) -> list[TokenScore]:
        """Scores of the tokens of ``continuation`` as the reply to ``messages``, in order; their pieces join to it."""


@runtime_checkable
class Grader(Protocol):
    """A generator that can put one question to several prompts in one pass. Remote endpoints cannot."""

    def choose_each(self, prompts: Sequence[Sequence[Message]], options: Sequence[str]) -> list[list[float]]:
        """What ``choose`` gives for each prompt, up to rounding."""
