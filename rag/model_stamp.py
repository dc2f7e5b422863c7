"""Is what lies on disk the model of the catalogue? Fully by hash once, by size and time afterwards.

Hashing 1 GB at every start costs a second; a stamp written after a full check holds size, mtime and
sha256 of every file, and is trusted while size and mtime stay. It guards against accidents and
swapped files, not against somebody who can write to the folder and forges the times as well.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from rag.errors import ModelHashError, ModelMissingError, StorageError
from rag.manifest import write_atomically
from rag.model_card import ModelCard

# Large enough that Python's share of hashing vanishes, small enough for a smooth progress bar.
BLOCK_BYTES = 4 * 1024 * 1024
# Papers that may lie beside the weights; nothing loads them.
_UNCHECKED_SUFFIXES = frozenset({".md", ".ipynb"})

Tick = Callable[[int], None]


def no_tick(_: int) -> None:
    """Report to nobody how many bytes were done."""


def hash_file(path: Path, tick: Tick = no_tick) -> str:
    """The sha256 of a file; ``tick`` hears of every block of bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            tick(len(block))
    return digest.hexdigest()


def check_fully(card: ModelCard, place: Path, tick: Tick = no_tick) -> None:
    """Hash every file of a model.

    Raises:
        ModelMissingError: a file is not there.
        ModelHashError: names the first file that is too many or has other bytes.
    """
    paths = _expected(card, place)
    for name, path in paths.items():
        if not path.is_file():
            raise ModelMissingError(f"Model '{card.id}' lacks its file '{name}' in {place}. {repair(card)}")
    if extra := _extra(card, place):
        raise ModelHashError(f"{extra} does not belong to model '{card.id}'. Move it away. {repair(card)}")
    for file in card.files:
        actual = hash_file(paths[file.name], tick)
        if actual != file.sha256:
            raise ModelHashError(
                f"{paths[file.name]} is not the file of model '{card.id}': its sha256 is {actual}, allowed is"
                f" {file.sha256}. {repair(card)}"
            )


def write_stamp(card: ModelCard, place: Path, stamp: Path) -> None:
    """Remember that ``place`` was fully checked just now. A folder that cannot be written goes without."""
    seen = {name: [*_facts(path), sha256] for name, path, sha256 in _rows(card, place)}
    with suppress(StorageError):  # a shared, read-only folder: it is then hashed at every start
        write_atomically(stamp, json.dumps({"model": card.sha256, "place": str(place), "files": seen}, indent=1))


def is_stamped(card: ModelCard, place: Path, stamp: Path) -> bool:
    """Whether the stamp is for this card and place, and every file still has its size and mtime."""
    try:
        found = json.loads(stamp.read_text(encoding="utf-8"))
        seen = {name: [*_facts(path), sha256] for name, path, sha256 in _rows(card, place)}
    except (OSError, ValueError):
        return False
    wanted = {"model": card.sha256, "place": str(place), "files": seen}
    return bool(found == wanted) and _extra(card, place) is None


def has_sizes(card: ModelCard, place: Path) -> bool:
    """Whether every file is there with its size: cheap, and no proof."""
    paths = _expected(card, place)
    return all(paths[f.name].is_file() and paths[f.name].stat().st_size == f.size for f in card.files)


def repair(card: ModelCard) -> str:
    """The next step for a model that is not as it should be."""
    if any(source.type == "local" for source in card.sources):
        return f"Put the file back, or take '{card.id}' out of your catalogue and run: mingbai models add PATH"
    return f"Run: mingbai models pull {card.id}"


def _expected(card: ModelCard, place: Path) -> Mapping[str, Path]:
    if card.layout == "gguf":
        return {card.files[0].name: place}
    return {file.name: place / file.name for file in card.files}


def _rows(card: ModelCard, place: Path) -> list[tuple[str, Path, str]]:
    paths = _expected(card, place)
    return [(file.name, paths[file.name], file.sha256) for file in card.files]


def _facts(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _extra(card: ModelCard, place: Path) -> Path | None:
    """The first file that a loader could pick up although the catalogue does not know it."""
    if card.layout == "gguf":
        return None
    known = set(_expected(card, place).values())
    found = (path for path in sorted(place.rglob("*")) if not path.is_dir() and path not in known)
    return next((p for p in found if p.suffix.lower() not in _UNCHECKED_SUFFIXES), None)
