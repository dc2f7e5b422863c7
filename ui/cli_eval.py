"""``mingbai eval``: the same commands as ``python -m evals``."""

from evals.cli import app

__all__ = ["app"]
