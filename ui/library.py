"""The notebook of a server: opened once in the background, and again when an ingest has made a new index."""

import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rag import manifest
from rag.errors import EngineError, MingbaiError, NotebookIndexError
from rag.settings import Settings
from ui.facts import Facts, facts_of
from ui.leases import Leases, Leave

if TYPE_CHECKING:
    from rag.notebook import Notebook

_log = logging.getLogger(__name__)


class Phase(StrEnum):
    """How far the notebook is. While ``RENEWING`` another index is opened."""

    OPENING = "opening"
    WARMING = "warming"
    RENEWING = "renewing"
    READY = "ready"
    BROKEN = "broken"


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
        self._leases = Leases()
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

    @property
    def is_held(self) -> bool:
        """Whether work is under way that needs the model to its end, so that no other one can be loaded."""
        return self._leases.are_firm

    @contextmanager
    def lease(self, leave: Leave | None = None) -> "Iterator[Notebook]":
        """The notebook for work with its model, which is not put away before the end; waits as ``notebook`` does.

        Args:
            leave: called when another model is wanted: what has not begun ends then, and asks for the notebook again.
                Without it no other model is loaded meanwhile.

        Raises:
            MingbaiError: it cannot be opened, or a model cannot be loaded.
        """
        with ExitStack() as held:
            while True:
                notebook = self.notebook()
                with self._lock:
                    # Another model may have been wanted in between.
                    if self._settled.is_set():
                        held.enter_context(self._leases.hold(leave))
                        break
            yield notebook

    def notebook(self) -> "Notebook":
        """The notebook of the newest index with its models loaded, to be read; waits for it.

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
        """Open the notes with other settings; without effect while something is being opened, or the model is held.

        An answer that is being written is finished before; who still waits is answered with the new settings.
        """
        with self._lock:
            if self.is_busy or self.is_held:
                return
            self.settings, self.error, self.phase = settings, None, Phase.RENEWING
            self._settled.clear()
        self._begin(vacates=True)

    @contextmanager
    def lend(self, settings: Settings, leave: Leave | None = None, *, beside: bool) -> "Iterator[Notebook]":
        """The notes with other settings, for a while. Another model is loaded for it and closed at the end.

        Args:
            settings: what they are opened with.
            leave: as in ``lease``.
            beside: another model is loaded beside the one in force. Without it that one is put away first and loaded
                again at the end; until then everybody else waits.

        Raises:
            MingbaiError: it cannot be opened, or something else is being opened.
        """
        shares = engine_of(self.settings) == engine_of(settings)
        with self.lease(leave) if shares or beside else self._reserved() as own:
            lent = self._open(settings, own, beside=shares or beside)
            try:
                _ = lent.generator
                yield lent
            finally:
                if lent.generator is not own.generator:
                    lent.generator.close()
                if lent is not own:
                    lent.index.close()

    @contextmanager
    def _reserved(self) -> "Iterator[Notebook]":
        """The notebook while everybody else waits for it; it is opened anew at the end."""
        while True:
            own = self.notebook()
            with self._lock:
                if self.is_held:
                    raise EngineError("An agent, an evaluation or a measurement needs the model. Compare again later.")
                # Somebody else may have been faster.
                if self.phase is Phase.READY:
                    self.phase = Phase.RENEWING
                    self._settled.clear()
                    break
        try:
            self._leases.vacate()
            yield own
        finally:
            self._begin()

    def _begin(self, *, vacates: bool = False) -> None:
        threading.Thread(target=self._load, args=(vacates,), name="open-notebook", daemon=True).start()

    def _load(self, vacates: bool) -> None:
        if vacates:
            self._leases.vacate()
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
