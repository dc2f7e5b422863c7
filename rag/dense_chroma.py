"""Nearest vectors with Chroma (HNSW), for those who want its format. The only module that imports chromadb.

Chroma changes its files by opening them, so a built folder is never opened again: ``load`` works on a private copy
that goes away with the index. Chroma keeps some row numbers in a file named ``.pickle``; its own Rust code reads it,
Python never unpickles it, and nothing is read whose checksum does not fit.
"""

import importlib
import json
import shutil
import tempfile
import weakref
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import numpy as np

from rag.errors import DamagedIndexError, SettingsError, StaleIndexError, StorageError
from rag.manifest import REBUILD, checksums
from rag.protocols import Vectors

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

Metric = Literal["cosine", "ip", "l2"]

_COLLECTION = "chunks"
_CARD = "card.json"
_FILES = "files"
# Candidates that HNSW keeps while it builds and searches. Twice Chroma's default: the settings ask for 50 rows, and
# a graph that misses the best one would be worse than the flat index that is the default.
_EF = 200


class ChromaIndex:
    """An approximate index over vectors of one dimension. Scores as in FaissIndex; no l1.

    Close it when done: the copy it works on is removed then, or when it is collected, or at exit.
    """

    def __init__(self, folder: Path, metric: Metric, dimension: int, *, is_private: bool) -> None:
        self._client = _open(folder)
        self._close = weakref.finalize(self, _release, self._client, folder if is_private else None)
        self._collection: Collection = self._client.get_or_create_collection(
            _COLLECTION,
            embedding_function=None,
            configuration={"hnsw": {"space": metric, "ef_construction": _EF, "ef_search": _EF}},
        )
        self._metric, self._dimension = metric, dimension
        self._size = self._collection.count()

    def __len__(self) -> int:
        """The number of rows."""
        return self._size

    @classmethod
    def build(cls, folder: Path, vectors: Vectors, metric: str) -> "ChromaIndex":
        """Make a new ``folder`` that indexes vectors of shape (n, dimension), n = 0 included, in row order.

        Raises:
            SettingsError: an unknown metric, l1, or chromadb is not installed.
            StorageError: the disk is full or not writable, or ``folder`` is there already.
        """
        known = _known_metric(metric)
        chroma_error = _chromadb().errors.ChromaError
        try:
            (folder / _FILES).mkdir(parents=True)
            made = cls(folder / _FILES, known, vectors.shape[1], is_private=False)
            made._add(vectors)
            made.close()
            card = {"metric": metric, "dimension": vectors.shape[1], "sha256": checksums(folder / _FILES)}
            (folder / _CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
        except (OSError, chroma_error) as error:
            raise StorageError(f"{folder} cannot be written: {error}. Free space or choose another --index.") from error
        return cls.load(folder, metric, vectors.shape[1])

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> "ChromaIndex":
        """Open a copy of a folder that ``build`` made.

        Raises:
            SettingsError: an unknown metric, l1, or chromadb is not installed.
            DamagedIndexError: a file is missing or changed, or it holds another metric or dimension.
        """
        known = _known_metric(metric)
        chroma_error = _chromadb().errors.ChromaError
        private = Path(tempfile.mkdtemp(prefix="mingbai-chroma-"))
        try:
            card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
            shutil.copytree(folder / _FILES, private, dirs_exist_ok=True)
            if card != {"metric": metric, "dimension": dimension, "sha256": checksums(private)}:
                raise ValueError("a checksum, the metric or the dimension does not fit")
            return cls(private, known, dimension, is_private=True)
        except (OSError, ValueError, chroma_error) as error:
            shutil.rmtree(private)
            raise DamagedIndexError(f"The dense index {folder} cannot be used ({error}). {REBUILD}") from error

    def search(self, query: Vectors, k: int) -> list[tuple[int, float]]:
        """The best ``min(k, n)`` rows as (row, score), best first; ties by row. Empty for k <= 0 or n = 0.

        Raises:
            StaleIndexError: the query has another dimension than the index.
        """
        if query.shape != (self._dimension,):
            raise StaleIndexError(
                f"The index holds vectors of {self._dimension} numbers, but the question's has the shape "
                f"{query.shape}: another embedder built it. {REBUILD}"
            )
        wanted = min(k, self._size)
        if wanted <= 0:
            return []
        # Some rows more, so that ties at the end are more likely to be seen whole.
        depth = min(self._size, max(2 * wanted, _EF))
        found = self._collection.query(query_embeddings=query[None, :], n_results=depth, include=["distances"])
        distances = np.asarray((found["distances"] or [[]])[0], dtype=np.float32)
        rows = np.asarray(found["ids"][0], dtype=np.int64)
        scores = self._scores(distances)
        order = np.lexsort((rows, -scores))[:wanted]
        return [(int(rows[i]), float(scores[i])) for i in order]

    def close(self) -> None:
        """Let go of all files and remove the private copy. Idempotent."""
        self._close()

    def _add(self, vectors: Vectors) -> None:
        step = self._client.get_max_batch_size()
        for start in range(0, len(vectors), step):
            part = vectors[start : start + step]
            self._collection.add(ids=[str(start + row) for row in range(len(part))], embeddings=part)

    def _scores(self, distances: Vectors) -> Vectors:
        return -np.sqrt(np.maximum(distances, 0)) if self._metric == "l2" else 1 - distances


def _known_metric(metric: str) -> Metric:
    for known in ("cosine", "ip", "l2"):
        if metric == known:
            return known
    raise SettingsError(
        f"Chroma has no metric '{metric}'. Set dense.metric to cosine, ip or l2, or dense.backend to faiss."
    )


def _chromadb() -> ModuleType:
    try:
        return importlib.import_module("chromadb")
    except ImportError as error:
        raise SettingsError(
            f"The setting dense.backend = 'chroma' needs chromadb ({error}). Run: pip install 'mingbai[chroma]'"
        ) from error


def _open(folder: Path) -> "Client":
    library = _chromadb()
    client: Client = library.PersistentClient(
        path=str(folder), settings=library.config.Settings(anonymized_telemetry=False)
    )
    return client


def _release(client: "Client", folder: Path | None) -> None:
    client.close()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
