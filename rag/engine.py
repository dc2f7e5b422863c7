"""The in-process generator: llama.cpp owned by one worker thread, streamed to any number of readers.

Questions wait in a bounded first-in, first-out queue and hold the engine for their whole stream.
Greedy decoding with no repeat penalty by default; equal requests give equal bytes, warm or cold.
"""

import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Self

import numpy as np

from rag.chat_format import render
from rag.decoding import AnswerText, pick
from rag.errors import EngineError, GenerationCancelledError, PromptTooLongError
from rag.gguf import available_memory, estimate_memory
from rag.json_grammar import grammar_for
from rag.prompt_cache import CPU_ROWS, PromptCache
from rag.protocols import Generation, GenerationRequest
from rag.settings import EngineSettings
from rag.streaming import Channel, Finish, PieceStream
from rag.types import Message
from rag.worker import Worker

if TYPE_CHECKING:
    from rag.llama_adapter import Grammar, LlamaModel


class Engine:
    """What the worker owns: the model and what its KV cache holds."""

    def __init__(self, model: "LlamaModel", rows: int) -> None:
        self.model = model
        self.cache = PromptCache(model, rows=rows)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of a chat. Safe from any thread."""
        tokens = list(self.model.begin)
        for segment in render(messages, self.model.template, self.model.end_text):
            tokens += self.model.tokenize(segment.text, special=segment.is_frame)
        return tokens

    def close(self) -> None:
        """Free the model."""
        self.model.close()


class LlamaEngine:
    """A Generator over one GGUF file. Loads in the background; the first question waits for it.

    Every method may be called from any thread. Use it as a context manager or call ``close``.
    """

    def __init__(self, path: Path, *, model_id: str, model_hash: str, settings: EngineSettings) -> None:
        self._model_id = model_id
        self._model_hash = model_hash
        self._context_size = settings.context_size
        self._worker: Worker[Engine] = Worker(
            partial(_load, path, settings), limit=settings.queue_size, name=f"llama {model_id}"
        )
        # Also at interpreter exit: a daemon thread must not be inside llama.cpp when the libraries go.
        self._closer = weakref.finalize(self, self._worker.close)

    @property
    def model_id(self) -> str:
        """The catalogue id of the model."""
        return self._model_id

    @property
    def model_hash(self) -> str:
        """The sha256 of its weights."""
        return self._model_hash

    @property
    def context_size(self) -> int:
        """Tokens that prompt and answer may use together."""
        return self._context_size

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded. False while it loads, when it failed to, and after ``close``."""
        return self._worker.is_ready

    def count_tokens(self, text: str) -> int:
        """The number of tokens of a plain text. Does not wait for running generations."""
        return len(self._worker.model().model.tokenize(text, special=False))

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> PieceStream:
        """Queue a request; its pieces can be read at once.

        Raises:
            PromptTooLongError: prompt and ``max_tokens`` exceed the context together.
            EngineError: bad request, schema that is no grammar, full queue, or a model that did not load.
        """
        if request.max_tokens < 1 or request.temperature < 0 or not 0 < request.top_p <= 1:
            raise EngineError(
                f"max_tokens {request.max_tokens} must be at least 1, temperature {request.temperature} at least 0, "
                f"top_p {request.top_p} within (0, 1]. Change the request."
            )
        grammar = None if request.json_schema is None else grammar_for(request.json_schema)
        tokens = self._prompt(request.messages, request.max_tokens)
        channel = Channel(cancel)
        task = _Generate(request, tokens, grammar, channel)
        channel.on_cancel = lambda: task.cancelled_while_waiting() if self._worker.drop(task) else None
        stream = PieceStream(channel)
        self._worker.submit(task)
        return stream

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """Probabilities of the options' first tokens, summing to 1, from one forward pass.

        Raises:
            PromptTooLongError: the prompt does not fit.
            EngineError: no options, an empty one, or two that begin with the same token.
        """
        tokenize = self._worker.model().model.tokenize
        heads = [tokenize(option, special=False)[:1] for option in options]
        first = [head[0] for head in heads if head]
        if not options or len(set(first)) != len(options):
            raise EngineError(f"The options {list(options)} must begin with different tokens. Use other words.")
        task = _Choose(self._prompt(messages, 1), first)
        self._worker.submit(task)
        try:
            return task.outcome.result()
        finally:
            # After Ctrl-C here nobody waits for it any more.
            task.cancel()

    def close(self) -> None:
        """Cancel what runs and waits, stop the worker, free the model. Idempotent."""
        self._closer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prompt(self, messages: Sequence[Message], max_tokens: int) -> list[int]:
        tokens = self._worker.model().prompt(messages)
        if len(tokens) + max_tokens > self._context_size:
            raise PromptTooLongError(
                f"The prompt has {len(tokens)} tokens; with {max_tokens} for the answer that exceeds the context of "
                f"{self._context_size}. Use fewer passages, a lower generation.max_tokens or a larger "
                "engine.context_size."
            )
        return tokens


class _Generate:
    """One streamed generation."""

    def __init__(self, request: GenerationRequest, tokens: list[int], grammar: str | None, channel: Channel) -> None:
        self._request = request
        self._tokens = tokens
        self._grammar = grammar
        self._channel = channel
        self._rng = np.random.default_rng(request.seed % 2**64)
        self._completion = 0
        self._reused = 0
        # When it was asked, when the worker took it, when the first token was there.
        self._times = [perf_counter()]

    def run(self, model: Engine) -> None:
        self._times.append(perf_counter())
        grammar = None if self._grammar is None else model.model.grammar(self._grammar)
        try:
            reused = model.cache.prefill(self._tokens, lambda: self._channel.is_cancelled)
            self._reused = reused or 0
            self._finish("cancelled" if reused is None else self._decode(model.model, grammar))
        finally:
            if grammar is not None:
                grammar.close()

    def fail(self, error: EngineError) -> None:
        self._channel.finish(error)

    def cancel(self) -> None:
        self._channel.cancel()

    def cancelled_while_waiting(self) -> None:
        self._finish("cancelled")

    def _decode(self, model: "LlamaModel", grammar: "Grammar | None") -> Finish:
        text = AnswerText(self._request.stop)
        position = len(self._tokens)
        while not self._channel.is_cancelled:
            token = self._next_token(model, grammar)
            if not self._completion:
                self._times.append(perf_counter())
            if model.is_end(token):
                self._channel.put(text.close())
                return "stop"
            self._completion += 1
            self._channel.put(text.push(token, model.piece(token)))
            if text.finish is not None:
                return text.finish
            if self._completion == self._request.max_tokens:
                self._channel.put(text.close())
                return "length"
            model.decode([token], position)
            position += 1
        return "cancelled"

    def _next_token(self, model: "LlamaModel", grammar: "Grammar | None") -> int:
        """Draw freely first and mask only when the grammar refuses: the same distribution, far cheaper."""
        draw = partial(pick, temperature=self._request.temperature, top_p=self._request.top_p, rng=self._rng)
        token = draw(model.logits())
        if grammar is not None:
            if not grammar.allows(token):
                token = draw(grammar.mask(model.logits()))
            if not model.is_end(token):
                grammar.accept(token)
        return token

    def _finish(self, finish: Finish) -> None:
        now = perf_counter()
        asked, taken, first = (self._times + [now] * 2)[:3]
        self._channel.finish(
            Generation(
                text=self._channel.text,
                finish=finish,
                prompt_tokens=len(self._tokens),
                completion_tokens=self._completion,
                reused_tokens=self._reused,
                queued=taken - asked,
                prefill=first - taken,
                decode=now - first,
            )
        )


class _Choose:
    """One forward pass whose last scores are read, without sampling."""

    def __init__(self, tokens: list[int], options: list[int]) -> None:
        self.outcome: Future[list[float]] = Future()
        self._tokens = tokens
        self._options = options
        self._cancelled = False

    def run(self, model: Engine) -> None:
        if self._cancelled or model.cache.prefill(self._tokens, lambda: self._cancelled) is None:
            raise GenerationCancelledError("The choice was cancelled.")
        scores = model.model.logits()[self._options].astype(np.float64)
        weights = np.exp(scores - scores.max())
        self.outcome.set_result((weights / weights.sum()).tolist())

    def fail(self, error: EngineError) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)

    def cancel(self) -> None:
        self._cancelled = True


def _load(path: Path, settings: EngineSettings) -> Engine:
    if not path.is_file():
        raise EngineError(f"There is no model file {path}. Get it: mingbai models pull")
    needed = estimate_memory(path, settings.context_size, settings.kv_type)
    available = available_memory()
    if not settings.gpu_layers and available is not None and needed > available:
        raise EngineError(
            f"{path.name} needs about {needed / 1e9:.1f} GB with a context of {settings.context_size} tokens, "
            f"{available / 1e9:.1f} GB are free. Close programs, lower engine.context_size or use a smaller model."
        )
    # Imported here: loading the native library is heavy, and only this thread needs it.
    from rag.llama_adapter import LlamaModel

    model = LlamaModel(path, settings)
    return Engine(model, CPU_ROWS if settings.gpu_layers == 0 else settings.batch_size)
