"""Cells: they find what a whole scan finds, and look as far as that takes."""

import faiss
import numpy as np
import pytest

from rag import dense_faiss
from rag.dense_cells import NEAREST, RECALL, cells, questions
from rag.dense_faiss import FaissIndex

SIZE, DIMENSION = 3000, 24


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clustered(rng):
    centres = rng.standard_normal((40, DIMENSION))
    return unit(centres[rng.integers(0, 40, SIZE)] + 0.4 * rng.standard_normal((SIZE, DIMENSION)))


VECTORS = clustered(np.random.default_rng(3))


@pytest.fixture
def large(monkeypatch):
    """An index that is large enough for cells."""
    monkeypatch.setattr(dense_faiss, "FLAT_MOST", SIZE - 1)
    return FaissIndex.build(VECTORS, "cosine")


def nearest(query, count):
    return np.argsort(-(VECTORS @ query), kind="stable")[:count]


def test_other_questions_find_what_a_scan_finds(large):
    asked = questions(VECTORS, 200, np.random.default_rng(8))
    shared = [
        len({row for row, _ in large.search(query, NEAREST)} & set(nearest(query, NEAREST).tolist())) for query in asked
    ]
    assert np.mean(shared) / NEAREST > RECALL - 0.01


def test_scores_are_exact_and_fall(large):
    query = questions(VECTORS, 1, np.random.default_rng(9))[0]
    found = large.search(query, 30)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert [score for _, score in found] == pytest.approx([float(VECTORS[row] @ query) for row, _ in found], abs=1e-5)


def test_only_some_lists_are_read_where_notes_have_a_shape_and_more_where_they_have_none():
    shapeless = unit(np.random.default_rng(4).standard_normal((SIZE, DIMENSION)))
    shaped = cells(VECTORS, faiss.METRIC_INNER_PRODUCT)
    assert shaped.nprobe < shaped.nlist / 2
    assert cells(shapeless, faiss.METRIC_INNER_PRODUCT).nprobe > shaped.nprobe


def test_asking_for_more_than_the_read_lists_hold_gives_what_there_is(large):
    found = large.search(VECTORS[0], SIZE)
    rows = [row for row, _ in found]
    assert 0 < len(rows) <= SIZE
    assert len(set(rows)) == len(rows)
    assert min(rows) >= 0


def test_a_saved_index_searches_alike(large, tmp_path):
    large.save(tmp_path / "index")
    again = FaissIndex.load(tmp_path / "index", "cosine", DIMENSION)
    query = questions(VECTORS, 1, np.random.default_rng(10))[0]
    assert again.search(query, 40) == large.search(query, 40)


def test_building_twice_gives_the_same(large):
    query = questions(VECTORS, 1, np.random.default_rng(11))[0]
    assert FaissIndex.build(VECTORS, "cosine").search(query, 40) == large.search(query, 40)


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_other_metrics_have_cells_too(metric, monkeypatch):
    monkeypatch.setattr(dense_faiss, "FLAT_MOST", SIZE - 1)
    assert FaissIndex.build(VECTORS, metric).search(VECTORS[5], 1)[0][0] == 5


def test_manhattan_distances_and_small_indexes_stay_flat(monkeypatch):
    monkeypatch.setattr(dense_faiss, "FLAT_MOST", SIZE)
    assert isinstance(FaissIndex.build(VECTORS, "cosine")._index, faiss.IndexFlat)
    monkeypatch.setattr(dense_faiss, "FLAT_MOST", SIZE - 1)
    assert isinstance(FaissIndex.build(VECTORS, "l1")._index, faiss.IndexFlat)


def test_questions_lie_as_far_from_what_answers_them_as_real_ones():
    rng = np.random.default_rng(12)
    wide = unit(rng.standard_normal((500, 768)))
    asked = questions(wide, 300, rng)
    assert np.linalg.norm(asked, axis=1) == pytest.approx(np.ones(300), abs=1e-5)
    assert np.mean((asked @ wide.T).max(axis=1)) == pytest.approx(0.64, abs=0.03)
