"""A yardstick in a process of its own, asked in lines of JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from rag.errors import EngineError


class Child:
    """A running script of this folder; ready once constructed.

    Raises:
        EngineError: it ended: with its signal or exit code, and the last line it wrote.
    """

    def __init__(self, script: str, *arguments: str) -> None:
        self._script = script
        self._process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, str(Path(__file__).with_name(script)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._reply()

    def ask(self, question: object) -> dict[str, Any]:
        """Send a value, wait for the reply."""
        if self._process.stdin is None:
            raise EngineError("The yardstick has no input.")
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._raise_ended()
        return self._reply()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _reply(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._raise_ended()
        values: dict[str, Any] = json.loads(line)
        return values

    def _raise_ended(self) -> None:
        code = self._process.wait()
        self._process.communicate()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise EngineError(f"The yardstick {self._script} ended with {how}.")
