import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEmbedder

import rag
from ingest import FileStatus, ingest
from ingest.journal import FILE as JOURNAL
from rag import manifest
from rag.errors import DamagedIndexError, IndexBusyError, IndexMissingError, SourceError, StaleIndexError, StorageError
from rag.notebook import Notebook
from rag.settings import Settings, load

TESTS = Path(__file__).parents[1]


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text(
        "### 云杉(Spruce)\n云杉是一种网络。\n\n### 雪松(Cedar)\n雪松是一种损失函数。\n", encoding="utf-8"
    )
    (folder / "b.md").write_text("# 水杉\n水杉用 128 个通道。\n", encoding="utf-8")
    return folder


@pytest.fixture
def index(tmp_path):
    return tmp_path / "index"


def run(notes, index, **options):
    return ingest([notes], index, settings=options.pop("settings", Settings()), embedder=FakeEmbedder(), **options)


def found(index, question="水杉用几个通道？", leg="hybrid"):
    with Notebook(index, Settings(), embedder=FakeEmbedder()) as notebook:
        return [p.text for p in notebook.search(question, 10, leg=leg)]


def status(report):
    return {file.file: file.status for file in report.files}


def test_a_first_ingest_makes_notes_searchable(notes, index):
    report = run(notes, index)
    assert status(report) == {"a.md": FileStatus.ADDED, "b.md": FileStatus.ADDED}
    assert (report.chunks, report.embedded, report.changed) == (3, 3, True)
    assert "128" in found(index)[0]
    assert not (index / JOURNAL).exists()


def test_every_chunk_is_an_exact_slice(notes, index):
    run(notes, index)
    with Notebook(index, Settings(), embedder=FakeEmbedder()) as notebook:
        for chunk in notebook.chunks():
            assert notebook.document_text(chunk.file)[chunk.start : chunk.end] == chunk.text


def test_an_unchanged_ingest_reads_and_writes_nothing(notes, index):
    run(notes, index)
    before = manifest.current(index)
    embedder = FakeEmbedder()
    report = ingest([notes], index, settings=Settings(), embedder=embedder)
    assert set(status(report).values()) == {FileStatus.UNCHANGED}
    assert not report.changed
    assert embedder.embedded == []
    assert manifest.current(index) == before


@pytest.mark.parametrize("leg", ["dense", "lexical", "term", "hybrid"])
def test_changes_and_deletions_reach_every_leg(notes, index, leg):
    run(notes, index)
    (notes / "b.md").write_text("# 水杉\n水杉用 256 个通道。\n", encoding="utf-8")
    report = run(notes, index)
    assert status(report)["b.md"] is FileStatus.CHANGED
    assert report.embedded == 1
    assert any("256" in text for text in found(index, leg=leg))
    assert not any("128" in text for text in found(index, leg=leg))
    (notes / "b.md").unlink()
    report = run(notes, index)
    assert status(report)["b.md"] is FileStatus.REMOVED
    assert report.embedded == 0
    assert not any("水杉" in text for text in found(index, leg=leg))


def test_one_bad_file_never_stops_the_others(notes, index):
    (notes / "empty.md").write_bytes(b"")
    (notes / "binary.md").write_bytes(b"\x00\x01\x02PNG")
    report = run(notes, index)
    assert {file.file for file in report.failed} == {"empty.md", "binary.md"}
    assert all(file.reason for file in report.failed)
    assert report.chunks == 3


def test_a_folder_without_notes_is_an_error_and_keeps_the_old_index(notes, index, tmp_path):
    run(notes, index)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SourceError, match="No notes could be read"):
        run(empty, index)
    assert "128" in found(index)[0]


def test_the_same_text_twice_is_one_passage_with_both_sources(notes, index):
    shutil.copy(notes / "b.md", notes / "c.md")
    report = run(notes, index)
    assert report.merged == 1
    with Notebook(index, Settings(), embedder=FakeEmbedder()) as notebook:
        best = notebook.search("水杉用几个通道？", 1)[0]
    assert {best.file, *(place.file for place in best.also_at)} == {"b.md", "c.md"}


def test_a_missing_index_names_the_command(index):
    with pytest.raises(IndexMissingError, match="make ingest"):
        rag.open(index, Settings())


@pytest.mark.parametrize(
    "change",
    [{"chunk.max_chars": 300}, {"dense.metric": "l2"}, {"lexical.k1": 0.9}, {"models.embedder": "bge-m3"}],
    ids=str,
)
def test_other_settings_make_the_index_stale(notes, index, change):
    run(notes, index)
    with pytest.raises(StaleIndexError, match="make ingest"):
        rag.open(index, load(change))


@pytest.mark.parametrize("victim", ["vectors.npy", "store.sqlite", "terms.json", "manifest.json", "vector_rows.npy"])
@pytest.mark.parametrize("harm", ["cut", "flip", "remove"])
def test_damage_is_an_error_and_the_next_ingest_heals_it(notes, index, victim, harm):
    run(notes, index)
    path = manifest.current(index) / victim
    data = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 0x55
        path.write_bytes(data)
    with pytest.raises(DamagedIndexError, match="make ingest"):
        rag.open(index, Settings())
    assert run(notes, index).changed
    assert "128" in found(index)[0]


def test_a_full_disk_leaves_the_old_index(notes, index, monkeypatch):
    run(notes, index)
    (notes / "b.md").write_text("# 水杉\n水杉用 256 个通道。\n", encoding="utf-8")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", full)
        with pytest.raises(StorageError, match="No space left"):
            run(notes, index)
    assert "128" in found(index)[0]
    assert "256" in (run(notes, index) and found(index)[0])


def test_a_second_ingest_waits_for_the_first(notes, index):
    entered, leave = threading.Event(), threading.Event()

    def slow(stage, done, total):
        entered.set()
        leave.wait(20)

    first = threading.Thread(target=run, args=(notes, index), kwargs={"progress": slow})
    first.start()
    assert entered.wait(20)
    with pytest.raises(IndexBusyError, match="Another ingest"):
        run(notes, index, wait_seconds=0.2)
    leave.set()
    first.join(20)
    assert run(notes, index, wait_seconds=20).chunks == 3


def test_an_interrupted_embedding_goes_on_where_it_stopped(index, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(80):
        (folder / f"{n:02}.md").write_text(f"# 词条{n}\n第 {n} 个词条讲 {n * 7} 件事。\n", encoding="utf-8")

    class Stopping(FakeEmbedder):
        def embed_documents(self, titles, texts):
            if len(self.embedded) >= 40:
                raise KeyboardInterrupt
            return super().embed_documents(titles, texts)

    with pytest.raises(KeyboardInterrupt):
        ingest([folder], index, settings=Settings(), embedder=Stopping())
    report = ingest([folder], index, settings=Settings(), embedder=FakeEmbedder())
    assert 0 < report.embedded < 80
    assert report.chunks == 80


@pytest.mark.slow
def test_kill_at_any_moment_leaves_the_old_or_the_new_index(notes, index):
    """Ten kills -9 at random moments: what answers is never a mix."""
    run(notes, index)
    script = textwrap.dedent(f"""
        import sys; sys.path.insert(0, {str(TESTS)!r})
        from fakes import FakeEmbedder
        from ingest import ingest
        from rag.settings import Settings
        print("ready", flush=True)
        ingest([{str(notes)!r}], {str(index)!r}, settings=Settings(), embedder=FakeEmbedder())
    """)
    moments = random.Random(7)
    version = 128
    for round_number in range(10):
        old, version = version, 1000 + round_number
        (notes / "a.md").write_text(f"### 云杉\n云杉第 {version} 版。\n", encoding="utf-8")
        (notes / "b.md").write_text(f"# 水杉\n水杉用 {version} 个通道。\n", encoding="utf-8")
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(moments.uniform(0, 0.4))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        texts = found(index)
        versions = {v for v in (old, version) if any(f"用 {v} 个" in text for text in texts)}
        assert len(versions) == 1, texts
        if round_number and versions == {version}:
            assert any(f"第 {version} 版" in text for text in texts)
        version = versions.pop()
    run(notes, index)
    assert [p.name for p in index.glob("snapshots/*.building")] == []


def test_progress_counts_up_to_the_total(notes, index):
    seen = []
    run(notes, index, progress=lambda *step: seen.append(step))
    assert {stage for stage, _, _ in seen} == {"read", "index", "embed"}
    for stage in ("read", "index", "embed"):
        done = [(d, t) for s, d, t in seen if s == stage]
        assert done[-1][0] == done[-1][1]
        assert done == sorted(done)


@pytest.mark.parametrize(
    "backends",
    [
        {"dense.backend": "chroma"},
        {"dense.backend": "chroma", "dense.metric": "l2"},
        {"dense.metric": "l1"},
        {"dense.metric": "l2"},
        {"dense.metric": "ip"},
        {"lexical.backend": "rank_bm25"},
        {"retrieval.fusion": "rrf"},
    ],
    ids=str,
)
def test_every_backend_carries_the_whole_way(notes, index, backends):
    settings = load(backends)
    run(notes, index, settings=settings)
    with Notebook(index, settings, embedder=FakeEmbedder()) as notebook:
        best = notebook.search("水杉用几个通道？", 3)
    assert "128" in best[0].text
    assert not run(notes, index, settings=settings).changed
