"""What a measurement produced, one JSON object a line: a killed run continues where it was."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

Row = Mapping[str, object]


class Log:
    """An append-only file of rows, each with a ``key`` that is unique in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows: dict[str, Row] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue  # the piece that was under way when the run was killed
                self.rows[str(row["key"])] = row

    def add(self, key: str, row: Row) -> None:
        """Append a row and let it reach the disk."""
        whole = {"key": key, **row}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(whole, ensure_ascii=False) + "\n")
        self.rows[key] = whole


def fill(
    log: Log, tasks: Iterable[tuple[str, Callable[[], Row]]], *, seconds: float, show: Callable[[str], None]
) -> bool:
    """Run the tasks that the log does not hold yet, until ``seconds`` are over; True when all are done."""
    started = time.perf_counter()
    for key, task in tasks:
        if key in log.rows:
            continue
        if time.perf_counter() - started > seconds:
            return False
        began = time.perf_counter()
        log.add(key, {**task(), "seconds": round(time.perf_counter() - began, 2)})
        show(key)
    return True
