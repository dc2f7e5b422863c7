"""The chats of this computer's user, in one SQLite file: they survive a reload, a restart and a crash."""

import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from rag.errors import StorageError
from rag.types import Answer, Mode

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FILE = "conversations.sqlite"
TITLE_CHARS = 60
# Two servers may share the file; a write takes milliseconds.
_BUSY_SECONDS = 5.0
_VERSION = 2
_SCHEMA = """
CREATE TABLE conversations (conversation_id TEXT PRIMARY KEY, title TEXT NOT NULL, created TEXT NOT NULL,
    updated TEXT NOT NULL);
CREATE TABLE turns (turn_id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
    question TEXT NOT NULL, mode TEXT NOT NULL, status TEXT NOT NULL, answer TEXT, error TEXT NOT NULL,
    asked TEXT NOT NULL);
CREATE INDEX turns_by_conversation ON turns (conversation_id, turn_id);
"""
# Version 2 keeps what readers thought of answers.
_RATINGS = """CREATE TABLE ratings (turn_id INTEGER PRIMARY KEY REFERENCES turns ON DELETE CASCADE,
    is_good INTEGER NOT NULL, reason TEXT NOT NULL)"""


# In LIKE these stand for other characters; "|" takes that away.
_LITERAL = str.maketrans({"%": "|%", "_": "|_", "|": "||"})


class Status(StrEnum):
    """What became of a question. ``RUNNING`` without anyone at work means that the program ended meanwhile."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat. Times are ISO 8601 in UTC."""

    conversation_id: str
    title: str
    created: str
    updated: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what became of it. ``answer`` is there when done, and when stopped if there is any."""

    turn_id: int
    conversation_id: str
    question: str
    mode: Mode
    status: Status
    answer: Answer | None
    error: str
    asked: str


@dataclass(frozen=True, slots=True)
class Rating:
    """What a reader thought of an answer; ``reason`` may be empty."""

    is_good: bool
    reason: str


class Conversations:
    """All chats in the file ``path``; safe to use from several threads and processes.

    Raises:
        StorageError: on any call, when the file cannot be opened, read or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or default_path()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self._path.parent} cannot be made: {error.strerror}. Set XDG_DATA_HOME.") from error
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version < _VERSION:
                for statement in (*(_SCHEMA.split(";") if version == 0 else ()), _RATINGS):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            elif version > _VERSION:
                raise StorageError(
                    f"{self._path} has version {version}, this program reads {_VERSION}. Update Mingbai, or move it."
                )

    def recent(self, limit: int = 100, words: str = "") -> list[Conversation]:
        """The chats, last used first; only those with ``words`` in their title, a question or an answer."""
        wanted = f"%{words.strip().translate(_LITERAL)}%"
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT conversation_id, title, created, updated FROM conversations AS c WHERE title LIKE ? ESCAPE '|' "
                "OR EXISTS (SELECT 1 FROM turns AS t WHERE t.conversation_id = c.conversation_id AND "
                "(t.question LIKE ? ESCAPE '|' OR json_extract(t.answer, '$.text') LIKE ? ESCAPE '|')) "
                "ORDER BY updated DESC, conversation_id LIMIT ?",
                [wanted, wanted, wanted, limit],
            )
            return [Conversation(*row) for row in rows]

    def find(self, conversation_id: str) -> Conversation | None:
        """The chat of this id; None when there is none."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT conversation_id, title, created, updated FROM conversations WHERE conversation_id = ?",
                [conversation_id],
            ).fetchone()
        return Conversation(*row) if row else None

    def create(self, title: str) -> Conversation:
        """Begin a chat; its id is long and random, because it stands in the address of the page."""
        now = _now()
        made = Conversation(uuid.uuid4().hex, _short(title), now, now)
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?)",
                [made.conversation_id, made.title, made.created, made.updated],
            )
        return made

    def rename(self, conversation_id: str, title: str) -> None:
        """Give a chat another title; a blank one changes nothing."""
        if not title.strip():
            return
        with self._connection() as connection:
            connection.execute(
                "UPDATE conversations SET title = ? WHERE conversation_id = ?", [_short(title), conversation_id]
            )

    def delete(self, conversation_id: str) -> None:
        """Remove a chat with its turns."""
        with self._connection() as connection:
            connection.execute("DELETE FROM conversations WHERE conversation_id = ?", [conversation_id])

    def turns(self, conversation_id: str) -> list[Turn]:
        """The turns of a chat, oldest first."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT turn_id, conversation_id, question, mode, status, answer, error, asked FROM turns "
                "WHERE conversation_id = ? ORDER BY turn_id",
                [conversation_id],
            ).fetchall()
        return [_turn(row) for row in rows]

    def begin(self, conversation_id: str, question: str, mode: Mode) -> Turn:
        """Write down a question before anyone works on it."""
        now = _now()
        values = [conversation_id, question, mode.value, Status.RUNNING.value, None, "", now]
        with self._connection() as connection:
            turn_id = connection.execute(
                "INSERT INTO turns (conversation_id, question, mode, status, answer, error, asked) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
            connection.execute("UPDATE conversations SET updated = ? WHERE conversation_id = ?", [now, conversation_id])
        return Turn(turn_id or 0, conversation_id, question, mode, Status.RUNNING, None, "", now)

    def finish(self, turn_id: int, status: Status, *, answer: Answer | None = None, error: str = "") -> None:
        """Write down what became of a question; without effect when its chat was deleted meanwhile."""
        text = None if answer is None else _adapter().dump_json(answer).decode()
        with self._connection() as connection:
            connection.execute(
                "UPDATE turns SET status = ?, answer = ?, error = ? WHERE turn_id = ?",
                [status.value, text, error, turn_id],
            )

    def rate(self, turn_id: int, rating: Rating | None) -> None:
        """Write down what a reader thought of an answer; None takes it back."""
        with self._connection() as connection:
            if rating is None:
                connection.execute("DELETE FROM ratings WHERE turn_id = ?", [turn_id])
                return
            connection.execute(
                "INSERT OR REPLACE INTO ratings SELECT turn_id, ?, ? FROM turns WHERE turn_id = ?",
                [rating.is_good, rating.reason.strip(), turn_id],
            )

    def ratings(self, conversation_id: str) -> dict[int, Rating]:
        """What readers thought of the answers of a chat, by turn."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT turn_id, is_good, reason FROM ratings JOIN turns USING (turn_id) WHERE conversation_id = ?",
                [conversation_id],
            )
            return {turn_id: Rating(bool(is_good), reason) for turn_id, is_good, reason in rows}

    def rated(self) -> list[tuple[Turn, Rating]]:
        """Every rated turn of all chats, oldest first."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT turn_id, conversation_id, question, mode, status, answer, error, asked, is_good, reason "
                "FROM ratings JOIN turns USING (turn_id) ORDER BY turn_id"
            ).fetchall()
        return [(_turn(row[:-2]), Rating(bool(row[-2]), row[-1])) for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS)
            try:
                connection.execute("PRAGMA foreign_keys = ON")
                with connection:
                    yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StorageError(
                f"The chats in {self._path} cannot be read or written ({error}). Free disk space, or move the file."
            ) from error


def default_path() -> Path:
    """Where chats are kept: the user's data folder (XDG_DATA_HOME on Linux)."""
    return Path(platformdirs.user_data_dir("mingbai")) / FILE


def _turn(row: Sequence[object]) -> Turn:
    turn_id, conversation_id, question, mode, status, text, error, asked = row
    answer = None
    if isinstance(text, str):
        try:
            answer = _adapter().validate_json(text)
        except ValueError as unreadable:
            status, error = Status.FAILED, f"The stored answer cannot be read: {str(unreadable).splitlines()[0]}"
    return Turn(
        int(str(turn_id)),
        str(conversation_id),
        str(question),
        Mode(str(mode)),
        Status(str(status)),
        answer,
        str(error),
        str(asked),
    )


@cache
def _adapter() -> "TypeAdapter[Answer]":
    from pydantic import TypeAdapter

    return TypeAdapter(Answer)


def _short(title: str) -> str:
    line = " ".join(title.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1] + "…"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
