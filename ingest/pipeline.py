"""The ingest: find the files, read what changed, merge duplicates, write one new snapshot."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from ingest.chunk import chunk
from ingest.dedupe import merge
from ingest.discover import Failure, SourceFile, discover
from ingest.journal import FILE as JOURNAL
from ingest.readers import outline, read
from ingest.report import FileReport, FileStatus, IngestReport
from ingest.snapshot import READER_VERSION, Corpus, remove_leftovers, write_snapshot
from ingest.vectors import Progress
from rag import build, manifest
from rag.errors import IndexBusyError, NotebookIndexError, SourceError, StaleIndexError, StorageError
from rag.index import check_fresh
from rag.manifest import Manifest, Source
from rag.protocols import Embedder
from rag.settings import Settings, load
from rag.store import FILE, Reading, Store

LOCK = "LOCK"


def ingest(
    paths: Sequence[str | Path],
    index_dir: str | Path,
    *,
    settings: Settings | None = None,
    embedder: Embedder | None = None,
    progress: Progress = lambda stage, done, total: None,
    wait_seconds: float = 600.0,
) -> IngestReport:
    """Make the index in ``index_dir`` hold exactly the notes below ``paths``.

    Unchanged files are not read again, changed ones are, and what is gone leaves the index. The old index
    answers until the new one is complete. One bad file never stops the others.

    Args:
        paths: files and folders; folders are read recursively.
        index_dir: created when it does not exist.
        settings: as loaded by ``rag.settings.load`` when None.
        embedder: used instead of the one that the settings name.
        progress: called with (stage, done, total).
        wait_seconds: how long to wait for another ingest of the same index.

    Raises:
        SourceError: nothing at all could be read from ``paths``.
        IndexBusyError: another ingest still ran after ``wait_seconds``.
        StorageError: the disk is full or not writable.
    """
    settings = settings or load()
    folder = Path(index_dir)
    with _locked(folder, wait_seconds, progress):
        run = _Run(folder, settings, progress, embedder)
        try:
            return run.run([Path(path) for path in paths])
        finally:
            run.close()


@contextmanager
def _locked(folder: Path, wait_seconds: float, progress: Progress) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress("wait", 0, 1)
            lock.acquire(timeout=wait_seconds)
    except Timeout as error:
        raise IndexBusyError(
            f"Another ingest has been writing {folder} for over {wait_seconds:.0f} s. Wait for it, or stop it."
        ) from error
    except OSError as error:
        raise StorageError(
            f"The index folder {folder} cannot be written: {error.strerror}. Choose another --index."
        ) from error
    with lock:
        try:
            yield
        finally:
            lock.release()


@dataclass(slots=True)
class _Run:
    """One ingest under the lock."""

    folder: Path
    settings: Settings
    progress: Progress
    given_embedder: Embedder | None
    reports: list[FileReport] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    store: Store | None = None

    def run(self, paths: Sequence[Path]) -> IngestReport:
        """Read, compare, and write a snapshot when something changed."""
        started = time.perf_counter()
        old, made = self._old()
        found, failures = discover(paths)
        corpus_sources, readings = self._read(found, failures, made)
        self.reports += [
            FileReport(file, FileStatus.REMOVED)
            for file in (made.sources if made else ())
            if file not in corpus_sources
        ]
        self.seconds["read"] = time.perf_counter() - started
        if not readings:
            raise SourceError(_nothing(paths, self.reports))
        if old and made and manifest.corpus_hash(corpus_sources) == made.corpus_hash:
            self.seconds["total"] = time.perf_counter() - started
            return IngestReport(tuple(self.reports), made.entries, made.chunks, 0, 0, False, dict(self.seconds))
        return self._write(corpus_sources, readings, old, started)

    def close(self) -> None:
        """Close the old store."""
        if self.store is not None:
            self.store.close()

    def _old(self) -> tuple[Path | None, Manifest | None]:
        """The old snapshot, if it is whole, and its manifest, if what it read can be taken over."""
        try:
            snapshot = manifest.current(self.folder)
            made = manifest.read(snapshot)
            manifest.verify(snapshot, made)
        except NotebookIndexError:
            return None, None
        try:
            check_fresh(made, self.settings)
        except StaleIndexError:
            return snapshot, None
        if made.reader != READER_VERSION:
            return snapshot, None
        self.store = Store(snapshot / FILE)
        return snapshot, made

    def _read(
        self, found: Sequence[SourceFile], failures: Sequence[Failure], made: Manifest | None
    ) -> tuple[dict[str, Source], dict[str, Reading]]:
        self.reports += [FileReport(f.file, FileStatus.FAILED, f.reason) for f in failures]
        sources: dict[str, Source] = {}
        readings: dict[str, Reading] = {}
        for done, source_file in enumerate(found):
            self.progress("read", done, len(found))
            try:
                source, reading, report = self._read_one(source_file, made)
            except (SourceError, OSError) as error:
                self.reports.append(FileReport(source_file.file, FileStatus.FAILED, str(error)))
                continue
            sources[source_file.file] = source
            readings[source_file.file] = reading
            self.reports.append(report)
        self.progress("read", len(found), len(found))
        return sources, readings

    def _read_one(self, source_file: SourceFile, made: Manifest | None) -> tuple[Source, Reading, FileReport]:
        file = source_file.file
        sha256 = manifest.file_sha256(source_file.path)
        before = made.sources.get(file) if made else None
        if before is not None and before.sha256 == sha256 and self.store is not None:
            reading = self.store.reading(file)
            return before, reading, _file_report(file, FileStatus.UNCHANGED, reading, before.failures)
        documents, failures = read(source_file)
        if manifest.file_sha256(source_file.path) != sha256:
            raise SourceError("It changed while it was read. Ingest again when it is no longer being written.")
        outlines = [outline(document) for document in documents]
        reading = Reading(
            tuple(documents),
            tuple(entry for o in outlines for entry in o.entries),
            tuple(c for d, o in zip(documents, outlines, strict=True) for c in chunk(d, o, self.settings.chunk)),
        )
        reasons = tuple(f"{failure.file}: {failure.reason}" for failure in failures)
        source = Source(sha256, tuple(document.file for document in documents), reasons)
        status = FileStatus.CHANGED if before else FileStatus.ADDED
        return source, reading, _file_report(file, status, reading, reasons)

    def _write(
        self, sources: dict[str, Source], readings: dict[str, Reading], old: Path | None, started: float
    ) -> IngestReport:
        raw = [c for reading in readings.values() for c in reading.chunks]
        chunks, duplicates = merge(raw)
        writing = time.perf_counter()
        embedded = write_snapshot(
            self.folder,
            Corpus(sources, readings, chunks),
            settings=self.settings,
            embedder=self._embedder,
            old=old,
            progress=self.progress,
        )
        remove_leftovers(self.folder, keep=[manifest.current(self.folder).name, *([old.name] if old else [])])
        (self.folder / JOURNAL).unlink(missing_ok=True)
        self.seconds |= {"write": time.perf_counter() - writing, "total": time.perf_counter() - started}
        entries = sum(len(reading.entries) for reading in readings.values())
        return IngestReport(
            files=tuple(self.reports),
            entries=entries,
            chunks=len(chunks),
            merged=len(raw) - len(chunks),
            embedded=embedded,
            changed=True,
            seconds=dict(self.seconds),
            repeated_lines=len(duplicates.lines),
        )

    def _embedder(self) -> Embedder:
        if self.given_embedder is None:
            self.given_embedder = build.make_embedder(self.settings)
        return self.given_embedder


def _file_report(file: str, status: FileStatus, reading: Reading, failures: Sequence[str]) -> FileReport:
    return FileReport(
        file, status, "; ".join(failures), len(reading.documents), len(reading.entries), len(reading.chunks)
    )


def _nothing(paths: Sequence[Path], reports: Sequence[FileReport]) -> str:
    named = ", ".join(str(path) for path in paths) or "no path"
    reasons = "; ".join(f"{r.file}: {r.reason}" for r in reports if r.status is FileStatus.FAILED)
    return (
        f"No notes could be read from {named}. {reasons or 'There is no file of a kind that can be read.'} "
        "Name a folder with .md, .txt, .html, .pdf, .docx or .jsonl files. The old index, if any, was not touched."
    )
