import json
from dataclasses import replace

import pytest

from rag import manifest
from rag.errors import DamagedIndexError, IndexMissingError
from rag.manifest import Manifest, Source


def make(**changes):
    base = Manifest(
        created="2026-01-01T00:00:00+00:00",
        corpus_hash="c",
        sources={"a.md": Source("1", ("a.md",), ("row 3: bad",))},
        reader="1",
        chunker="x",
        tokenizer="1",
        embedder="e",
        embedder_hash="h",
        dimension=4,
        dense_backend="faiss",
        dense_metric="cosine",
        lexical_backend="postings",
        lexical_k1=1.5,
        lexical_b=0.75,
        documents=1,
        entries=1,
        chunks=1,
    )
    return replace(base, **changes)


@pytest.fixture
def snapshot(tmp_path):
    folder = tmp_path / manifest.SNAPSHOTS / "one"
    (folder / "dense").mkdir(parents=True)
    (folder / "dense" / "x").write_bytes(b"vectors")
    (folder / "store.sqlite").write_bytes(b"rows")
    manifest.write(folder, make(checksums=manifest.checksums(folder)))
    return folder


def test_a_manifest_reads_back_as_it_was_written(snapshot):
    read = manifest.read(snapshot)
    assert read.sources["a.md"].failures == ("row 3: bad",)
    assert set(read.checksums) == {"dense/x", "store.sqlite"}
    manifest.verify(snapshot, read)


def test_current_follows_the_pointer(snapshot, tmp_path):
    with pytest.raises(IndexMissingError, match="make ingest"):
        manifest.current(tmp_path)
    manifest.make_current(tmp_path, snapshot)
    assert manifest.current(tmp_path) == snapshot


@pytest.mark.parametrize("name", ["", "../elsewhere", "gone", "\u4e2d"])
def test_a_pointer_to_nowhere_is_damage(tmp_path, name):
    (tmp_path / manifest.CURRENT).write_text(name, encoding="utf-8")
    with pytest.raises(DamagedIndexError, match="make ingest"):
        manifest.current(tmp_path)


def test_a_flipped_byte_is_found(snapshot):
    (snapshot / "dense" / "x").write_bytes(b"vectorz")
    with pytest.raises(DamagedIndexError, match="dense/x"):
        manifest.verify(snapshot, manifest.read(snapshot))


def test_a_missing_file_is_found_even_without_hashing(snapshot):
    (snapshot / "store.sqlite").unlink()
    with pytest.raises(DamagedIndexError, match=r"store\.sqlite"):
        manifest.verify(snapshot, manifest.read(snapshot), full=False)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1, "sources": 3}'])
def test_a_broken_manifest_is_damage(snapshot, text):
    (snapshot / manifest.MANIFEST).write_text(text)
    with pytest.raises(DamagedIndexError, match="make ingest"):
        manifest.read(snapshot)


def test_another_format_is_refused(snapshot):
    path = snapshot / manifest.MANIFEST
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "format": 99}))
    with pytest.raises(DamagedIndexError, match="format 99"):
        manifest.read(snapshot)


def test_corpus_hash_knows_names_and_contents_but_not_order():
    a, b = Source("1", ("a",)), Source("2", ("b",))
    assert manifest.corpus_hash({"a": a, "b": b}) == manifest.corpus_hash({"b": b, "a": a})
    assert manifest.corpus_hash({"a": a, "b": b}) != manifest.corpus_hash({"a": b, "b": a})
