"""What an ingest did, file by file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class FileStatus(StrEnum):
    """What happened to one source file."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileReport:
    """One source file: its status, why it failed, and how much was read from it."""

    file: str
    status: FileStatus
    reason: str = ""
    documents: int = 0
    entries: int = 0
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The outcome of one ingest.

    ``chunks`` are what retrieval sees after ``merged`` duplicates were folded into others; ``embedded``
    of them were computed anew. ``changed`` is False when the old index still stands. ``seconds`` by stage.
    """

    files: tuple[FileReport, ...]
    entries: int
    chunks: int
    merged: int
    embedded: int
    changed: bool
    seconds: dict[str, float]
    repeated_lines: int = 0

    def count(self, status: FileStatus) -> int:
        """How many files have this status."""
        return sum(file.status is status for file in self.files)

    @property
    def failed(self) -> Sequence[FileReport]:
        """The files that could not be read."""
        return [file for file in self.files if file.status is FileStatus.FAILED]

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)
