"""What all pages of one server share: the notebook, the chats, the comparisons, and all that runs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from rag.settings import Settings, load
from rag.types import Mode
from ui import library
from ui.agent_runs import AgentRuns, Work
from ui.chat_job import Job, Jobs
from ui.chat_memory import ChatMemory
from ui.compare_job import Comparisons
from ui.compare_sides import Side
from ui.conversations import Conversations
from ui.launch import INDEX_VARIABLE
from ui.library import Library
from ui.sources import Sources
from ui.tasks import Tasks

DEFAULT_INDEX = Path(".mingbai/index")


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a page works with."""

    index: Path
    library: Library
    store: Conversations
    memory: ChatMemory
    jobs: Jobs
    comparisons: Comparisons
    tasks: Tasks
    sources: Sources
    agents: AgentRuns

    @property
    def settings(self) -> Settings:
        """The settings in force; the page about models may change them while the server runs."""
        return self.library.settings

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
            earlier = self.store.turns(chat.conversation_id)
            turn = self.store.begin(chat.conversation_id, question, mode)
            job = Job(
                turn,
                partial(self.memory.recall, question, mode, earlier),
                notebook=lambda job: self.library.lease(job.postpone),
                outcomes=self.store,
                is_open=is_session_open,
                on_engine_error=self.library.restart_engine,
            )
            self.jobs.start(job)
        return chat.conversation_id

    def compare(self, question: str, sides: Sequence[Side]) -> str:
        """Start to answer a question on every side; the id of the comparison."""
        return self.comparisons.start(question, sides, self.jobs, self.library, is_open=is_session_open)

    def run_agent(self, kind: str, asked: object, work: Work) -> str:
        """Start an agent; the id of the run."""
        return self.agents.start(kind, asked, work, is_session_open)

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
    return Desk(
        index=folder,
        store=store,
        memory=ChatMemory(),
        jobs=Jobs(),
        comparisons=Comparisons(),
        tasks=Tasks(),
        sources=Sources(folder),
        agents=AgentRuns(),
        # Last, because it starts a thread: an error above is raised again at every visit.
        library=Library(
            settings,
            lambda wanted, before, *, beside=False: library.open_notebook(folder, wanted, before, beside=beside),
            lambda: library.snapshot_name(folder),
        ),
    )
