"""The notebook of a server: opened once in the background, and again when an ingest has made a new index."""

import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rag import manifest
from rag.errors import EngineError, MingbaiError, NotebookIndexError
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.notebook import Notebook

SUGGESTIONS = 4
# Longer titles are sentences, not names that a person would ask for.
_SUGGESTION_CHARS = 24

_log = logging.getLogger(__name__)


class Phase(StrEnum):
    """How far the notebook is. While ``RENEWING`` another index is opened."""

    OPENING = "opening"
    WARMING = "warming"
    RENEWING = "renewing"
    READY = "ready"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page says about the notes. ``suggestions`` are names of entries spread over the notes."""

    documents: int
    entries: int
    chunks: int
    created: str
    model: str
    suggestions: tuple[str, ...]


class Opener(Protocol):
    """Opens the notes; ``before`` is the notebook that was open until now, whose models are loaded already."""

    def __call__(self, settings: Settings, before: "Notebook | None", *, beside: bool = False) -> "Notebook":
        """``beside``: leave the model of ``before`` loaded. Raises MingbaiError when it cannot be opened."""


class Library:
    """The notebook of a server. Opening and loading happen in a thread, so that the page is there first.

    Args:
        settings: what it is opened with.
        open_: opens the notes.
        snapshot: the name of the index that answers now; "" where there is none.
    """

    def __init__(self, settings: Settings, open_: Opener, snapshot: Callable[[], str] = lambda: "") -> None:
        self._open = open_
        self._snapshot = snapshot
        self._lock = threading.Lock()
        self._settled = threading.Event()
        self._notebook: Notebook | None = None
        self.settings = settings
        self._opened_snapshot = ""
        self.phase = Phase.OPENING
        self.facts: Facts | None = None
        self.error: MingbaiError | None = None
        self._begin()

    @property
    def opened(self) -> "Notebook | None":
        """The notebook if its index is open, with or without its models; None before."""
        with self._lock:
            return self._notebook

    @property
    def is_busy(self) -> bool:
        """Whether something is being opened or loaded."""
        return self.phase not in (Phase.READY, Phase.BROKEN)

    def notebook(self) -> "Notebook":
        """The notebook of the newest index with its models loaded; waits for it.

        Raises:
            MingbaiError: it cannot be opened, or a model cannot be loaded.
        """
        self.refresh()
        self._settled.wait()
        with self._lock:
            if self.error is not None:
                raise self.error
            if self._notebook is None:
                raise EngineError("The notebook is closed. Reload the page.")
            return self._notebook

    def wait(self, seconds: float) -> bool:
        """Wait until it is ready or broken, at most so long; whether it is."""
        return self._settled.wait(seconds)

    def retry(self) -> None:
        """Try again after an error; without effect otherwise."""
        with self._lock:
            if self.phase is not Phase.BROKEN:
                return
            self.phase, self.error = Phase.OPENING, None
            self._settled.clear()
        self._begin()

    def refresh(self) -> None:
        """Open the index anew when an ingest, of this page or of another program, has replaced it."""
        newest = self._snapshot()
        with self._lock:
            if self.phase is not Phase.READY or newest in ("", self._opened_snapshot):
                return
            self.phase = Phase.RENEWING
            self._settled.clear()
        self._begin()

    def restart_engine(self) -> None:
        """Load the model again after an error, when its engine is gone; without effect otherwise."""
        with self._lock:
            if self.phase is not Phase.READY or self._notebook is None or is_alive(self._notebook):
                return
            self.phase = Phase.RENEWING
            self._settled.clear()
        self._begin()

    def switch(self, settings: Settings) -> None:
        """Open the notes with other settings; without effect while something is being opened."""
        with self._lock:
            if self.is_busy:
                return
            self.settings, self.error, self.phase = settings, None, Phase.RENEWING
            self._settled.clear()
        self._begin()

    @contextmanager
    def lend(self, settings: Settings, *, beside: bool) -> "Iterator[Notebook]":
        """The notes with other settings, for a while. Another model is loaded for it and closed at the end.

        Args:
            settings: what they are opened with.
            beside: another model is loaded beside the one in force. Without it that one is put away first and loaded
                again at the end; until then everybody else waits.

        Raises:
            MingbaiError: it cannot be opened, or something else is being opened.
        """
        own = self.notebook()
        shares = engine_of(self.settings) == engine_of(settings)
        if not (shares or beside):
            self._reserve()
        try:
            lent = self._open(settings, own, beside=shares or beside)
            try:
                _ = lent.generator
                yield lent
            finally:
                if lent.generator is not own.generator:
                    lent.generator.close()
                if lent is not own:
                    lent.index.close()
        finally:
            if not (shares or beside):
                self._begin()

    def _reserve(self) -> None:
        """Let everybody wait for the notebook."""
        with self._lock:
            if self.phase is not Phase.READY:
                raise EngineError("Another model is being loaded. Compare again when that is done.")
            self.phase = Phase.RENEWING
            self._settled.clear()

    def _begin(self) -> None:
        threading.Thread(target=self._load, name="open-notebook", daemon=True).start()

    def _load(self) -> None:
        try:
            before, snapshot = self._notebook, self._snapshot()
            notebook = self._open(self.settings, before)
            facts = facts_of(notebook)
            with self._lock:
                self._notebook, self.facts, self._opened_snapshot = notebook, facts, snapshot
                self.phase = Phase.WARMING
            if before is not None and before is not notebook:
                # An answer under way may still read the old index; it is closed with the last of them.
                weakref.finalize(before, before.index.close)
            warm(notebook)
            self._settle(Phase.READY, None)
        except MingbaiError as error:
            self._settle(Phase.BROKEN, error)
        except Exception as error:  # noqa: BLE001 - the edge of the page: an import or a library may fail in any way
            _log.exception("The notebook could not be opened")
            kind = type(error).__name__
            self._settle(Phase.BROKEN, EngineError(f"The notebook could not be opened: {kind}. Run: mingbai doctor"))

    def _settle(self, phase: Phase, error: MingbaiError | None) -> None:
        with self._lock:
            self.phase, self.error = phase, error
        self._settled.set()


def open_notebook(
    index: Path, settings: Settings, before: "Notebook | None" = None, *, beside: bool = False
) -> "Notebook":
    """Open the notes, with the models of the notebook before where there is one; imports what is heavy.

    Where the settings name another generator, that of the notebook before is closed, unless ``beside``.
    """
    from rag.notebook import Notebook

    if before is None:
        return Notebook(index, settings)
    kept = before.settings
    if engine_of(kept) == engine_of(settings) and is_alive(before):
        generator = before.generator
    else:
        # Two generators seldom fit into memory: the old one goes first.
        if not beside:
            before.generator.close()
        generator = None
    embedder = before.embedder if kept.models.embedder == settings.models.embedder else None
    return Notebook(index, settings, generator=generator, embedder=embedder)


def engine_of(settings: Settings) -> tuple[object, ...]:
    """The settings that a generator is made from: equal ones can share it."""
    return settings.models.generator, settings.engine, settings.endpoint


def is_alive(notebook: "Notebook") -> bool:
    """Whether its engine takes questions; one that only loads does not yet. An endpoint is somebody else's."""
    return bool(getattr(notebook.generator, "is_ready", True))


def snapshot_name(index: Path) -> str:
    """The name of the index that answers now; "" where there is none that can be read."""
    try:
        return manifest.current(index).name
    except NotebookIndexError:
        return ""


def warm(notebook: "Notebook") -> None:
    """Load the models before the first question needs them.

    Raises:
        ModelError: one is missing or wrong.
    """
    _ = notebook.generator
    # Chinese and English: the embedder, the words of the lexical leg and the names are all read for it.
    notebook.search("预热 warm up", 1)


def facts_of(notebook: "Notebook") -> Facts:
    """What the page says about these notes."""
    made = notebook.index.manifest
    settings = notebook.settings
    names = [e.title for e in notebook.entries() if not e.is_empty and 1 < len(e.title) <= _SUGGESTION_CHARS]
    step = max(len(names) // SUGGESTIONS, 1)
    return Facts(
        documents=made.documents,
        entries=made.entries,
        chunks=made.chunks,
        created=made.created,
        model=settings.endpoint.model or settings.models.generator,
        suggestions=tuple(dict.fromkeys(names[::step]))[:SUGGESTIONS],
    )
