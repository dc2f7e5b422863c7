"""Run files: what a run produced, one JSON object a line, safe against a kill at any moment.

Line kinds, in the order in which they are written::

    run        the header: what was run, with which models, prompts, commit, on which machine
    case       a question with its gold and the spans where the gold stands
    retrieval  the passages of every leg for one case
    answer     one answer for one case, mode and variant ("" is the plain question)

Every line is written and synced before the next piece of work begins, so a kill loses at most the
piece that was under way. A last line without a line end is that piece: it is ignored when reading
and cut off when the run continues.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from evals.cases import LocatedCase
from evals.machine import git_commit, machine
from evals.records import Plain, from_plain, to_plain
from rag.errors import UsageError
from rag.types import Answer, Leg, Mode, Passage

VERSION = 1
TEXTS_KEPT = 5
"""Passages of the hybrid leg whose text is kept for the report; the others are known by their spans."""

Key = tuple[str, str, str]
"""Case id, mode ("" for retrieval), variant."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a run is. Two runs with the same ``config_hash`` and ``commit`` would produce the same lines."""

    cases_file: str
    cases_hash: str
    fingerprint: Mapping[str, str]
    top: int
    config_hash: str
    commit: str
    machine: Mapping[str, str]
    started: str
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The passages of each leg for one case, best first; empty with an ``error``."""

    case_id: str
    legs: Mapping[Leg, tuple[Passage, ...]]
    seconds: float
    error: str = ""

    @property
    def key(self) -> Key:
        """What makes the record unique in its run."""
        return (self.case_id, "", "")


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, or the ``error`` that took its place. ``variant`` names a ladder's rung or a repeat."""

    case_id: str
    mode: Mode
    variant: str
    answer: Answer | None
    seconds: float
    peak_mb: float
    error: str = ""

    @property
    def key(self) -> Key:
        """What makes the record unique in its run."""
        return (self.case_id, str(self.mode), self.variant)


Record = Retrieval | Answered
RECORDS: Mapping[object, type[Record]] = {"retrieval": Retrieval, "answer": Answered}


@dataclass(frozen=True, slots=True)
class Run:
    """A run file as read: cases by id in file order, records in the order in which they were made."""

    header: Header
    cases: Mapping[str, LocatedCase]
    retrievals: tuple[Retrieval, ...]
    answers: tuple[Answered, ...]


def new_header(cases_file: str, located: Sequence[LocatedCase], fingerprint: Mapping[str, str], *, top: int) -> Header:
    """Describe a run that begins now."""
    cases_hash = _hash([to_plain(case) for case in located])
    return Header(
        cases_file=cases_file,
        cases_hash=cases_hash,
        fingerprint=dict(fingerprint),
        top=top,
        config_hash=_hash([cases_hash, dict(fingerprint), top, VERSION]),
        commit=git_commit(),
        machine=machine(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def default_path(folder: Path, header: Header) -> Path:
    """Where a run belongs when no file is named: the same work finds its own file again and continues."""
    return folder / f"{Path(header.cases_file).stem}-{header.config_hash[:8]}-{header.commit}.jsonl"


class RunFile:
    """A run file open for appending. ``done`` holds the keys of the records it already has."""

    def __init__(self, path: Path, header: Header, cases: Iterable[LocatedCase]) -> None:
        """Begin the file, or continue it.

        Raises:
            UsageError: the file belongs to another run (other cases, models, prompts, settings or commit).
        """
        self.path = path
        self.done: set[Key] = set()
        written: set[str] = set()
        if path.exists() and _cut_tail(path):
            run = read_run(path)
            _check_same(run.header, header, path)
            self.done = {r.key for r in run.retrievals} | {r.key for r in run.answers}
            written = set(run.cases)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write([{"kind": "run"} | to_plain(header)])
        self._write([{"kind": "case"} | to_plain(case) for case in cases if case.case.id not in written])

    def append(self, record: Record) -> None:
        """Write one record and sync it to the disk."""
        self._write([_plain(record)])
        self.done.add(record.key)

    def _write(self, rows: Sequence[Plain]) -> None:
        if not rows:
            return
        block = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        with self.path.open("ab") as file:
            file.write(block.encode())
            file.flush()
            os.fsync(file.fileno())


def read_run(path: Path) -> Run:
    """Read a run file; an unfinished last line is ignored, a repeated record counts once (the first).

    Raises:
        UsageError: the file cannot be read, has no header, or a finished line is damaged.
    """
    rows = _lines(path)
    where, first = next(rows, (str(path), {}))
    if first.get("kind") != "run" or first.get("version") != VERSION:
        raise UsageError(f"{path} is not a run file of version {VERSION}. Make one with: python -m evals run")
    header = from_plain(Header, first, where)
    cases: dict[str, LocatedCase] = {}
    records: dict[Key, Record] = {}
    for where, row in rows:
        kind = row.get("kind")
        if kind == "case":
            case = from_plain(LocatedCase, row, where)
            cases[case.case.id] = case
        elif kind in RECORDS:
            record = from_plain(RECORDS[kind], row, where)
            records.setdefault(record.key, record)
        else:
            raise UsageError(f"{where}: unknown line kind {kind!r}. The file was written by another version.")
    return Run(
        header,
        cases,
        tuple(record for record in records.values() if isinstance(record, Retrieval)),
        tuple(record for record in records.values() if isinstance(record, Answered)),
    )


def _plain(record: Record) -> Plain:
    if isinstance(record, Retrieval):
        legs = {leg: tuple(_slim(leg, passage) for passage in found) for leg, found in record.legs.items()}
        return {"kind": "retrieval"} | to_plain(replace(record, legs=legs))
    answer = None if record.answer is None else record.answer.to_dict()
    return {"kind": "answer"} | to_plain(replace(record, answer=None)) | {"answer": answer}


def _slim(leg: Leg, passage: Passage) -> Passage:
    """Without its text, unless the report shows it: a run of 100 cases keeps 8,000 passages."""
    return passage if leg is Leg.HYBRID and passage.rank <= TEXTS_KEPT else replace(passage, text="")


def _lines(path: Path) -> Iterator[tuple[str, Plain]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"The run file {path} cannot be read: {error}.") from error
    finished = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(finished.split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(
                f"{path}:{number} is damaged: {error}. Remove that line; its case is run again."
            ) from error
        if not isinstance(row, dict):
            raise UsageError(f"{path}:{number}: expected a JSON object. Remove that line.")
        yield f"{path}:{number}", row


def _cut_tail(path: Path) -> int:
    """Drop an unfinished last line; returns the size that is left."""
    content = path.read_bytes()
    size = content.rfind(b"\n") + 1
    if size != len(content):
        os.truncate(path, size)
    return size


def _check_same(old: Header, new: Header, path: Path) -> None:
    for name in ("config_hash", "commit"):
        if getattr(old, name) != getattr(new, name):
            raise UsageError(
                f"{path} belongs to another run: its {name} is {getattr(old, name)}, now it is {getattr(new, name)}. "
                "Name another file with --out, or remove this one."
            )


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return sha256(text.encode()).hexdigest()
