"""Dense search with Chroma: the only module that imports it. Optional: ``pip install 'mingbai[chroma]'``."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import DamagedIndexError, SettingsError
from rag.manifest import REBUILD
from rag.protocols import Vectors

_SPACES = {"cosine": "cosine", "ip": "ip", "l2": "l2"}
_COLLECTION = "chunks"
# Chroma refuses batches above its own limit; this is below every version's.
_BATCH = 1000


class ChromaIndex:
    """A Chroma collection over rows 0..n-1 in a folder of its own. Approximate (HNSW) above a few hundred rows."""

    def __init__(self, client: Any, collection: Any, metric: str, dimension: int) -> None:  # noqa: ANN401
        self._client = client
        self._collection = collection
        self._metric = metric
        self._dimension = dimension

    @classmethod
    def build(cls, folder: Path, vectors: Vectors, metric: str) -> "ChromaIndex":
        """Index ``vectors`` of shape (n, dimension) in row order and persist them in ``folder``.

        Raises:
            SettingsError: Chroma is not installed, or does not know the metric.
        """
        client = _client(folder, metric)
        collection = client.create_collection(
            _COLLECTION, configuration={"hnsw": {"space": _SPACES[metric]}}, embedding_function=None
        )
        for start in range(0, len(vectors), _BATCH):
            part = vectors[start : start + _BATCH]
            collection.add(ids=[str(start + i) for i in range(len(part))], embeddings=part)
        return cls(client, collection, metric, vectors.shape[1])

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> "ChromaIndex":
        """Open a persisted collection.

        Raises:
            SettingsError: Chroma is not installed, or does not know the metric.
            DamagedIndexError: the folder holds no such collection.
        """
        if not folder.is_dir():
            raise DamagedIndexError(f"The dense index {folder} is missing. {REBUILD}")
        client = _client(folder, metric)
        from chromadb.errors import ChromaError

        try:
            collection = client.get_collection(_COLLECTION, embedding_function=None)
        except (ChromaError, ValueError) as error:
            raise DamagedIndexError(f"The dense index {folder} cannot be read ({error}). {REBUILD}") from error
        return cls(client, collection, metric, dimension)

    def search(self, query: Vectors, k: int) -> list[tuple[int, float]]:
        """See ``rag.protocols.DenseIndex``; scores are similarities, or negated distances for L2."""
        if query.shape != (self._dimension,):
            raise DamagedIndexError(
                f"The query has shape {query.shape}, the index {self._dimension} dimensions. {REBUILD}"
            )
        k = min(k, self._collection.count())
        if k <= 0:
            return []
        found = self._collection.query(
            query_embeddings=query[None, :].astype(np.float32), n_results=k, include=["distances"]
        )
        # Chroma returns 1 - similarity for cosine and inner product, and squared distances for L2.
        offset = 0.0 if self._metric == "l2" else 1.0
        pairs = [(int(i), offset - float(d)) for i, d in zip(found["ids"][0], found["distances"][0], strict=True)]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def close(self) -> None:
        """Release the files, so that the folder can be moved or deleted. Idempotent."""
        self._client.close()


def _client(folder: Path, metric: str) -> Any:  # noqa: ANN401
    if metric not in _SPACES:
        raise SettingsError(
            f"dense.metric is '{metric}'; Chroma knows {', '.join(_SPACES)}. Set dense.backend = \"faiss\" for it."
        )
    try:
        import chromadb
        from chromadb.config import Settings
    except ImportError as error:
        raise SettingsError("Chroma is not installed. Run: pip install 'mingbai[chroma]'") from error
    logging.getLogger("chromadb").setLevel(logging.ERROR)
    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
