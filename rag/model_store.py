"""Where the models live on this machine, and how they get there.

Below ``root()`` (the user's cache folder, or ``MINGBAI_MODELS_DIR``)::

    <id>/<id>.gguf  or  <id>/…     one model; shared by all clones of Mingbai
    <id>.stamp.json                what the last full check saw (see model_stamp)
    parts/<id>/                    a download that is not finished; a later pull goes on with it
    <id>.lock                      held by the one pull that works on this model

A model appears under its name only when it is whole and has the allowed hash.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import platformdirs
from filelock import FileLock, Timeout

from rag import catalogue
from rag.errors import LicenceError, ModelHashError, ModelMissingError, StorageError
from rag.fetch import Downloads, fetch
from rag.fetch_index import Progress, ticker
from rag.manifest import sync_folder
from rag.model_card import LocalSource, ModelCard
from rag.model_stamp import check_fully, has_sizes, is_stamped, repair, write_stamp

MODELS_VARIABLE = "MINGBAI_MODELS_DIR"
State = Literal["ready", "unchecked", "changed", "missing"]


def no_progress(_label: str, _done: int, _total: int) -> None:
    """Tell nobody about bytes done of bytes in all."""


def root() -> Path:
    """The folder that holds all models; it need not exist."""
    if named := os.environ.get(MODELS_VARIABLE):
        return Path(named).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("mingbai")) / "models"


def place_of(card: ModelCard) -> Path:
    """The GGUF file or the folder of a model, there or not."""
    for source in card.sources:
        if isinstance(source, LocalSource) and (source.path.exists() or len(card.sources) == 1):
            return source.path
    return root() / card.id / card.files[0].name if card.layout == "gguf" else root() / card.id


def state_of(card: ModelCard) -> State:
    """How a model stands, without hashing: "unchecked" has the right sizes but was not hashed as it is now."""
    place = place_of(card)
    if not place.exists():
        return "missing"
    if is_stamped(card, place, _stamp(card)):
        return "ready"
    return "unchecked" if has_sizes(card, place) else "changed"


def locate(model_id: str) -> Path:
    """The GGUF file or the folder of a model, checked: by its stamp where one fits, else by hashing it all.

    Raises:
        UnknownModelError: no such id.
        ModelMissingError: it is not on this machine, or not whole.
        ModelHashError: the bytes are not the allowed ones.
    """
    card = catalogue.find(model_id)
    place = place_of(card)
    return place if is_stamped(card, place, _stamp(card)) else verify(model_id)


def verify(model_id: str, *, progress: Progress = no_progress) -> Path:
    """Hash every byte of a model, whatever its stamp says. Returns and raises as ``locate``."""
    card = catalogue.find(model_id)
    place = place_of(card)
    if not place.exists():
        raise ModelMissingError(f"Model '{card.id}' is not on this machine ({place} is not there). {repair(card)}")
    try:
        check_fully(card, place, ticker("checking", card.size, progress))
    except ModelHashError:
        _stamp(card).unlink(missing_ok=True)
        raise
    except OSError as error:
        raise ModelMissingError(f"Model '{card.id}' cannot be read: {error}. Check the rights of {place}.") from error
    write_stamp(card, place, _stamp(card))
    return place


def pull(
    model_id: str,
    *,
    accept_licence: Callable[[ModelCard], bool],
    progress: Progress = no_progress,
    downloads: Downloads | None = None,
    only: str = "",
) -> Path:
    """Bring a model here unless it is here already, and return its file or folder.

    Safe to call at any time and from several processes: one downloads, the others wait for it.
    ``accept_licence`` is asked before anything is downloaded; ``only`` names one type of source.

    Raises:
        UnknownModelError, LicenceError, DownloadError, ModelHashError, StorageError: nothing that could
            be loaded is left behind; finished parts are kept for the next try.
    """
    card = catalogue.find(model_id)
    if (place := _usable(card)) is not None:
        return place
    if not accept_licence(card):
        raise LicenceError(
            f"The licence of '{card.id}' ({card.licence}, {card.licence_url}) was not accepted."
            f" Read it, then run: mingbai models pull --yes {card.id}"
        )
    work = root() / "parts" / card.id
    with _storage_errors():
        work.mkdir(parents=True, exist_ok=True)
        with _alone(card, progress):
            if (place := _usable(card)) is None:
                ready = fetch(card, work, downloads=downloads or Downloads(), progress=progress, only=only)
                place = _install(card, ready)
            shutil.rmtree(work, ignore_errors=True)
    return place


def _usable(card: ModelCard) -> Path | None:
    try:
        return locate(card.id)
    except (ModelMissingError, ModelHashError):
        return None


def _install(card: ModelCard, ready: Path) -> Path:
    """Move what was fetched and checked to its name. Both are on one disk, so this is a rename."""
    place = place_of(card)
    _stamp(card).unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    ready.replace(place)
    sync_folder(place.parent)
    write_stamp(card, place, _stamp(card))
    return place


def _stamp(card: ModelCard) -> Path:
    return root() / f"{card.id}.stamp.json"


@contextmanager
def _alone(card: ModelCard, progress: Progress) -> Iterator[None]:
    lock = FileLock(root() / f"{card.id}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("waiting for another download of the same model", 0, card.size)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "The disk is full" if full else f"The disk cannot be written ({error.strerror or error})"
        raise StorageError(
            f"{what} at {root()}. Free some space, or set {MODELS_VARIABLE} to a folder on another disk, and run the"
            " same command again: finished parts are kept."
        ) from error
