"""Documents, entries and chunks in one SQLite file of a snapshot: written once, then read-only."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import DamagedIndexError, StorageError
from rag.manifest import REBUILD
from rag.types import Chunk, Document, Entry, SourceSpan

FILE = "store.sqlite"

_SCHEMA = """
CREATE TABLE documents (file TEXT PRIMARY KEY, source TEXT NOT NULL, sha256 TEXT NOT NULL, flavour TEXT NOT NULL,
    encoding TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE entries (number INTEGER PRIMARY KEY, file TEXT NOT NULL, title TEXT NOT NULL, aliases TEXT NOT NULL,
    path TEXT NOT NULL, start INTEGER NOT NULL, body_start INTEGER NOT NULL, end INTEGER NOT NULL,
    is_empty INTEGER NOT NULL);
CREATE INDEX entries_by_file ON entries (file, start);
CREATE TABLE chunks (number INTEGER PRIMARY KEY, row INTEGER UNIQUE, chunk_id TEXT NOT NULL UNIQUE, file TEXT NOT NULL,
    entry TEXT NOT NULL, aliases TEXT NOT NULL, path TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    line_start INTEGER NOT NULL, line_end INTEGER NOT NULL, text TEXT NOT NULL, also_at TEXT NOT NULL);
CREATE INDEX chunks_by_file ON chunks (file, start);
"""

_CHUNK = "chunk_id, file, entry, aliases, path, start, end, line_start, line_end, text, also_at"
_ENTRY = "file, title, aliases, path, start, body_start, end, is_empty"


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was read from one source file: its documents with their entries and chunks (before merging)."""

    documents: tuple[Document, ...]
    entries: tuple[Entry, ...]
    chunks: tuple[Chunk, ...]


def write_store(path: Path, readings: Iterable[tuple[str, Reading]], merged: Sequence[Chunk]) -> None:
    """Write a new store. ``readings`` pairs each source file with what was read from it.

    ``merged`` are the chunks that retrieval sees, in row order; every other chunk is stored without a row.

    Raises:
        StorageError: the disk is full or not writable.
    """
    rows = {chunk.chunk_id: (row, chunk.also_at) for row, chunk in enumerate(merged)}
    try:
        with sqlite3.connect(path) as connection:
            connection.executescript(_SCHEMA)
            for source, reading in readings:
                _insert(connection, source, reading, rows)
        connection.close()
    except sqlite3.OperationalError as error:
        raise StorageError(
            f"{path} cannot be written: {error}. Free space or choose another --index folder."
        ) from error


def _insert(
    connection: sqlite3.Connection,
    source: str,
    reading: Reading,
    rows: dict[str, tuple[int, tuple[SourceSpan, ...]]],
) -> None:
    connection.executemany(
        "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
        [(d.file, source, d.sha256, d.flavour, d.encoding, d.text) for d in reading.documents],
    )
    connection.executemany(
        f"INSERT INTO entries ({_ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        [
            (e.file, e.title, _dump(e.aliases), _dump(e.path), e.start, e.body_start, e.end, int(e.is_empty))
            for e in reading.entries
        ],
    )
    values = []
    for c in reading.chunks:
        row, also_at = rows.get(c.chunk_id, (None, ()))
        places = [(s.file, s.start, s.end, s.line_start, s.line_end) for s in also_at]
        values.append(
            (
                *(row, c.chunk_id, c.file, c.entry, _dump(c.aliases), _dump(c.path)),
                *(c.start, c.end, c.line_start, c.line_end, c.text, _dump(places)),
            )
        )
    connection.executemany(
        f"INSERT INTO chunks (row, {_CHUNK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        values,
    )


class Store:
    """Read access to a written store, safe for use from several threads.

    Raises:
        DamagedIndexError: on any access, when SQLite finds the file broken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise DamagedIndexError(f"The store {path} cannot be opened ({error}). {REBUILD}") from error

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            self._connection.close()

    def chunk_rows(self, rows: Sequence[int]) -> list[Chunk]:
        """The chunks of these retrieval rows, in the order asked for."""
        marks = ",".join("?" * len(rows))
        found = {
            number: _chunk(values)
            for number, *values in self._all(
                f"SELECT row, {_CHUNK} FROM chunks WHERE row IN ({marks})",  # noqa: S608 - question marks only
                rows,
            )
        }
        return [found[row] for row in rows]

    def chunks(self) -> Iterator[Chunk]:
        """All chunks that retrieval sees, in row order."""
        query = f"SELECT {_CHUNK} FROM chunks WHERE row IS NOT NULL ORDER BY row"  # noqa: S608
        return (_chunk(values) for values in self._all(query))

    def entries(self) -> Iterator[Entry]:
        """All entries in the order in which they were written, empty ones included."""
        return (_entry(values) for values in self._all(f"SELECT {_ENTRY} FROM entries ORDER BY number"))  # noqa: S608

    def document_text(self, file: str) -> str | None:
        """The whole text of a document; None when there is no such document."""
        found = self._all("SELECT text FROM documents WHERE file = ?", [file])
        return str(found[0][0]) if found else None

    def reading(self, source: str) -> Reading:
        """What was read from one source file, as it was before merging."""
        documents = self._all(
            "SELECT file, text, sha256, flavour, encoding FROM documents WHERE source = ? ORDER BY rowid", [source]
        )
        of_source = "FROM {} WHERE file IN (SELECT file FROM documents WHERE source = ?) ORDER BY number"
        entries = self._all(f"SELECT {_ENTRY} {of_source.format('entries')}", [source])
        chunks = self._all(f"SELECT {_CHUNK} {of_source.format('chunks')}", [source])
        bare = [(*values[:-1], "[]") for values in chunks]
        return Reading(
            tuple(Document(*(str(value) for value in values)) for values in documents),
            tuple(_entry(values) for values in entries),
            tuple(_chunk(values) for values in bare),
        )

    def _all(self, query: str, arguments: Sequence[str | int] = ()) -> list[tuple[object, ...]]:
        try:
            with self._lock:
                return self._connection.execute(query, tuple(arguments)).fetchall()
        except sqlite3.Error as error:
            raise DamagedIndexError(f"The store {self._path} cannot be read ({error}). {REBUILD}") from error


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _strings(value: object) -> tuple[str, ...]:
    return tuple(json.loads(str(value)))


def _chunk(values: Sequence[object]) -> Chunk:
    chunk_id, file, entry, aliases, path, start, end, line_start, line_end, text, also_at = values
    return Chunk(
        chunk_id=str(chunk_id),
        file=str(file),
        entry=str(entry),
        aliases=_strings(aliases),
        path=_strings(path),
        start=_integer(start),
        end=_integer(end),
        line_start=_integer(line_start),
        line_end=_integer(line_end),
        text=str(text),
        also_at=tuple(SourceSpan(*place) for place in json.loads(str(also_at))),
    )


def _entry(values: Sequence[object]) -> Entry:
    file, title, aliases, path, start, body_start, end, is_empty = values
    return Entry(
        file=str(file),
        title=str(title),
        aliases=_strings(aliases),
        path=_strings(path),
        start=_integer(start),
        body_start=_integer(body_start),
        end=_integer(end),
        is_empty=bool(is_empty),
    )


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise DamagedIndexError(f"The store holds {value!r} where a number belongs. {REBUILD}")
    return value
