"""Nearest vectors with FAISS. The only module that imports faiss, with rag.dense_cells.

A flat index never misses, and up to FLAT_MOST vectors it takes less time than the question's own embedding; more
vectors are put in cells.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from rag.dense_cells import FLAT_MOST, cells
from rag.errors import DamagedIndexError, SettingsError, StaleIndexError, StorageError
from rag.manifest import REBUILD
from rag.protocols import Vectors

if TYPE_CHECKING:
    import faiss

Metric = Literal["cosine", "ip", "l2", "l1"]

# A file is this mark, the sha256 of what follows, and FAISS's own format: FAISS reads flipped bits without a word.
_MARK = b"MINGBAI-FLAT-1\n"
# FAISS finds no more than so many rows at once on a GPU.
GPU_DEEPEST = 2048
# What FAISS writes for each row that it did not find.
_NO_ROW = -1
_HEADER = len(_MARK) + hashlib.sha256().digest_size


class FaissIndex:
    """An index over vectors of one dimension. Read-only once built; safe to share between threads.

    Scores: the cosine or the inner product, or the negated Euclidean (l2) or Manhattan (l1) distance.
    """

    def __init__(self, index: "faiss.Index", metric: Metric, *, deepest: int | None = None) -> None:
        self._index = index
        self._deepest = deepest
        self._metric: Metric = metric

    def __len__(self) -> int:
        """The number of rows."""
        return int(self._index.ntotal)

    @classmethod
    def build(cls, vectors: Vectors, metric: Metric) -> "FaissIndex":
        """Index vectors of shape (n, dimension), n = 0 included, in row order.

        Raises:
            SettingsError: an unknown metric.
        """
        import faiss

        ready = _ready(vectors, metric)
        if len(vectors) > FLAT_MOST and metric != "l1":
            return cls(cells(ready, _faiss_metric(metric)), metric)
        index = faiss.IndexFlat(vectors.shape[1], _faiss_metric(metric))
        index.add(ready)
        return cls(index, metric)

    def search(self, query: Vectors, k: int) -> list[tuple[int, float]]:
        """The best ``min(k, n)`` rows as (row, score), best first; ties by row. Empty for k <= 0 or n = 0.

        On a GPU at most GPU_DEEPEST rows; from cells at most what the nearest ones hold.

        Raises:
            StaleIndexError: the query has another dimension than the index.
        """
        if query.shape != (self._index.d,):
            raise StaleIndexError(
                f"The index holds vectors of {self._index.d} numbers, but the question's has the shape {query.shape}: "
                f"another embedder built it. {REBUILD}"
            )
        most = len(self) if self._deepest is None else min(len(self), self._deepest)
        wanted = min(k, most)
        if wanted <= 0:
            return []
        ready = _ready(query[None, :], self._metric)
        # FAISS breaks ties as it likes: go on until the last row found is worse than the last one wanted.
        depth = wanted
        while True:
            depth = min(most, 2 * depth)
            distances, rows = self._index.search(ready, depth)
            if depth == most or distances[0, depth - 1] != distances[0, wanted - 1]:
                break
        scores = self._scores(distances[0])
        order = np.lexsort((rows[0], -scores))[:wanted]
        return [(int(rows[0, i]), float(scores[i])) for i in order if rows[0, i] != _NO_ROW]

    def save(self, path: Path) -> None:
        """Write the index into one file.

        Raises:
            StorageError: the disk is full or not writable.
        """
        import faiss

        payload = faiss.serialize_index(self._index).data
        try:
            with path.open("wb") as stream:
                stream.write(_MARK + hashlib.sha256(payload).digest())
                stream.write(payload)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written: {error.strerror}. Free space or choose another --index."
            ) from error

    @classmethod
    def load(cls, path: Path, metric: Metric, dimension: int) -> "FaissIndex":
        """Read an index that ``save`` wrote.

        Raises:
            DamagedIndexError: the file is missing, cut short or changed, or holds another metric or dimension.
        """
        import faiss

        try:
            content = path.read_bytes()
        except OSError as error:
            raise DamagedIndexError(f"The dense index {path} cannot be read ({error.strerror}). {REBUILD}") from error
        payload = memoryview(content)[_HEADER:]
        if content[:_HEADER] != _MARK + hashlib.sha256(payload).digest():
            raise DamagedIndexError(f"The dense index {path} was changed or cut short. {REBUILD}")
        index = faiss.deserialize_index(np.frombuffer(payload, dtype=np.uint8))
        if (index.d, index.metric_type) != (dimension, _faiss_metric(metric)):
            raise DamagedIndexError(
                f"The dense index {path} holds {index.d} dimensions and metric {index.metric_type}, not {dimension} "
                f"and {metric}. {REBUILD}"
            )
        return cls(index, metric)

    def on_gpu(self) -> "FaissIndex":
        """The same index with its vectors on the first GPU; itself where this FAISS knows none or not the metric."""
        import faiss

        has_gpu = hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
        if not has_gpu or self._metric == "l1":
            return self
        copied = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, self._index)
        return FaissIndex(copied, self._metric, deepest=GPU_DEEPEST)

    def _scores(self, distances: Vectors) -> Vectors:
        if self._metric == "l2":
            # FAISS leaves the square; rounding can take it below zero.
            return -np.sqrt(np.maximum(distances, 0))
        return -distances if self._metric == "l1" else distances


def _faiss_metric(metric: Metric) -> int:
    import faiss

    known = {
        "cosine": faiss.METRIC_INNER_PRODUCT,
        "ip": faiss.METRIC_INNER_PRODUCT,
        "l2": faiss.METRIC_L2,
        "l1": faiss.METRIC_L1,
    }
    if metric not in known:
        raise SettingsError(f"FAISS has no metric '{metric}' here. Set dense.metric to one of {', '.join(known)}.")
    return int(known[metric])


def _ready(vectors: Vectors, metric: Metric) -> Vectors:
    """Vectors as FAISS wants them: packed float32, of length 1 for the cosine. A zero vector stays zero."""
    if metric == "cosine":
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return np.ascontiguousarray(vectors)
