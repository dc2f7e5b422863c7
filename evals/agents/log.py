"""What a measurement produced, one JSON object a line: a killed run continues where it was."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
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
    log: Log,
    tasks: Iterable[tuple[str, Callable[[], Row]]],
    *,
    seconds: float,
    show: Callable[[str], None],
    jobs: int = 1,
) -> bool:
    """Run the tasks that the log does not hold yet, ``jobs`` at once, until ``seconds`` are over.

    Returns:
        Whether all of them are done.
    """
    started = time.perf_counter()
    left = iter([(key, task) for key, task in tasks if key not in log.rows])
    lock = threading.Lock()
    stopped = threading.Event()

    def work() -> bool:
        while not stopped.is_set() and time.perf_counter() - started <= seconds:
            with lock:
                key, task = next(left, ("", None))
            if task is None:
                return True
            began = time.perf_counter()
            row = {**task(), "seconds": round(time.perf_counter() - began, 2)}
            with lock:
                log.add(key, row)
                show(key)
        return False

    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(work) for _ in range(jobs)]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            stopped.set()  # the others end after what they are at
        return all([future.result() for future in running])
