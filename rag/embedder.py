"""Text to vectors with a sentence-transformers folder. The only module that imports sentence_transformers.

EmbeddingGemma takes a short cut that loads faster (see embedding_gemma); every other model goes through the library.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from json import JSONDecodeError, loads
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rag.errors import ModelError, ModelMissingError
from rag.protocols import Vectors

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# Questions are repeated (follow-ups, evaluations, reruns of a page); 1,024 vectors are 3 MB.
QUERY_CACHE = 1024
# On a CPU one text alone is as fast as eight (119 and 129 ms a text of 250 tokens), and its vector then depends on
# nothing but the text. A GPU needs width: padded tokens in one batch (not measured: there was no GPU).
GPU_BATCH_TOKENS = 16_384


class Encoder(Protocol):
    """A loaded model."""

    max_tokens: int

    def count_tokens(self, text: str) -> int:
        """How many tokens the text has."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors in input order, not yet normalised; too long texts are cut. Shape (len(texts), dimension)."""


class SentenceTransformerEmbedder:
    """An Embedder over a folder in the layout of sentence-transformers. Safe for use from several threads.

    The weights are loaded at first use, or by ``load``. Nothing is ever fetched and no code of the folder is run.

    Args:
        folder: the model.
        model_id: its catalogue id.
        model_hash: what identifies its weights.
        query_prompt: template with ``{text}``.
        document_template: template with ``{title}`` and ``{text}``.
        missing_title: stands in for an empty title.

    Raises:
        ModelMissingError: the folder holds no model.
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
        self._folder, self._model_id, self._model_hash = folder, model_id, model_hash
        self._query_prompt, self._document_template = query_prompt, document_template
        self._missing_title = missing_title
        self._dimension = _dimension(folder, model_id)
        self._encoder: Encoder | None = None
        self._batch_tokens = 0
        self._lock = threading.Lock()
        self._truncated = 0
        self._query = lru_cache(QUERY_CACHE)(self._embed_query)

    @property
    def model_id(self) -> str:
        """The catalogue id of the model."""
        return self._model_id

    @property
    def model_hash(self) -> str:
        """The hash that identifies the weights."""
        return self._model_hash

    @property
    def dimension(self) -> int:
        """The length of a vector; known without loading the weights."""
        return self._dimension

    @property
    def truncated(self) -> int:
        """How many texts so far were longer than the model reads; their ends are not in their vectors."""
        return self._truncated

    def load(self) -> None:
        """Load the weights now. Idempotent.

        Raises:
            ModelError: the files cannot be read.
        """
        self._loaded()

    def embed_documents(
        self, titles: Sequence[str], texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Embed passages with their titles (breadcrumbs).

        Args:
            titles: one for each text; may be empty.
            texts: the passages.
            progress: called with the number of texts done, after every batch.

        Returns:
            L2-normalised vectors in input order, shape (n, dimension).

        Raises:
            ModelError: the model cannot be loaded or gave no finite numbers.
            ValueError: not as many titles as texts.
        """
        return self._embed(
            [
                self._document_template.format(title=title.strip() or self._missing_title, text=text)
                for title, text in zip(titles, texts, strict=True)
            ],
            progress,
        )

    def embed_query(self, text: str) -> Vectors:
        """Embed a question: L2-normalised, read-only, shape (dimension,). Recent questions are remembered.

        Raises:
            ModelError: the model cannot be loaded or gave no finite numbers.
        """
        return self._query(text)

    def _embed_query(self, text: str) -> Vectors:
        vector: Vectors = self._embed([self._query_prompt.format(text=text)], None)[0]
        vector.flags.writeable = False
        return vector

    def _embed(self, texts: Sequence[str], progress: Callable[[int], None] | None) -> Vectors:
        vectors = np.empty((len(texts), self._dimension), dtype=np.float32)
        if not texts:
            return vectors
        encoder = self._loaded()
        # Half of a surrogate pair is no text that a tokenizer takes.
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        counts = [encoder.count_tokens(text) for text in clean]
        self._warn_of_cuts(sum(count > encoder.max_tokens for count in counts), encoder.max_tokens)
        done = 0
        for rows in batches([min(count, encoder.max_tokens) for count in counts], self._batch_tokens):
            vectors[rows] = encoder.encode([clean[row] for row in rows])
            done += len(rows)
            if progress is not None:
                progress(done)
        return self._normalised(vectors)

    def _normalised(self, vectors: Vectors) -> Vectors:
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or not norms.all():
            raise ModelError(
                f"The embedder '{self._model_id}' gave a vector without a direction. "
                f"Run: mingbai models verify {self._model_id}"
            )
        return np.asarray(vectors / norms, dtype=np.float32)

    def _warn_of_cuts(self, count: int, max_tokens: int) -> None:
        if count:
            with self._lock:
                self._truncated += count
            logger.warning("%d texts are longer than the %d tokens the embedder reads; cut.", count, max_tokens)

    def _loaded(self) -> Encoder:
        with self._lock:
            if self._encoder is None:
                self._encoder, self._batch_tokens = _load(self._folder, self._model_id)
            return self._encoder


def batches(counts: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Row numbers in batches of like length, longest first, so that a model too big for the memory fails at once.

    Args:
        counts: tokens of each row.
        budget: padded tokens that a batch may have; a longer row is alone. 0: every row is alone.
    """
    order = sorted(range(len(counts)), key=lambda row: (-counts[row], row))
    batch: list[int] = []
    for row in order:
        # The first row is the longest and sets the width of the batch.
        if batch and (len(batch) + 1) * counts[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _load(folder: Path, model_id: str) -> tuple[Encoder, int]:
    """The model in memory, and the budget of a batch in tokens."""
    from safetensors import SafetensorError

    from rag import embedding_gemma
    from rag.torch_runtime import compute_type, pick_device

    device = pick_device()
    dtype = compute_type(device)
    try:
        encoder: Encoder = (
            embedding_gemma.GemmaEncoder(folder, device=device, dtype=dtype)
            if embedding_gemma.fits(folder)
            else _LibraryEncoder(folder, device, dtype)
        )
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"The embedder in {folder} cannot be loaded: {error}. Run: mingbai models verify {model_id}"
        ) from error
    return encoder, GPU_BATCH_TOKENS if device.type == "cuda" else 0


class _LibraryEncoder:
    """Any model that sentence-transformers loads."""

    def __init__(self, folder: Path, device: "torch.device", dtype: "torch.dtype") -> None:
        from rag.torch_runtime import quiet_loading

        with quiet_loading():
            from sentence_transformers import SentenceTransformer

            self._model = SentenceTransformer(
                str(folder),
                device=str(device),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": dtype, "use_safetensors": True},
            )
        self._tokenizer: Any = self._model.tokenizer
        self.max_tokens = int(self._model.max_seq_length or self._tokenizer.model_max_length)

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer(text, verbose=False)["input_ids"])

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = self._model.encode(list(texts), batch_size=len(texts), show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def _dimension(folder: Path, model_id: str) -> int:
    """What the last module of the folder that says so gives out."""
    try:
        modules = loads((folder / "modules.json").read_text(encoding="utf-8"))
        configs = [folder / module["path"] / "config.json" for module in modules]
        found = [loads(path.read_text(encoding="utf-8")) for path in configs if path.is_file()]
        keys = ("out_features", "word_embedding_dimension", "embedding_dimension", "hidden_size")
        return int([config[key] for config in found for key in keys if key in config][-1])
    except (OSError, JSONDecodeError, KeyError, TypeError, IndexError) as error:
        raise ModelMissingError(
            f"{folder} holds no embedding model in the layout of sentence-transformers ({error!r}). "
            f"Run: mingbai models pull {model_id}"
        ) from error
