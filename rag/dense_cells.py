"""Cells for large indexes: vectors lie in the lists of their nearest centroids; a search looks into the nearest lists.

An inverted file (Sivic and Zisserman, 2003; Jégou, Douze, Schmid, 2011) with whole vectors: scores are exact, only
neighbours in lists that were not looked at are missed. How many lists are needed for few misses depends on the notes,
so it is measured on them when the index is built.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from rag.protocols import Vectors

if TYPE_CHECKING:
    import faiss

# Up to so many vectors a whole scan takes less time than embedding the question.
FLAT_MOST = 50_000
# Lists for n vectors: so many times the root of n; centroids are fitted to so many vectors a list, in so many rounds.
LISTS_PER_ROOT = 4
FITTED_PER_LIST = 48
ROUNDS = 8
# Of the NEAREST best vectors of a question so many must be found, in the mean over so many questions, which are made
# from stored vectors and noise of this length: real ones lie as far (a cosine of about 0.6) from what answers them.
RECALL = 0.97
NEAREST = 50
QUESTIONS = 100
NOISE = 1.2
_SEED = 1


def cells(vectors: Vectors, metric: int) -> "faiss.IndexIVFFlat":
    """Index vectors of shape (n, dimension) in lists, with ``nprobe`` set for a recall of RECALL at NEAREST.

    Args:
        vectors: packed float32, at least QUESTIONS of them; of length 1 where the metric is the cosine.
        metric: a FAISS metric, not L1.
    """
    import faiss

    dimension = vectors.shape[1]
    lists = int(LISTS_PER_ROOT * math.sqrt(len(vectors)))
    index = faiss.IndexIVFFlat(faiss.IndexFlat(dimension, metric), dimension, lists, metric)
    index.cp.niter, index.cp.max_points_per_centroid, index.cp.seed = ROUNDS, FITTED_PER_LIST, _SEED
    index.train(vectors)
    index.add(vectors)
    _look_far_enough(index, questions(vectors, QUESTIONS, np.random.default_rng(_SEED)))
    return index


def _look_far_enough(index: "faiss.IndexIVFFlat", asked: Vectors) -> None:
    """Double the lists that a search looks into until enough of the nearest are found."""
    index.nprobe = index.nlist
    _, wanted = index.search(asked, NEAREST)
    index.nprobe = 1
    while index.nprobe < index.nlist:
        _, found = index.search(asked, NEAREST)
        shared = sum(np.isin(one, other).sum() for one, other in zip(wanted, found, strict=True))
        if shared >= RECALL * wanted.size:
            return
        index.nprobe = min(2 * index.nprobe, index.nlist)


def questions(vectors: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Vectors as questions have them, shape (count, dimension): stored ones with noise, as long as they were."""
    chosen = vectors[np.sort(rng.choice(len(vectors), count, replace=False))]
    lengths = np.linalg.norm(chosen, axis=1, keepdims=True)
    noise = rng.standard_normal(chosen.shape, dtype=np.float32)
    asked = chosen + NOISE * lengths * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return np.ascontiguousarray(asked * lengths / np.linalg.norm(asked, axis=1, keepdims=True), dtype=np.float32)
