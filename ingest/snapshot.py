"""Write one complete snapshot of an index and let it answer."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from ingest.units import units
from ingest.vectors import Progress, embed
from rag import build, catalogue, manifest
from rag.errors import StorageError
from rag.index import DENSE, LEXICAL, TERMS
from rag.manifest import Manifest, Source
from rag.protocols import Embedder
from rag.settings import Settings
from rag.store import FILE, Reading, write_store
from rag.terms import TermIndex
from rag.tokens import TOKENIZER_VERSION, Tokenizer, chunk_tokens
from rag.types import Chunk, Entry

BUILDING = ".building"
# Raise it with every change of reading or chunking that gives other entries or chunks: files are then read anew.
READER_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Corpus:
    """All that goes into a snapshot: sources, what was read from each, and the merged chunks in row order."""

    sources: Mapping[str, Source]
    readings: Mapping[str, Reading]
    chunks: Sequence[Chunk]

    def entries(self) -> list[Entry]:
        """All entries in the order of their sources."""
        return [entry for reading in self.readings.values() for entry in reading.entries]


def write_snapshot(
    index_dir: Path,
    corpus: Corpus,
    *,
    settings: Settings,
    embedder: Callable[[], Embedder],
    old: Path | None,
    progress: Progress,
) -> int:
    """Build a snapshot, check it, and make it current. The number of vectors that were computed anew.

    Raises:
        StorageError: the disk is full or not writable; the old snapshot still answers.
    """
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"
    folder = index_dir / manifest.SNAPSHOTS / (name + BUILDING)
    try:
        folder.mkdir(parents=True)
        embedded = _fill(folder, corpus, settings=settings, embedder=embedder, old=old, progress=progress)
        _sync(folder)
        final = folder.with_name(name)
        folder.rename(final)
        manifest.sync_folder(final.parent)
        manifest.make_current(index_dir, final)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StorageError(
            f"The index in {index_dir} cannot be written: {error.strerror or error}. The old index still answers. "
            "Free space or choose another --index folder."
        ) from error
    return embedded


def remove_leftovers(index_dir: Path, keep: Sequence[str]) -> None:
    """Delete unfinished and replaced snapshots, all but the named ones."""
    folder = index_dir / manifest.SNAPSHOTS
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)


def _fill(
    folder: Path,
    corpus: Corpus,
    *,
    settings: Settings,
    embedder: Callable[[], Embedder],
    old: Path | None,
    progress: Progress,
) -> int:
    progress("index", 0, 1)
    write_store(folder / FILE, corpus.readings.items(), corpus.chunks)
    terms = TermIndex.from_entries(corpus.entries(), corpus.chunks)
    terms.save(folder / TERMS)
    tokenizer = Tokenizer(terms.names())
    build.write_lexical(folder / LEXICAL, [chunk_tokens(c, tokenizer) for c in corpus.chunks], settings.lexical)
    progress("index", 1, 1)
    embedding = embed(folder, units(corpus.chunks), settings=settings, embedder=embedder, old=old, progress=progress)
    build.write_dense(folder / DENSE, embedding.vectors, settings.dense)
    manifest.write(folder, _manifest(folder, corpus, settings, embedding.vectors.shape[1]))
    return embedding.computed


def _manifest(folder: Path, corpus: Corpus, settings: Settings, dimension: int) -> Manifest:
    card = catalogue.find(settings.models.embedder)
    return Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        corpus_hash=manifest.corpus_hash(corpus.sources),
        sources=dict(corpus.sources),
        chunker=build.chunker_name(settings),
        tokenizer=str(TOKENIZER_VERSION),
        reader=READER_VERSION,
        embedder=card.id,
        embedder_hash=card.sha256,
        dimension=dimension,
        dense_backend=settings.dense.backend,
        dense_metric=settings.dense.metric,
        lexical_backend=settings.lexical.backend,
        lexical_k1=settings.lexical.k1,
        lexical_b=settings.lexical.b,
        documents=sum(len(r.documents) for r in corpus.readings.values()),
        entries=sum(len(r.entries) for r in corpus.readings.values()),
        chunks=len(corpus.chunks),
        checksums=manifest.checksums(folder),
    )


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    manifest.sync_folder(folder)
