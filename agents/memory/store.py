"""All turns of all conversations in one SQLite file, with the vectors of question and answer together.

Vectors are raw little-endian float32 and belong to one embedding model; another model computes its own.
"""

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from rag.errors import StorageError, UsageError
from rag.protocols import Vectors

_BUSY_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS memory_turns (turn_id INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT NOT NULL,
    question TEXT NOT NULL, answer TEXT NOT NULL, said TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS memory_turns_by_conversation ON memory_turns (conversation, turn_id);
CREATE TABLE IF NOT EXISTS memory_vectors (turn_id INTEGER NOT NULL REFERENCES memory_turns ON DELETE CASCADE,
    model TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (turn_id, model));
"""
_DTYPE = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer. ``said`` is ISO 8601 in UTC; ids grow with time."""

    turn_id: int
    conversation: str
    question: str
    answer: str
    said: str

    @property
    def text(self) -> str:
        """Both sides, as they are embedded and counted."""
        return f"{self.question}\n{self.answer}"


class TurnStore:
    """The turns in the file ``path``; safe to use from several threads. ``":memory:"`` keeps them in memory only.

    Raises:
        StorageError: on any call, when the file cannot be opened, read or written.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        try:
            if self._path != ":memory:":
                Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, check_same_thread=False)
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise self._broken(error) from error

    def add(self, conversation: str, question: str, answer: str) -> Turn:
        """Store a turn and return it.

        Raises:
            UsageError: the question is empty.
        """
        if not question.strip():
            raise UsageError("A turn needs a question.")
        said = datetime.now(UTC).isoformat(timespec="milliseconds")
        row = (conversation, question, answer, said)
        cursor = self._execute(
            "INSERT INTO memory_turns (conversation, question, answer, said) VALUES (?, ?, ?, ?)", row
        )
        return Turn(int(cursor.lastrowid or 0), *row)

    def turns(self, conversation: str) -> list[Turn]:
        """All turns of a conversation, oldest first."""
        rows = self._execute(
            "SELECT turn_id, conversation, question, answer, said FROM memory_turns WHERE conversation = ? "
            "ORDER BY turn_id",
            (conversation,),
        ).fetchall()
        return [Turn(*row) for row in rows]

    def forget(self, conversation: str) -> int:
        """Delete a conversation with its vectors; the number of turns that were deleted."""
        return self._execute("DELETE FROM memory_turns WHERE conversation = ?", (conversation,)).rowcount

    def vectors(self, turns: Sequence[Turn], model: str) -> dict[int, Vectors]:
        """The stored vectors of turns under one embedding model, by turn id; missing ones are left out."""
        found: dict[int, Vectors] = {}
        for turn in turns:
            row = self._execute(
                "SELECT vector FROM memory_vectors WHERE turn_id = ? AND model = ?", (turn.turn_id, model)
            ).fetchone()
            if row is not None:
                found[turn.turn_id] = np.frombuffer(row[0], dtype=_DTYPE).astype(np.float32)
        return found

    def keep_vectors(self, vectors: dict[int, Vectors], model: str) -> None:
        """Store vectors by turn id; existing ones are replaced."""
        for turn_id, vector in vectors.items():
            blob = np.asarray(vector, dtype=_DTYPE).tobytes()
            self._execute("INSERT OR REPLACE INTO memory_vectors VALUES (?, ?, ?)", (turn_id, model, blob))

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> "TurnStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _execute(self, statement: str, values: Sequence[object]) -> sqlite3.Cursor:
        try:
            with self._lock, self._connection:
                return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> StorageError:
        return StorageError(f"The memory file {self._path} cannot be used: {error}. Free space or name another file.")
