"""The only module that imports llama_cpp (but for a yardstick in evals.bench): one model, one context, a few sequences.

Not thread-safe except where said. Built on the low-level API, so that no score matrix is allocated,
a batch is filled through numpy, and the KV cache stays under our control.
"""

import ctypes
import os
import threading
from collections import deque
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from rag.decoding import Logits
from rag.errors import EngineError
from rag.kv_store import State
from rag.processor import thread_count
from rag.prompt_cache import CPU_ROWS
from rag.settings import EngineSettings

_KV_TYPES = {"f16": llama.GGML_TYPE_F16, "q8_0": llama.GGML_TYPE_Q8_0, "q4_0": 2}
_NO_MEMORY_SLOT = 1
# Sequence 0 holds the last prompt; several short readings side by side use the first GRADED. States pass through
# SCRATCH. Running answers have two sequences each from STREAMS on, the second for context-aware decoding. All share
# the context's cells.
GRADED = 16
SCRATCH = GRADED
STREAMS = SCRATCH + 1
# Rows of one batch that may all be read: each holds the whole vocabulary (0.6 MB for 152,000 tokens).
SCORED_ROWS = 32
_TOKEN_SCORE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])

_log: deque[str] = deque(maxlen=40)


@llama.llama_log_callback  # type: ignore[untyped-decorator]
def _keep_log(_level: int, text: bytes, _context: object) -> None:
    _log.append(text.decode("utf-8", errors="replace"))


# llama.cpp writes to stderr otherwise; the last lines are kept for error messages.
llama.llama_log_set(_keep_log, ctypes.c_void_p(0))
llama.llama_backend_init()


class LlamaModel:
    """A GGUF model with one context. Positions count tokens from 0.

    Weights are not repacked (``use_extra_bufts``) by default: they stay mapped from the file, prefill is faster, and
    the bits of a row do not depend on how a prompt is cut into batches (see prompt_cache).
    """

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        if settings.kv_type != "f16" and not settings.flash_attention:
            raise EngineError(f"KV type {settings.kv_type} needs flash attention. Set engine.flash_attention = true.")
        self.rows = max(settings.batch_size, CPU_ROWS)
        self.scored_rows = SCORED_ROWS
        self._vocabulary_lock = threading.Lock()
        self._context: object = None
        self._split = (ctypes.c_float * llama.llama_max_devices())(*_split(settings))
        self._model = llama.llama_model_load_from_file(os.fsencode(path), self._model_settings(settings))
        if not self._model:
            raise EngineError(f"llama.cpp cannot load {path}: {_last_log()}. Check it: mingbai models verify")
        self._vocabulary = llama.llama_model_get_vocab(self._model)
        self._size = llama.llama_vocab_n_tokens(self._vocabulary)
        self._open_context(path, settings)
        self._batch = llama.llama_batch_init(self.rows, 0, 1)
        self._tokens = np.ctypeslib.as_array(self._batch.token, (self.rows,))
        self._positions = np.ctypeslib.as_array(self._batch.pos, (self.rows,))
        self._wants_logits = np.ctypeslib.as_array(self._batch.logits, (self.rows,))
        self._wants_logits[:] = 0
        for row in range(self.rows):
            self._batch.n_seq_id[row] = 1

    def _model_settings(self, settings: EngineSettings) -> llama.llama_model_params:
        chosen = llama.llama_model_default_params()
        chosen.use_extra_bufts = settings.repack
        chosen.n_gpu_layers = settings.gpu_layers
        chosen.main_gpu = settings.main_gpu
        if settings.tensor_split:
            chosen.tensor_split = self._split
        return chosen  # type: ignore[no-any-return]

    def _open_context(self, path: Path, settings: EngineSettings) -> None:
        trained = llama.llama_model_n_ctx_train(self._model)
        if settings.context_size > trained:
            self.close()
            raise EngineError(
                f"{path.name} was trained for {trained} tokens, settings ask for {settings.context_size}. "
                f"Set engine.context_size = {trained} or less."
            )
        chosen = llama.llama_context_default_params()
        chosen.n_ctx, chosen.n_batch, chosen.n_ubatch = settings.context_size, self.rows, self.rows
        chosen.n_seq_max, chosen.kv_unified, chosen.no_perf = STREAMS + 2 * settings.parallel, True, True
        chosen.n_outputs_max = max(self.scored_rows, chosen.n_seq_max)  # fewer than sequences: llama.cpp aborts
        chosen.n_threads = chosen.n_threads_batch = thread_count(settings.threads)
        chosen.flash_attn_type = int(settings.flash_attention)  # LLAMA_FLASH_ATTN_TYPE: 0 is off, 1 is on
        chosen.type_k = chosen.type_v = _KV_TYPES[settings.kv_type]
        self._context = llama.llama_init_from_model(self._model, chosen)
        if not self._context:
            self.close()
            raise EngineError(
                f"llama.cpp cannot open a context of {settings.context_size} tokens: {_last_log()}. "
                "Lower engine.context_size or engine.gpu_layers."
            )
        self._memory = llama.llama_get_memory(self._context)

    @property
    def template(self) -> str:
        """The chat template of the file; empty when it has none."""
        raw = llama.llama_model_chat_template(self._model, None)
        return raw.decode("utf-8", errors="replace") if raw else ""

    @property
    def end_text(self) -> str:
        """The text of the end token, as templates write it."""
        raw = llama.llama_vocab_get_text(self._vocabulary, llama.llama_vocab_eos(self._vocabulary))
        return raw.decode("utf-8", errors="replace") if raw else ""

    @property
    def begin(self) -> list[int]:
        """The token that every prompt has to begin with: one or none."""
        wanted = llama.llama_vocab_get_add_bos(self._vocabulary)
        return [llama.llama_vocab_bos(self._vocabulary)] if wanted else []

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text; control tokens are recognised only where ``special``. Safe from any thread."""
        raw = text.encode("utf-8", errors="replace")
        tokens = (llama.llama_token * (len(raw) + 8))()
        with self._vocabulary_lock:
            if not self._model:
                raise EngineError("The engine is closed. Open the notebook again.")
            count = llama.llama_tokenize(self._vocabulary, raw, len(raw), tokens, len(tokens), False, special)
        if count < 0:
            raise EngineError(f"llama.cpp cannot tokenise a text of {len(text)} characters: {_last_log()}.")
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """The bytes of a token; control tokens have none."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = llama.llama_token_to_piece(self._vocabulary, token, buffer, size, 0, False)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

    def is_end(self, token: int) -> bool:
        """Whether the model says that it is done. A stray control token is an end too: it is never an answer."""
        vocabulary = self._vocabulary
        return bool(llama.llama_vocab_is_eog(vocabulary, token) or llama.llama_vocab_is_control(vocabulary, token))

    def decode(self, tokens: Sequence[int], position: int, *, scored: bool = False, sequence: int = 0) -> None:
        """Evaluate up to ``rows`` tokens at ``position``; ``logits()`` then belong to the last one.

        With ``scored`` every token gets scores (at most ``scored_rows`` tokens): ``logits(row)``.

        Raises:
            EngineError: llama.cpp failed; what it kept of the batch is forgotten.
        """
        count = len(tokens)
        wanted = range(count) if scored else (count - 1,)
        self.decode_rows(tokens, range(position, position + count), [sequence] * count, wanted)

    def decode_rows(
        self, tokens: Sequence[int], positions: Sequence[int], sequences: Sequence[int], scored: Sequence[int]
    ) -> None:
        """Evaluate up to ``rows`` tokens of any sequences in one pass; ``logits(row)`` for the rows in ``scored``.

        Raises:
            EngineError: llama.cpp failed; what it kept of the batch is forgotten.
        """
        count = len(tokens)
        self._tokens[:count] = tokens
        self._positions[:count] = positions
        for row, sequence in enumerate(sequences):
            self._batch.seq_id[row][0] = sequence
        self._wants_logits[list(scored)] = 1
        self._batch.n_tokens = count
        status = llama.llama_decode(self._context, self._batch)
        self._wants_logits[:count] = 0
        if not status:
            return
        for position, sequence in zip(positions, sequences, strict=True):
            self.forget(position, sequence)
        reason = "the context is full" if status == _NO_MEMORY_SLOT else f"code {status}: {_last_log()}"
        raise EngineError(f"llama.cpp could not evaluate {count} tokens at {positions[0]}: {reason}. Ask again.")

    def save_state(self, start: int, end: int, sequence: int = 0) -> State:
        """A copy of what a sequence holds of the tokens at ``start:end``."""
        llama.llama_memory_seq_cp(self._memory, sequence, SCRATCH, start, end)
        state = np.empty(llama.llama_state_seq_get_size(self._context, SCRATCH), dtype=np.uint8)
        written = llama.llama_state_seq_get_data(self._context, _bytes_of(state), state.nbytes, SCRATCH)
        self.forget(0, SCRATCH)
        return state[:written]

    def load_state(self, state: State, sequence: int = 0, *, shift: int = 0) -> bool:
        """Append what ``save_state`` gave, ``shift`` places further; False where it does not fit: nothing changed."""
        read = llama.llama_state_seq_set_data(self._context, _bytes_of(state), state.nbytes, SCRATCH)
        if read and shift:
            # Before the cells are shared: afterwards every owner would move. The next decode turns the keys.
            llama.llama_memory_seq_add(self._memory, SCRATCH, -1, -1, shift)
        if read:
            self.share(SCRATCH, sequence)
        self.forget(0, SCRATCH)
        return bool(read)

    def share(self, source: int, target: int, end: int = -1) -> None:
        """Let another sequence have the first ``end`` tokens of one, too, in the same cells; all of them at -1."""
        llama.llama_memory_seq_cp(self._memory, source, target, 0, end)

    def forget(self, position: int, sequence: int = 0) -> None:
        """Drop all tokens of a sequence from ``position`` on."""
        llama.llama_memory_seq_rm(self._memory, sequence, position, -1)

    def logits(self, row: int = -1) -> Logits:
        """A view of the scores after a token of the batch, shape (vocabulary,); valid until the next ``decode``."""
        return np.ctypeslib.as_array(llama.llama_get_logits_ith(self._context, row), (self._size,))

    def grammar(self, text: str) -> "Grammar":
        """Compile a GBNF grammar. Raises EngineError where llama.cpp refuses it."""
        sampler = llama.llama_sampler_init_grammar(self._vocabulary, text.encode("utf-8"), b"root")
        if not sampler:
            raise EngineError(f"llama.cpp refuses the grammar of the JSON schema: {_last_log()}. Simplify the schema.")
        return Grammar(sampler, self._size)

    def close(self) -> None:
        """Free everything. Idempotent."""
        with self._vocabulary_lock:
            model, self._model = self._model, None
        if not model:
            return
        if self._context:
            llama.llama_free(self._context)
        if hasattr(self, "_batch"):
            llama.llama_batch_free(self._batch)
        llama.llama_model_free(model)


class Grammar:
    """Where an output stands in a grammar, and which tokens may follow."""

    def __init__(self, sampler: object, size: int) -> None:
        self._sampler = sampler
        self._scores = np.zeros(size, dtype=_TOKEN_SCORE)

    def allows(self, token: int) -> bool:
        """Whether this token may come next: a thousand times cheaper than ``mask``."""
        return bool(np.isfinite(self._apply(np.array([token]), np.zeros(1, dtype=np.float32))[0]))

    def mask(self, logits: Logits) -> Logits:
        """The scores with minus infinity for every token that may not come next."""
        return self._apply(np.arange(len(logits)), logits)

    def accept(self, token: int) -> None:
        """Step over a token that is allowed."""
        llama.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        """Free it. Idempotent."""
        if self._sampler:
            llama.llama_sampler_free(self._sampler)
        self._sampler = None

    def _apply(self, tokens: NDArray[np.integer], logits: Logits) -> Logits:
        scores = self._scores[: len(tokens)]
        scores["id"], scores["logit"], scores["p"] = tokens, logits, 0
        data = scores.ctypes.data_as(llama.llama_token_data_p)
        array = llama.llama_token_data_array(data, len(tokens), -1, False)
        llama.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return scores["logit"].copy()


def build_name() -> str:
    """What bits depend on besides model and settings: the library's version, and the processor it was built for."""
    return f"{version('llama-cpp-python')} {llama.llama_print_system_info().decode('utf-8', errors='replace')}"


def supports_gpu_offload() -> bool:
    """Whether this llama.cpp was built with a GPU backend."""
    return bool(llama.llama_supports_gpu_offload())


def _bytes_of(state: State) -> object:
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def _split(settings: EngineSettings) -> tuple[float, ...]:
    if len(settings.tensor_split) > (devices := llama.llama_max_devices()):
        raise EngineError(f"engine.tensor_split has {len(settings.tensor_split)} parts, llama.cpp allows {devices}.")
    return settings.tensor_split


def _last_log() -> str:
    return " ".join("".join(_log).split("\n")[-4:]).strip() or "no reason given"
