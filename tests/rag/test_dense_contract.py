"""What every dense index promises, against a plain numpy search."""

import numpy as np
import pytest

from rag.dense_chroma import ChromaIndex
from rag.dense_faiss import FaissIndex
from rag.errors import DamagedIndexError, SettingsError, StaleIndexError

SIZE, DIMENSION = 120, 16
KINDS = [
    *(("faiss", metric) for metric in ("cosine", "ip", "l2", "l1")),
    *(("chroma", metric) for metric in ("cosine", "ip", "l2")),
]


class Backend:
    """One backend with one metric, at one place on the disk."""

    def __init__(self, name, metric, folder):
        self.name, self.metric = name, metric
        self.path = folder / "index"
        self.opened = []

    def build(self, vectors):
        if self.name == "faiss":
            return FaissIndex.build(vectors, self.metric)
        self.opened.append(ChromaIndex.build(self.path, vectors, self.metric))
        return self.opened[-1]

    def reopen(self, index, *, metric=None, dimension=DIMENSION):
        if self.name == "faiss":
            index.save(self.path)
            return FaissIndex.load(self.path, metric or self.metric, dimension)
        index.close()
        self.opened.append(ChromaIndex.load(self.path, metric or self.metric, dimension))
        return self.opened[-1]


@pytest.fixture(params=KINDS, ids="-".join)
def backend(request, tmp_path):
    if request.param[0] == "chroma":
        pytest.importorskip("chromadb")
    made = Backend(*request.param, tmp_path)
    yield made
    for index in made.opened:
        index.close()


@pytest.fixture
def vectors():
    return np.random.default_rng(7).normal(size=(SIZE, DIMENSION)).astype(np.float32)


def brute_force(vectors, query, metric):
    if metric == "cosine":
        return vectors @ query / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
    if metric == "ip":
        return vectors @ query
    return -np.linalg.norm(vectors - query, ord={"l2": 2, "l1": 1}[metric], axis=1)


def test_rows_and_scores_are_those_of_brute_force(backend, vectors):
    index = backend.build(vectors)
    for seed in range(5):
        query = np.random.default_rng(100 + seed).normal(size=DIMENSION).astype(np.float32)
        expected = brute_force(vectors, query, backend.metric)
        order = np.argsort(-expected, kind="stable")[:10]
        found = index.search(query, 10)
        assert [row for row, _ in found] == order.tolist()
        assert np.allclose([score for _, score in found], expected[order], atol=1e-4)


def test_a_saved_index_finds_the_same(backend, vectors):
    index = backend.build(vectors)
    before = index.search(vectors[3], 20)
    assert backend.reopen(index).search(vectors[3], 20) == before


def test_k_beyond_the_size_gives_every_row_once(backend, vectors):
    found = backend.build(vectors).search(vectors[0], SIZE + 50)
    assert sorted(row for row, _ in found) == list(range(SIZE))
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("k", [0, -1])
def test_no_k_gives_nothing(backend, vectors, k):
    assert backend.build(vectors).search(vectors[0], k) == []


def test_an_empty_index_finds_nothing_also_when_reopened(backend):
    index = backend.build(np.empty((0, DIMENSION), dtype=np.float32))
    query = np.ones(DIMENSION, dtype=np.float32)
    assert index.search(query, 5) == []
    again = backend.reopen(index)
    assert again.search(query, 5) == []
    assert len(again) == 0


def test_equal_rows_come_in_row_order(backend):
    # Small whole numbers: exact in every order of adding.
    vectors = np.zeros((30, DIMENSION), dtype=np.float32)
    vectors[:, 0] = 1
    vectors[7, 0], vectors[7, 1] = 2, 1
    query = np.eye(DIMENSION, dtype=np.float32)[0]
    found = [row for row, _ in backend.build(vectors).search(query, 4)]
    expected = np.argsort(-brute_force(vectors, query, backend.metric), kind="stable")[:4].tolist()
    assert found == expected


@pytest.mark.parametrize("shape", [(DIMENSION - 1,), (DIMENSION + 1,), (1, DIMENSION)])
def test_a_query_of_another_shape_is_an_error(backend, vectors, shape):
    with pytest.raises(StaleIndexError, match=f"{DIMENSION} numbers"):
        backend.build(vectors).search(np.ones(shape, dtype=np.float32), 3)


def test_a_read_only_query_is_fine(backend, vectors):
    query = vectors[2].copy()
    query.flags.writeable = False
    index = backend.build(vectors)
    assert index.search(query, 3) == index.search(vectors[2], 3)


def test_the_input_is_not_changed(backend, vectors):
    before = vectors.copy()
    backend.build(vectors).search(vectors[1], 3)
    assert np.array_equal(vectors, before)


def test_another_dimension_than_the_manifest_says_is_damage(backend, vectors):
    with pytest.raises(DamagedIndexError, match="make ingest"):
        backend.reopen(backend.build(vectors), dimension=DIMENSION + 1)


def test_another_metric_than_the_manifest_says_is_damage(backend, vectors):
    other = "l2" if backend.metric != "l2" else "ip"
    with pytest.raises(DamagedIndexError, match="make ingest"):
        backend.reopen(backend.build(vectors), metric=other)


def test_an_unknown_metric_is_a_settings_error(backend, vectors):
    backend.metric = "hamming"
    with pytest.raises(SettingsError, match="hamming"):
        backend.build(vectors)
