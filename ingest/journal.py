"""Vectors of an unfinished ingest, kept so that a killed one goes on where it stopped.

One SQLite file in the index folder; a row is a vector with its key and a CRC-32. It is removed once the
snapshot that holds the vectors answers.
"""

import hashlib
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rag.errors import StorageError
from rag.protocols import Vectors

FILE = "journal.sqlite"


def embedding_key(model_hash: str, title: str, text: str) -> str:
    """What a vector depends on, as 32 hex digits: equal keys have equal vectors."""
    return hashlib.sha256("\0".join((model_hash, title, text)).encode()).hexdigest()[:32]


class Journal:
    """Vectors by key, durable after every ``put``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = sqlite3.connect(path)
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, crc INTEGER, vector BLOB)"
            )
        except sqlite3.DatabaseError:
            # Half a file of a killed ingest holds nothing that cannot be computed again.
            path.unlink(missing_ok=True)
            self._connection = sqlite3.connect(path)
            self._connection.execute("CREATE TABLE vectors (key TEXT PRIMARY KEY, crc INTEGER, vector BLOB)")

    def put(self, vectors: Mapping[str, Vectors]) -> None:
        """Add vectors.

        Raises:
            StorageError: the disk is full or not writable.
        """
        rows = [(key, zlib.crc32(v.tobytes()), v.astype(np.float32).tobytes()) for key, v in vectors.items()]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"{self._path} cannot be written: {error}. Free space or choose another --index."
            ) from error

    def get(self, keys: Sequence[str], dimension: int) -> dict[str, Vectors]:
        """The stored vectors of these keys; damaged or missing ones are left out."""
        found: dict[str, Vectors] = {}
        for key in keys:
            row = self._connection.execute("SELECT crc, vector FROM vectors WHERE key = ?", [key]).fetchone()
            if row is not None and len(row[1]) == 4 * dimension and zlib.crc32(row[1]) == row[0]:
                found[key] = np.frombuffer(row[1], dtype=np.float32)
        return found

    def discard(self) -> None:
        """Close and remove the file."""
        self._connection.close()
        for suffix in ("", "-journal", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file and keep it."""
        self._connection.close()
