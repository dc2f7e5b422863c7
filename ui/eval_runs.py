"""The run files of this folder: listed at once, scored when someone looks, each scoring kept until its file changes."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from evals.judges.lexical import LexicalJudge
from evals.report import as_json
from evals.runs import Header, read_run
from evals.score import score_run
from evals.scored import Scored
from rag.errors import UsageError

# Scoring a run of a hundred answers takes seconds and some megabytes.
KEPT = 24


@dataclass(frozen=True, slots=True)
class Listed:
    """A run file as a list shows it. ``stamp`` changes with the file."""

    path: Path
    stamp: int
    header: Header
    answers: int
    retrievals: int

    @property
    def name(self) -> str:
        """What the file is called, without its ending."""
        return self.path.stem


class RunShelf:
    """The runs in a folder. Safe to use from several threads.

    Args:
        folder: where the harness writes its run files; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._read = lru_cache(maxsize=4 * KEPT)(_listed)
        self._scored = lru_cache(maxsize=KEPT)(_score)

    def runs(self) -> list[Listed]:
        """All runs that can be read, newest first."""
        return sorted(self._found(), key=lambda run: run.header.started, reverse=True)

    def find(self, name: str) -> Listed | None:
        """The run of this name; None when there is none."""
        return next((run for run in self._found() if run.name == name), None)

    def scored(self, run: Listed) -> Scored:
        """The figures of a run, by the lexical judge: no model is asked.

        Raises:
            UsageError: the file cannot be read any more.
        """
        with self._lock:
            return self._scored(run.path, run.stamp)

    def _found(self) -> Iterator[Listed]:
        for path in self._folder.glob("*.jsonl") if self._folder.is_dir() else ():
            try:
                stamp = path.stat().st_mtime_ns
                yield self._read(path, stamp)
            except (OSError, UsageError):
                # Verdicts of judges and half-made files lie beside the runs.
                continue


def _listed(path: Path, stamp: int) -> Listed:
    run = read_run(path)
    plain = sum(not answer.variant for answer in run.answers)
    return Listed(path, stamp, run.header, plain, len(run.retrievals))


def _score(path: Path, _: int) -> Scored:
    return score_run(read_run(path), LexicalJudge())


def exported(scored: Scored) -> str:
    """A scored run as JSON, as ``mingbai eval report`` writes it."""
    return as_json(scored)
