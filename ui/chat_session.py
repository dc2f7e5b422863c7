"""What all pages of one server share: the notebook, opened once in the background, the chats and the running jobs."""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from rag.errors import EngineError, MingbaiError
from rag.settings import Settings, load
from rag.types import Mode
from ui.chat_job import Job, Jobs
from ui.conversations import Conversations, history
from ui.launch import INDEX_VARIABLE

if TYPE_CHECKING:
    from rag.notebook import Notebook

DEFAULT_INDEX = Path(".mingbai/index")
# Names in the address of the page: a reload and a bookmark keep the chat and the language.
CHAT = "chat"
LANGUAGE = "lang"
# A follow-up refers to what was said just before; older turns only cost prompt.
HISTORY_TURNS = 4
SUGGESTIONS = 4
# Longer titles are sentences, not names that a person would ask for.
_SUGGESTION_CHARS = 24

_log = logging.getLogger(__name__)


class Phase(StrEnum):
    """How far the notebook is."""

    OPENING = "opening"
    WARMING = "warming"
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


class Library:
    """The notebook of a server. Opening and loading happen in a thread, so that the page is there first."""

    def __init__(self, open_: "Callable[[], Notebook]") -> None:
        self._open = open_
        self._lock = threading.Lock()
        self._settled = threading.Event()
        self._notebook: Notebook | None = None
        self.phase = Phase.OPENING
        self.facts: Facts | None = None
        self.error: MingbaiError | None = None
        self._begin()

    def notebook(self) -> "Notebook":
        """The notebook with its models loaded; waits for it.

        Raises:
            MingbaiError: it cannot be opened, or a model cannot be loaded.
        """
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

    def _begin(self) -> None:
        threading.Thread(target=self._load, name="open-notebook", daemon=True).start()

    def _load(self) -> None:
        try:
            notebook = self._open()
            facts = facts_of(notebook)
            with self._lock:
                self._notebook, self.facts, self.phase = notebook, facts, Phase.WARMING
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


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a page works with."""

    index: Path
    settings: Settings
    library: Library
    store: Conversations
    jobs: Jobs

    def ask(self, question: str, mode: Mode, conversation_id: str | None) -> str:
        """Store a question and start to answer it, in a new chat when there is none yet.

        Returns:
            The id of the chat. A chat that is still answering is left alone.

        Raises:
            StorageError: the question cannot be stored.
        """
        known = self.store.find(conversation_id) if conversation_id else None
        chat = known or self.store.create(question)
        if self.jobs.of(chat.conversation_id) is None:
            earlier = history(self.store.turns(chat.conversation_id), HISTORY_TURNS)
            turn = self.store.begin(chat.conversation_id, question, mode)
            self.jobs.start(
                Job(turn, earlier, notebook=self.library.notebook, store=self.store, is_open=is_session_open)
            )
        return chat.conversation_id

    def delete(self, conversation_id: str) -> None:
        """Stop what runs in a chat and remove it."""
        if job := self.jobs.of(conversation_id):
            job.cancel()
        self.store.delete(conversation_id)


def desk() -> Desk:
    """The desk of this server; made at the first page.

    Raises:
        SettingsError: the settings cannot be read.
        StorageError: the chats cannot be read.
    """
    return _desk(os.environ.get(INDEX_VARIABLE) or str(DEFAULT_INDEX))


def open_notebook(index: Path, settings: Settings) -> "Notebook":
    """Open the notes; imports what is heavy."""
    from rag.notebook import Notebook

    return Notebook(index, settings)


def warm(notebook: "Notebook") -> None:
    """Load the models before the first question needs them.

    Raises:
        ModelError: one is missing or wrong.
    """
    _ = notebook.generator
    notebook.embedder.embed_query("warm up")


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


def session_id() -> str:
    """The id of the page that is being drawn."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def is_session_open(session: str) -> bool:
    """Whether a page is still connected."""
    return not runtime.exists() or runtime.get_instance().is_active_session(session)


@st.cache_resource(show_spinner=False)
def _desk(index: str) -> Desk:
    settings = load()
    folder = Path(index)
    store = Conversations()
    # Last, because it starts a thread: an error above is raised again at every visit.
    library = Library(lambda: open_notebook(folder, settings))
    return Desk(index=folder, settings=settings, library=library, store=store, jobs=Jobs())
