"""Which files are read: folders are walked in order, links that lead outside are refused."""

import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

SUFFIXES = frozenset({".md", ".markdown", ".txt", ".html", ".htm", ".pdf", ".docx", ".jsonl"})
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
# A word processor keeps a lock file of this name beside a document that is open.
_LOCK_PREFIX = "~$"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read. ``file`` is its POSIX path below the ingested root, unique within one ingest."""

    path: Path
    file: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A source, or a row of it, that cannot be read, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Found:
    source: SourceFile
    base: Path
    real: str


def discover(paths: Sequence[Path]) -> tuple[list[SourceFile], list[Failure]]:
    """Find the files to read below ``paths`` (folders or files), sorted by folder and name.

    Hidden files and folders are left out, and so are other kinds of file unless they are named themselves. Links
    are followed inside the root only; a file that is reached twice is read once. Where files of several roots
    would have the same name, the names of their roots come before it.
    """
    found: list[_Found] = []
    failures: list[Failure] = []
    for path in paths:
        for item in _under(path):
            if isinstance(item, Failure):
                failures.append(item)
            else:
                found.append(item)
    unique = {item.real: item for item in reversed(found)}
    ordered = [item for item in found if unique[item.real] is item]
    return _disambiguate(ordered), failures


def _under(path: Path) -> Iterator[_Found | Failure]:
    name = _printable(path.name or str(path))
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield Failure(_printable(str(path)), f"It cannot be opened: {error.strerror or error}. Check the path.")
        return
    if stat.S_ISDIR(mode):
        yield from _walk(path)
    elif not stat.S_ISREG(mode):
        yield Failure(name, "It is not a regular file but a device, a socket or a pipe. Name a file or a folder.")
    elif path.suffix.lower() not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        yield Failure(name, f"'{path.suffix}' is not a kind of file that can be read. Known kinds: {known}.")
    else:
        yield _Found(SourceFile(path, name), path.absolute().parent, os.path.realpath(path))


def _walk(root: Path) -> Iterator[_Found | Failure]:
    """Everything below a folder; links last, so that a file keeps the name of the place where it really is."""
    inside = os.path.realpath(root)
    pending = [root]
    links: list[Path] = []
    seen: set[str] = set()
    while pending or links:
        is_link = not pending
        path = pending.pop() if pending else links.pop(0)
        real = os.path.realpath(path)
        if is_link and os.path.commonpath([inside, real]) != inside:
            yield Failure(
                _relative(path, root), f"It is a link to {real}: a path outside of {root}. Add that one itself."
            )
            continue
        if real in seen:
            continue
        try:
            mode = path.stat().st_mode
            children = sorted(os.scandir(path), key=lambda entry: entry.name) if stat.S_ISDIR(mode) else []
        except OSError as error:
            yield Failure(
                _relative(path, root), f"It cannot be opened: {error.strerror or error}. Check its permissions."
            )
            continue
        seen.add(real)
        if stat.S_ISREG(mode):
            yield from _file(path, root, real)
        kept = [entry for entry in children if not _is_skipped(entry.name)]
        links.extend(Path(entry.path) for entry in kept if entry.is_symlink())
        pending.extend(Path(entry.path) for entry in reversed(kept) if not entry.is_symlink())


def _file(path: Path, root: Path, real: str) -> Iterator[_Found | Failure]:
    if path.suffix.lower() not in SUFFIXES:
        return
    file = path.relative_to(root).as_posix()
    if file != _printable(file):
        yield Failure(_printable(file), "Its name is not valid UTF-8. Rename it.")
        return
    yield _Found(SourceFile(path, file), root.absolute(), real)


def _is_skipped(name: str) -> bool:
    return name.startswith((".", _LOCK_PREFIX)) or name in _SKIPPED_FOLDERS


def _relative(path: Path, root: Path) -> str:
    return _printable(path.relative_to(root).as_posix() if path != root else root.name)


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _disambiguate(found: Sequence[_Found]) -> list[SourceFile]:
    """Put as many folder names of its root before each file as make all names different."""
    groups: dict[str, list[_Found]] = defaultdict(list)
    for item in found:
        groups[item.source.file].append(item)
    names: dict[str, str] = {}
    for file, group in groups.items():
        depth = 0
        deepest = max(len(item.base.parts) for item in group)
        prefixed = [file] * len(group)
        while len(set(prefixed)) < len(group) and depth < deepest:
            depth += 1
            prefixed = [_prefixed(item, depth) for item in group]
        names.update(zip((item.real for item in group), prefixed, strict=True))
    return [replace(item.source, file=names[item.real]) for item in found]


def _prefixed(item: _Found, depth: int) -> str:
    parts = [part for part in item.base.parts if part != item.base.anchor]
    return "/".join([*parts[-depth:], item.source.file])
