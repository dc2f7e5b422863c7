"""Where the notes of an index come from: folders that a person named, and files that were uploaded.

An ingest makes an index hold exactly what it is given, so the page has to know all of it every time.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from rag.errors import StorageError, UsageError
from rag.manifest import write_atomically

FILE = "sources.json"
UPLOADS = "uploads"
MAX_FOLDERS = 20
MAX_FILES = 500
MAX_BYTES = 64 * 1024 * 1024
MAX_NAME_BYTES = 200
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a browser sent it."""

    name: str
    content: bytes


class Sources:
    """The sources of the index in ``index``, remembered in the user's data folder.

    Raises:
        StorageError: on any change, when the disk is full or not writable.
    """

    def __init__(self, index: Path, root: Path | None = None) -> None:
        self._index = str(index.absolute())
        self._root = root or Path(platformdirs.user_data_dir("mingbai"))
        self.uploads = self._root / UPLOADS / hashlib.sha256(self._index.encode()).hexdigest()[:12]

    def folders(self) -> list[Path]:
        """The folders and files that were named, in that order."""
        return [Path(path) for path in self._all().get(self._index, [])]

    def paths(self) -> list[Path]:
        """All that an ingest reads: what was named, and the uploads when there are any."""
        return [*self.folders(), *([self.uploads] if self.uploaded() else [])]

    def add(self, path: str) -> Path:
        """Remember a folder or a file.

        Raises:
            UsageError: it is not there, or there are MAX_FOLDERS already.
        """
        folder = Path(path.strip().strip("\"'")).expanduser().absolute()
        if not path.strip() or not folder.exists():
            raise UsageError(f"There is no folder '{folder if path.strip() else ''}'. Name one of this computer.")
        kept = self.folders()
        if folder in kept:
            return folder
        if len(kept) >= MAX_FOLDERS:
            raise UsageError(f"{MAX_FOLDERS} folders are the most. Remove one, or name the folder above them.")
        self._keep([*kept, folder])
        return folder

    def remove(self, path: Path) -> None:
        """Forget a folder; the folder itself is not touched."""
        self._keep([kept for kept in self.folders() if kept != path])

    def uploaded(self) -> list[Path]:
        """The uploaded files by name."""
        found = self.uploads.iterdir() if self.uploads.is_dir() else ()
        return sorted(p for p in found if p.is_file() and not p.name.startswith("."))

    def upload(self, files: Sequence[Upload]) -> list[Path]:
        """Keep uploaded files; one of the same name is replaced.

        Raises:
            UsageError: a name that cannot be one, a kind of file that is not read, a file that is too big, or too
                many files. Nothing is kept then.
        """
        from ingest.discover import SUFFIXES

        named = {safe_name(file.name): file for file in files}
        there = {path.name for path in self.uploaded()}
        if len(there | named.keys()) > MAX_FILES:
            raise UsageError(f"{MAX_FILES} uploaded files are the most. Put them into a folder and name the folder.")
        for name, file in named.items():
            if Path(name).suffix.lower() not in SUFFIXES:
                raise UsageError(f"'{file.name}' is not of a kind that is read: {', '.join(sorted(SUFFIXES))}.")
            if len(file.content) > MAX_BYTES:
                raise UsageError(f"'{file.name}' has more than {MAX_BYTES // 2**20} MB. Split it, or name its folder.")
        try:
            self.uploads.mkdir(parents=True, exist_ok=True)
            for name, file in named.items():
                # A leading dot hides the half-written file from an ingest that runs now.
                partial = self.uploads / f".{name}"
                partial.write_bytes(file.content)
                partial.replace(self.uploads / name)
        except OSError as error:
            raise StorageError(f"{self.uploads} cannot be written: {error.strerror}. Free disk space.") from error
        return [self.uploads / name for name in named]

    def discard(self, name: str) -> None:
        """Delete an uploaded file; without effect when it is not there."""
        if name in {path.name for path in self.uploaded()}:
            (self.uploads / name).unlink(missing_ok=True)

    def _all(self) -> dict[str, list[str]]:
        try:
            tree = json.loads((self._root / FILE).read_text(encoding="utf-8"))
            return {str(index): [str(path) for path in paths] for index, paths in tree.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _keep(self, folders: Sequence[Path]) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self._root} cannot be made: {error.strerror}. Set XDG_DATA_HOME.") from error
        kept = {**self._all(), self._index: [str(folder) for folder in folders]}
        write_atomically(self._root / FILE, json.dumps(kept, ensure_ascii=False, indent=1))


def safe_name(name: str) -> str:
    """The name of an uploaded file without folders, hidden beginnings and characters that a system refuses.

    Raises:
        UsageError: nothing of it is left, or it is longer than MAX_NAME_BYTES in UTF-8.
    """
    last = unicodedata.normalize("NFC", name.replace("\\", "/")).rsplit("/", 1)[-1]
    clean = _UNSAFE.sub("_", last).strip().lstrip(".~ ")
    encoded = clean.encode("utf-8", "replace")
    if not Path(clean).stem or not encoded or len(encoded) > MAX_NAME_BYTES:
        raise UsageError(f"'{name[:80]}' cannot be the name of a file. Rename it, then upload it again.")
    return encoded.decode("utf-8")
