"""What a row of the benchmark gives, how it is kept, and the table of all rows."""

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from evals.machine import git_commit, machine
from evals.tables import DASH, Table
from rag.manifest import write_atomically

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what, its value with the unit, what it must reach ("" when nothing), and how it was measured.

    ``reached`` is None where there is no bound or nothing was measured; ``samples`` are what ``value`` comes from.
    """

    what: str
    value: str
    how: str
    must: str = ""
    reached: bool | None = None
    samples: Mapping[str, Sequence[float]] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one row, and when, on which code and beside how much other work they were measured."""

    name: str
    figures: tuple[Figure, ...]
    when: str
    commit: str
    load: float

    @classmethod
    def now(cls, name: str, figures: Sequence[Figure]) -> "Row":
        """A row that was measured just now."""
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        return cls(name, tuple(figures), f"{datetime.now(UTC):%Y-%m-%d %H:%M}", git_commit(), round(load, 1))


class Ledger:
    """The rows that were measured on this machine, in one JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.rows: dict[str, Row] = {
            row["name"]: Row(**row | {"figures": tuple(Figure(**figure) for figure in row["figures"])})
            for row in content.get("rows", [])
            if content.get("format") == FORMAT and content.get("machine") == machine()
        }

    def keep(self, row: Row) -> None:
        """Write a row down; an older one of the same name goes."""
        self.rows[row.name] = row
        content = {"format": FORMAT, "machine": machine(), "rows": [asdict(one) for one in self.rows.values()]}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, json.dumps(content, ensure_ascii=False, indent=1))


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds (or rates) of two things that were measured in turn."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of theirs divided by the median of ours: for seconds, how many times faster ours is."""
        return statistics.median(self.theirs) / statistics.median(self.ours)

    @property
    def samples(self) -> dict[str, tuple[float, ...]]:
        """Both lists by name, as they are kept."""
        return {"ours": self.ours, "theirs": self.theirs}


def alternate(ours: Callable[[], float], theirs: Callable[[], float], times: int) -> Pair:
    """Take a sample of each in turn; the order changes each time, so that neither always comes second."""
    mine, others = [], []
    for number in range(times):
        if number % 2:
            others.append(theirs())
            mine.append(ours())
        else:
            mine.append(ours())
            others.append(theirs())
    return Pair(tuple(mine), tuple(others))


def seconds_of(work: Callable[[], object]) -> float:
    """How long it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cpu_seconds_of(work: Callable[[], object]) -> float:
    """How much processor time it took: for work on one thread the same as the clock, beside other programs, too."""
    started = time.process_time()
    work()
    return time.process_time() - started


def spread(values: Sequence[float], form: str = "{:.2f}", unit: str = "") -> str:
    """``median (least to most) unit``."""
    middle, low, high = (form.format(value) for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low} to {high}){unit}"


def table(rows: Sequence[Row]) -> Table:
    """All figures; a bound that was missed says so."""
    cells = [
        (
            figure.what,
            figure.value,
            {None: figure.must or DASH, True: f"{figure.must}: reached", False: f"{figure.must}: missed"}[
                figure.reached
            ],
            f"{figure.how} (load {row.load})",
        )
        for row in rows
        for figure in row.figures
    ]
    return Table("Speed", ("what", "measured", "must reach", "how"), cells)


def block(rows: Sequence[Row], notes: str) -> str:
    """The table with its origin, as it stands in the README."""
    where = machine()
    days = sorted(row.when for row in rows)
    commits = ", ".join(sorted({row.commit for row in rows}))
    origin = f"{days[0]} to {days[-1]} UTC, commit {commits}, {where['cores']} cores {where['processor']}"
    return (
        f"{table(rows).markdown()}\nMeasured {origin}, on {notes}, by `make bench`; medians, in brackets the least "
        "and the most; load: other work on the machine. No GPU row was run.\n"
    )
