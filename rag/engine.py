"""The in-process generator: llama.cpp owned by one worker thread, streamed to any number of readers.

Questions wait in a bounded queue, callers in turn; ``engine.parallel`` of them are answered at once, one by default.
Greedy decoding with no repeat penalty by default; equal requests give equal bytes, warm or cold, when they run alone.
"""

import hashlib
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Protocol, Self, TypeVar

import platformdirs

from rag.engine_baking import Bake
from rag.engine_generate import Generate
from rag.engine_grading import ChooseEach
from rag.engine_streams import Streams
from rag.engine_tasks import Choose, Engine, Score
from rag.errors import EngineError, PromptTooLongError
from rag.gguf import available_memory, estimate_memory
from rag.json_grammar import grammar_for
from rag.kv_disk import DiskTier
from rag.kv_store import KVStore
from rag.passage_cache import PassageCache
from rag.passages import PromptTokens
from rag.prompt_cache import CPU_ROWS, Decoder
from rag.protocols import GenerationRequest, TokenScore
from rag.settings import EngineSettings
from rag.streaming import Channel, PieceStream
from rag.types import Message
from rag.worker import Task, Worker

_MEGABYTE = 1_000_000

Outcome = TypeVar("Outcome")


class Awaited(Task[Engine], Protocol[Outcome]):
    """A task with a result that somebody waits for."""

    outcome: Future[Outcome]


class LlamaEngine:
    """A Generator over one GGUF file. Loads in the background; the first question waits for it.

    Every method may be called from any thread. Use it as a context manager or call ``close``.
    """

    def __init__(self, path: Path, *, model_id: str, model_hash: str, settings: EngineSettings) -> None:
        self._model_id = model_id
        self._model_hash = model_hash
        self._context_size = settings.context_size
        self._worker: Worker[Engine] = Worker(
            partial(_load, path, model_hash, settings), limit=settings.queue_size, name=f"llama {model_id}"
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

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """The token ids that a prompt is read as, for measurements."""
        return self._worker.model().prompt(messages)

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
        contrast = self._prompt(request.contrast, 2 * request.max_tokens + len(tokens)) if request.contrast else None
        task = Generate(request, tokens, channel, grammar=grammar, contrast=contrast)
        channel.on_cancel = lambda: task.stop() if self._worker.drop(task) else None
        stream = PieceStream(channel)
        self._worker.submit(task)
        return stream

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """Probabilities of the options' first tokens, summing to 1, from one forward pass.

        Raises:
            PromptTooLongError: the prompt does not fit.
            EngineError: no options, an empty one, or two that begin with the same token.
        """
        return self._wait_for(Choose(self._prompt(messages, 1), self._heads(options)))

    def choose_each(self, prompts: Sequence[Sequence[Message]], options: Sequence[str]) -> list[list[float]]:
        """What ``choose`` gives for each prompt, up to rounding, with all prompts read side by side.

        Prompts whose beginnings were read before (a passage, then the question) cost only their ends.

        Raises:
            PromptTooLongError, EngineError: as ``choose``.
        """
        task = ChooseEach([self._prompt(messages, 1, is_cut=True) for messages in prompts], self._heads(options))
        return self._wait_for(task)

    def bake(self, messages: Sequence[Message], *, is_trial: bool = False) -> int:
        """Compute and store what is missing of the states of a prompt's passages (rag.passage_cache).

        Returns:
            How many tokens were missing; with ``is_trial`` they still are.

        Raises:
            PromptTooLongError: the prompt does not fit.
            EngineError: it holds no passage.
        """
        tokens = self._prompt(messages, 1, is_cut=True)
        return self._wait_for(Bake(tokens, is_trial=is_trial))

    def score(self, messages: Sequence[Message], continuation: str) -> list[TokenScore]:
        """Log-probabilities of the tokens of ``continuation`` as the reply to ``messages``.

        Raises:
            PromptTooLongError: the prompt does not fit with the continuation.
        """
        given = self._worker.model().model.tokenize(continuation, special=False)
        return self._wait_for(Score(self._prompt(messages, len(given)), given))

    def close(self) -> None:
        """Cancel what runs and waits, stop the worker, free the model. Idempotent."""
        self._closer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _heads(self, options: Sequence[str]) -> list[int]:
        """The first token of each option."""
        tokenize = self._worker.model().model.tokenize
        heads = [tokenize(option, special=False)[:1] for option in options]
        first = [head[0] for head in heads if head]
        if not options or len(set(first)) != len(options):
            raise EngineError(f"The options {list(options)} must begin with different tokens. Use other words.")
        return first

    def _wait_for(self, task: Awaited[Outcome]) -> Outcome:
        self._worker.submit(task)
        try:
            return task.outcome.result()
        finally:
            # After Ctrl-C here nobody waits for it any more.
            task.cancel()

    def _prompt(self, messages: Sequence[Message], max_tokens: int, *, is_cut: bool = False) -> PromptTokens:
        tokens = self._worker.model().prompt(messages, is_cut=is_cut)
        if len(tokens) + max_tokens > self._context_size:
            raise PromptTooLongError(
                f"The prompt has {len(tokens)} tokens; with {max_tokens} for the answer that exceeds the context of "
                f"{self._context_size}. Use fewer passages, a lower generation.max_tokens or a larger "
                "engine.context_size."
            )
        return tokens


def _load(path: Path, model_hash: str, settings: EngineSettings) -> Engine:
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
    from rag.llama_adapter import STREAMS, LlamaModel, build_name

    model = LlamaModel(path, settings)
    rows = CPU_ROWS if settings.gpu_layers == 0 else settings.batch_size
    store = _store(f"{model_hash}\n{build_name()}\n{settings.bits()}", settings)
    cache = _cache(model, rows, store, settings)
    streams = Streams(model, cache, limit=settings.parallel, cells=settings.context_size, first=STREAMS)
    return Engine(model, cache, streams)


def _cache(model: Decoder, rows: int, store: KVStore, settings: EngineSettings) -> PassageCache:
    """What reads prompts: exactly, or approximately from the states of known passages."""
    from rag.llama_adapter import GRADED

    return PassageCache(
        model,
        rows=rows,
        store=store,
        sequences=GRADED,
        is_exact=settings.exact_reuse,
        is_approximate=settings.passage_reuse != "off",
        recomputed=settings.recompute_tokens if settings.passage_reuse == "mixed" else None,
    )


def _store(origin: str, settings: EngineSettings) -> KVStore:
    """Where states are kept between prompts; ``origin`` is what their bits depend on besides the tokens."""
    below = None
    if settings.disk_cache_mb:
        folder = Path(platformdirs.user_cache_dir("mingbai")) / "kv"
        below = DiskTier(folder, budget=settings.disk_cache_mb * _MEGABYTE)
    return KVStore(settings.cache_mb * _MEGABYTE, root=hashlib.sha256(origin.encode()).digest(), below=below)
