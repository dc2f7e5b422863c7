"""Chroma: what differs from a plain index file."""

import gc
import json
import shutil
import sys
import tempfile

import numpy as np
import pytest

from rag.dense_chroma import ChromaIndex
from rag.errors import DamagedIndexError, SettingsError, StorageError
from rag.manifest import checksums

DIMENSION = 5
VECTORS = np.random.default_rng(5).normal(size=(25, DIMENSION)).astype(np.float32)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pytest.importorskip("chromadb")
    folder = tmp_path_factory.mktemp("chroma") / "dense"
    ChromaIndex.build(folder, VECTORS, "cosine").close()
    return folder


@pytest.fixture
def folder(built, tmp_path):
    """A copy of a built index: the folder can be moved once it is closed."""
    return shutil.copytree(built, tmp_path / "moved")


def test_l1_names_faiss(tmp_path):
    with pytest.raises(SettingsError, match="faiss"):
        ChromaIndex.build(tmp_path / "dense", VECTORS, "l1")
    assert not (tmp_path / "dense").exists()


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "chromadb", None)
    with pytest.raises(SettingsError, match=r"pip install 'mingbai\[chroma\]'"):
        ChromaIndex.build(tmp_path / "dense", VECTORS, "cosine")
    with pytest.raises(SettingsError, match=r"pip install 'mingbai\[chroma\]'"):
        ChromaIndex.load(tmp_path / "dense", "cosine", DIMENSION)


def test_searching_leaves_the_snapshot_as_its_checksums_say(folder):
    before = checksums(folder)
    index = ChromaIndex.load(folder, "cosine", DIMENSION)
    index.search(VECTORS[0], 3)
    index.close()
    assert checksums(folder) == before


def test_two_readers_do_not_meet(folder):
    one = ChromaIndex.load(folder, "cosine", DIMENSION)
    two = ChromaIndex.load(folder, "cosine", DIMENSION)
    one.close()
    assert [row for row, _ in two.search(VECTORS[8], 1)] == [8]
    two.close()


@pytest.mark.parametrize("collected", [False, True])
def test_the_private_copy_goes_away(folder, tmp_path, monkeypatch, collected):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    index = ChromaIndex.load(folder, "cosine", DIMENSION)
    assert len(list(temporary.iterdir())) == 1
    if collected:
        del index
        gc.collect()
    else:
        index.close()
        index.close()
    assert list(temporary.iterdir()) == []


def test_what_chroma_itself_cannot_read_is_damage(folder):
    files = folder / "files"
    (files / "chroma.sqlite3").write_bytes(b"not a database, but with a fitting checksum")
    card = {"metric": "cosine", "dimension": DIMENSION, "sha256": checksums(files)}
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(DamagedIndexError, match="make ingest"):
        ChromaIndex.load(folder, "cosine", DIMENSION)


def test_more_rows_than_a_batch(tmp_path, monkeypatch):
    chromadb = pytest.importorskip("chromadb")
    monkeypatch.setattr(chromadb.api.client.Client, "get_max_batch_size", lambda _: 7)
    index = ChromaIndex.build(tmp_path / "dense", VECTORS, "ip")
    assert sorted(row for row, _ in index.search(VECTORS[0], 99)) == list(range(len(VECTORS)))
    index.close()


def test_telemetry_is_off(folder):
    index = ChromaIndex.load(folder, "cosine", DIMENSION)
    assert index._client.get_settings().anonymized_telemetry is False
    index.close()


def test_every_damaged_file_is_found(folder):
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size):
        good = path.read_bytes()
        for bad in (good[: len(good) // 2], good[:-1] + bytes([good[-1] ^ 1])):
            path.write_bytes(bad)
            with pytest.raises(DamagedIndexError, match="make ingest"):
                ChromaIndex.load(folder, "cosine", DIMENSION)
        path.write_bytes(good)
    ChromaIndex.load(folder, "cosine", DIMENSION).close()


def test_a_missing_folder_is_damage_and_a_full_one_a_storage_error(folder):
    with pytest.raises(StorageError, match="--index"):
        ChromaIndex.build(folder, VECTORS, "cosine")
    shutil.rmtree(folder)
    with pytest.raises(DamagedIndexError, match="make ingest"):
        ChromaIndex.load(folder, "cosine", DIMENSION)
