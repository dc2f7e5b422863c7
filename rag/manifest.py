"""The manifest of an index: what it was built from, and proof that its files are whole.

Layout of an index folder::

    CURRENT                 the name of the snapshot that answers; replaced atomically
    snapshots/<name>/       one complete index, never changed after it is named by CURRENT
        manifest.json       this module's Manifest, with a sha256 for every other file
        store.sqlite        documents, entries, chunks
        vectors.npy, …      dense and lexical files
    LOCK                    held by the one ingest that writes

A snapshot is built under another name, checked, and only then named by CURRENT: a kill at any
moment leaves the old snapshot answering.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from rag.errors import DamagedIndexError, IndexMissingError, StorageError

FORMAT = 1
CURRENT = "CURRENT"
SNAPSHOTS = "snapshots"
MANIFEST = "manifest.json"
REBUILD = "Run: make ingest (or mingbai ingest PATH…)"
# Hashing runs at about 1 GB/s: below this size a full check at every opening costs at most a quarter of a second.
FULL_CHECK_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """One ingested file: its hash and the documents that were read from it."""

    sha256: str
    documents: tuple[str, ...]
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index was built from. ``sources`` by file, ``checksums`` by path inside the snapshot."""

    created: str
    corpus_hash: str
    sources: Mapping[str, Source]
    reader: str
    chunker: str
    tokenizer: str
    embedder: str
    embedder_hash: str
    dimension: int
    dense_backend: str
    dense_metric: str
    lexical_backend: str
    lexical_k1: float
    lexical_b: float
    documents: int
    entries: int
    chunks: int
    checksums: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT


def corpus_hash(sources: Mapping[str, Source]) -> str:
    """One sha256 over the names and hashes of all sources, independent of order."""
    lines = sorted(f"{file}\0{source.sha256}" for file, source in sources.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checksums(snapshot: Path) -> dict[str, str]:
    """The sha256 of every file below ``snapshot`` except the manifest itself, by POSIX path."""
    files = sorted(p for p in snapshot.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {p.relative_to(snapshot).as_posix(): file_sha256(p) for p in files}


def write(snapshot: Path, manifest: Manifest) -> None:
    """Write the manifest into a snapshot that nobody reads yet."""
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1, sort_keys=True)
    write_atomically(snapshot / MANIFEST, text)


def read(snapshot: Path) -> Manifest:
    """Read a manifest.

    Raises:
        DamagedIndexError: it is missing, not JSON, or of another format.
    """
    path = snapshot / MANIFEST
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        sources = {
            file: Source(s["sha256"], tuple(s["documents"]), tuple(s["failures"]))
            for file, s in tree["sources"].items()
        }
        if tree["format"] != FORMAT or set(tree) != {f.name for f in fields(Manifest)}:
            raise DamagedIndexError(f"{path} has format {tree['format']}, this version reads {FORMAT}. {REBUILD}")
        return Manifest(**{**tree, "sources": sources})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedIndexError(f"The manifest {path} cannot be read ({error}). {REBUILD}") from error


def current(index_dir: Path) -> Path:
    """The snapshot folder that answers now.

    Raises:
        IndexMissingError: nothing was ingested into ``index_dir`` yet.
        DamagedIndexError: CURRENT names a snapshot that is not there.
    """
    pointer = index_dir / CURRENT
    try:
        name = pointer.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise IndexMissingError(f"There is no index in {index_dir}. {REBUILD}") from error
    except (OSError, ValueError) as error:
        raise DamagedIndexError(f"{pointer} cannot be read ({error}). {REBUILD}") from error
    snapshot = index_dir / SNAPSHOTS / name
    if not name or Path(name).name != name or not snapshot.is_dir():
        raise DamagedIndexError(f"{pointer} names the snapshot '{name}', which is not there. {REBUILD}")
    return snapshot


def make_current(index_dir: Path, snapshot: Path) -> None:
    """Let ``snapshot`` answer from now on: one atomic replacement of the pointer."""
    write_atomically(index_dir / CURRENT, snapshot.name + "\n")


def verify(snapshot: Path, manifest: Manifest, *, full: bool | None = None) -> None:
    """Check that exactly the files of the manifest are there with their sha256.

    ``full`` None hashes the bytes only where they are few (FULL_CHECK_BYTES); False checks names only.

    Raises:
        DamagedIndexError: names the first file that is missing or changed.
    """
    if full is None:
        full = sum(p.stat().st_size for p in snapshot.rglob("*") if p.is_file()) <= FULL_CHECK_BYTES
    for name, expected in manifest.checksums.items():
        path = snapshot / name
        if not path.is_file():
            raise DamagedIndexError(f"The index file {path} is missing. {REBUILD}")
        if full and file_sha256(path) != expected:
            raise DamagedIndexError(
                f"The index file {path} was changed or damaged: its checksum does not fit. {REBUILD}"
            )


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file so that a reader sees the old or the new one, never half of it.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}. Free space or choose --index."
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames inside ``folder`` durable (POSIX; a no-op where folders cannot be opened)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
