"""Embedding models that run here: EmbeddingGemma in plain torch, every other one through sentence-transformers."""

import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

# Threads that wait by spinning make each other wait: beside another busy program two of them were four times
# slower than two that sleep (measured 2026-11-22, 48 passages: 44 s against 9.8 s). Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from rag import embedding_gemma
from rag.errors import ModelError
from rag.protocols import Vectors

# Sequences of one batch have nearly equal lengths, so padding costs little; more than 8 gains nothing on two cores.
CPU_BATCH = 8
GPU_BATCH = 64
QUERY_CACHE = 1024
_BF16_FLAGS = ("avx512_bf16", "amx_bf16")
_CPU_INFO = Path("/proc/cpuinfo")


class _Encoder(Protocol):
    """Turns texts of similar length into vectors that are not yet normalised, shape (n, dimension)."""

    def length(self, text: str) -> int: ...

    def encode(self, texts: Sequence[str]) -> Vectors: ...


class SentenceTransformerEmbedder:
    """An embedder over a sentence-transformers folder.

    Args:
        folder: the model's files; nothing is ever downloaded.
        model_id: what the manifest calls it.
        model_hash: the hash of its files.
        query_prompt: a template with ``{text}``.
        document_template: a template with ``{title}`` and ``{text}``.
        missing_title: what stands for an empty title.

    Raises:
        ModelError: the folder holds no model that can be loaded.
    """

    def __init__(
        self,
        folder: Path,
        *,
        model_id: str,
        model_hash: str,
        query_prompt: str,
        document_template: str,
        missing_title: str = "none",
    ) -> None:
        self.model_id = model_id
        self.model_hash = model_hash
        self._query_prompt = query_prompt
        self._document_template = document_template
        self._missing_title = missing_title
        self._lock = threading.Lock()
        self._queries: OrderedDict[str, Vectors] = OrderedDict()
        torch.set_num_threads(_cores())
        self._batch = GPU_BATCH if torch.cuda.is_available() else CPU_BATCH
        self._encoder = _load(folder)
        self._dimension = int(self._encode(["x"]).shape[1])

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._dimension

    def embed_documents(
        self, titles: Sequence[str], texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """See ``rag.protocols.Embedder``; ``progress`` is called with the number of passages done."""
        if not texts:
            return np.zeros((0, self._dimension), dtype=np.float32)
        filled = [
            self._document_template.format(title=title or self._missing_title, text=text)
            for title, text in zip(titles, texts, strict=True)
        ]
        order = sorted(range(len(filled)), key=lambda i: self._encoder.length(filled[i]))
        vectors = np.zeros((len(filled), self._dimension), dtype=np.float32)
        for start in range(0, len(order), self._batch):
            part = order[start : start + self._batch]
            vectors[part] = self._encode([filled[i] for i in part])
            if progress is not None:
                progress(min(start + self._batch, len(order)))
        return vectors

    def embed_query(self, text: str) -> Vectors:
        """See ``rag.protocols.Embedder``; the last 1,024 queries are kept."""
        with self._lock:
            if text in self._queries:
                self._queries.move_to_end(text)
                return self._queries[text]
        vector: Vectors = self._encode([self._query_prompt.format(text=text)])[0]
        with self._lock:
            self._queries[text] = vector
            if len(self._queries) > QUERY_CACHE:
                self._queries.popitem(last=False)
        return vector

    def _encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.asarray(self._encoder.encode(texts), dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(norms == 0, np.float32(1), norms), dtype=np.float32)


class _Gemma:
    """EmbeddingGemma without sentence-transformers: loads in a quarter of the time."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        self._model = embedding_gemma.GemmaEncoder(folder, device=device, dtype=dtype)

    def length(self, text: str) -> int:
        return len(self._model.tokenize(text)[0])

    def encode(self, texts: Sequence[str]) -> Vectors:
        return self._model.forward([self._model.tokenize(text)[0] for text in texts])


class _General:
    """Any other model, through sentence-transformers."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self._model = SentenceTransformer(
                str(folder),
                device=str(device),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": dtype},
            )

    def length(self, text: str) -> int:
        return len(text)

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors: Vectors = self._model.encode(list(texts), batch_size=len(texts), show_progress_bar=False)
        return vectors


def _load(folder: Path) -> _Encoder:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" or has_bf16() else torch.float32
    try:
        return _Gemma(folder, device, dtype) if embedding_gemma.fits(folder) else _General(folder, device, dtype)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"The embedding model in {folder} cannot be loaded ({error}). Run: mingbai models verify"
        ) from error


def has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware; emulated, it would be slower than float32."""
    flags = _CPU_INFO.read_text(encoding="utf-8", errors="replace") if _CPU_INFO.exists() else ""
    return any(f" {flag}" in flags for flag in _BF16_FLAGS)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
