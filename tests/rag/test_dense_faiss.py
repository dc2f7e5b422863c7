"""FAISS: damage on the disk, and what the contract does not say."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.dense_faiss import GPU_DEEPEST, FaissIndex
from rag.errors import DamagedIndexError, StorageError

DIMENSION = 6
VECTORS = np.random.default_rng(3).normal(size=(9, DIMENSION)).astype(np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("faiss") / "flat.faiss"
    FaissIndex.build(VECTORS, "cosine").save(path)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_damage(saved, tmp_path, place, bit):
    content = bytearray(saved.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (tmp_path / "flipped").write_bytes(content)
    with pytest.raises(DamagedIndexError, match="make ingest"):
        FaissIndex.load(tmp_path / "flipped", "cosine", DIMENSION)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_any_shorter_file_is_damage(saved, tmp_path, share):
    content = saved.read_bytes()
    (tmp_path / "cut").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DamagedIndexError, match="make ingest"):
        FaissIndex.load(tmp_path / "cut", "cosine", DIMENSION)


def test_a_missing_file_is_damage(tmp_path):
    with pytest.raises(DamagedIndexError, match="make ingest"):
        FaissIndex.load(tmp_path / "nothing", "ip", DIMENSION)


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="--index"):
        FaissIndex.build(VECTORS, "ip").save(tmp_path / "no" / "flat.faiss")


def test_nothing_is_pickled(saved):
    assert saved.read_bytes().startswith(b"MINGBAI-FLAT-1\n")


def test_a_zero_vector_has_no_cosine_and_is_found_last():
    vectors = np.vstack([np.zeros(DIMENSION), VECTORS[:2]]).astype(np.float32)
    found = FaissIndex.build(vectors, "cosine").search(VECTORS[0] + VECTORS[1], 3)
    assert dict(found)[0] == 0.0


def test_the_euclidean_distance_to_itself_is_zero():
    row, score = FaissIndex.build(VECTORS, "l2").search(VECTORS[4], 1)[0]
    assert row == 4
    assert abs(score) < 1e-3


def test_many_ties_beyond_k_still_come_in_row_order():
    vectors = np.tile(np.eye(DIMENSION, dtype=np.float32)[0], (500, 1))
    found = FaissIndex.build(vectors, "ip").search(vectors[0], 5)
    assert found == [(row, 1.0) for row in range(5)]


class FakeCard:
    """What faiss-gpu adds, without a card: it says what it was asked, and refuses what a card cannot."""

    def __init__(self, index):
        self.index, self.d, self.ntotal, self.depths = index, index.d, index.ntotal, []

    def search(self, queries, k):
        assert k <= GPU_DEEPEST, "a card finds no more"
        self.depths.append(k)
        return self.index.search(queries, k)


def test_vectors_move_to_a_gpu_where_there_is_one(monkeypatch):
    import faiss

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((GPU_DEEPEST + 500, 4), dtype=np.float32)
    here = FaissIndex.build(vectors, "cosine")
    assert here.on_gpu() is here or faiss.get_num_gpus() > 0
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
    cards = []
    monkeypatch.setattr(
        faiss, "index_cpu_to_gpu", lambda _, number, index: cards.append(FakeCard(index)) or cards[-1], raising=False
    )
    there = here.on_gpu()
    for k in (0, 1, 10, GPU_DEEPEST - 1):
        assert there.search(vectors[0], k) == here.search(vectors[0], k)
    assert there.search(vectors[0], 10**6) == here.search(vectors[0], 10**6)[:GPU_DEEPEST]
    assert max(cards[0].depths) == GPU_DEEPEST
    l1 = FaissIndex.build(vectors, "l1")
    assert l1.on_gpu() is l1
