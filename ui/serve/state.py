"""What all routes share."""

import threading
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from rag.errors import MingbaiError
from rag.notebook import Notebook
from ui.serve.gate import Gate
from ui.serve.metrics import Metrics

# Any search loads the embedding model and the word lists.
_FIRST_QUESTION = "RAG"


class Warmth:
    """Loads the models in the background, and tells whether they can be used."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._error: str | None = None
        self._is_warm = threading.Event()

    @property
    def is_ready(self) -> bool:
        """Whether questions are answered without waiting for a model to load."""
        return self._is_warm.is_set()

    @property
    def error(self) -> str | None:
        """Why the models cannot be used; None while they load and when they can."""
        return self._error

    def start(self) -> None:
        """Begin to load."""
        threading.Thread(target=self._load, name="warm", daemon=True).start()

    def _load(self) -> None:
        try:
            self.check()
            self._notebook.search(_FIRST_QUESTION, 1)
        except MingbaiError as error:
            self._error = str(error)
        else:
            self._is_warm.set()

    def check(self) -> None:
        """Ask the generator for something small; waits while it loads, not while it generates.

        Raises:
            EngineError: it cannot answer any more.
        """
        self._notebook.generator.count_tokens("a")


@dataclass(frozen=True, slots=True)
class Serving:
    """The notebook and what stands around it. ``started`` is in seconds since 1970."""

    notebook: Notebook
    gate: Gate
    metrics: Metrics
    warmth: Warmth
    started: int


def serving(notebook: Notebook, *, limit: int, seconds: float) -> Serving:
    """Put a server's parts around a notebook: ``limit`` requests at once, ``seconds`` long each."""
    gate, warmth = Gate(limit=limit, seconds=seconds), Warmth(notebook)
    return Serving(notebook, gate, Metrics(lambda: gate.working, lambda: warmth.is_ready), warmth, int(time.time()))


def caller_of(request: Request, user: str | None = None) -> str:
    """Who asks: the machine, and the end user that it names."""
    host = request.client.host if request.client else ""
    return f"{host} {user or ''}"


def _of(request: Request) -> Serving:
    found: Serving = request.app.state.serving
    return found


Shared = Annotated[Serving, Depends(_of)]
