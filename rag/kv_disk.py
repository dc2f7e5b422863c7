"""KV blocks in files, so that a restart does not read the same notes again. Off unless ``engine.disk_cache_mb`` is set.

Each file is a mark, the sha256 of the rest, and the raw state: never a pickle. It is written under another name and
renamed, so a crash leaves no half block; a file that does not fit its checksum is removed and counts as missing.
"""

import hashlib
import logging
import os
import secrets
from pathlib import Path

import numpy as np

from rag.kv_store import State

_log = logging.getLogger(__name__)
_MARK = b"MINGBAI-KV-1\n"
_HEADER = len(_MARK) + hashlib.sha256().digest_size
_SUFFIX = ".kv"


class DiskTier:
    """Blocks in one folder that only the user can read, at most ``budget`` bytes; the longest unused go first.

    Several processes may share a folder: what another one removed or wrote is a miss or a hit, never an error.
    """

    def __init__(self, folder: Path, *, budget: int) -> None:
        self._folder = folder
        self._budget = budget
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._size = sum(size for _, size, _ in self._files())

    def __contains__(self, key: bytes) -> bool:
        return self._path(key).is_file()

    def get(self, key: bytes) -> State | None:
        """The block, or None when it is not there or damaged."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        payload = memoryview(content)[_HEADER:]
        if content[:_HEADER] != _MARK + hashlib.sha256(payload).digest():
            _log.warning("The cached state %s was damaged; it is made anew.", path)
            path.unlink(missing_ok=True)
            return None
        return np.frombuffer(payload, dtype=np.uint8)

    def put(self, key: bytes, state: State) -> None:
        """Write a block, then remove the longest unused ones beyond the budget. A full disk costs only the cache."""
        path = self._path(key)
        draft = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
        payload = state.tobytes()
        try:
            draft.write_bytes(_MARK + hashlib.sha256(payload).digest() + payload)
            draft.replace(path)
        except OSError as error:
            _log.warning("The state of a prompt was not kept in %s: %s.", self._folder, error.strerror)
            draft.unlink(missing_ok=True)
            return
        self._size += _HEADER + len(payload)
        if self._size > self._budget:
            self._shrink()

    def _shrink(self) -> None:
        files = sorted(self._files())
        self._size = sum(size for _, size, _ in files)
        for _, size, path in files:
            if self._size <= self._budget:
                return
            path.unlink(missing_ok=True)
            self._size -= size

    def _files(self) -> list[tuple[float, int, Path]]:
        """When each block was last used, its bytes, and its file."""
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # another process was faster
                continue
            found.append((stat.st_mtime, stat.st_size, path))
        return found

    def _path(self, key: bytes) -> Path:
        return self._folder / f"{key.hex()}{_SUFFIX}"
