"""Another model is loaded while questions are answered: none is cut, none is lost."""

import shutil
import threading
import time

import pytest
from fakes import FakeEmbedder, FakeGenerator, FakeStream

from rag import build
from rag.errors import EngineError
from rag.settings import Settings
from rag.types import Mode
from ui import library
from ui.chat_job import Job, Jobs
from ui.conversations import Conversations, Status
from ui.library import Library, Phase

SOON = 60.0
OTHER = Settings.model_validate({"models": {"generator": "other"}})


class OneAtATime(FakeGenerator):
    """Answers one question at a time, each after ``gate`` opens; closing it breaks those that wait or run."""

    def __init__(self, model_id):
        super().__init__(f"我是{model_id}。")
        self.model_id = model_id
        self.turn, self.gate = threading.Lock(), threading.Event()
        self.closed = threading.Event()

    def generate(self, request, cancel=None):
        if self.closed.is_set():
            raise EngineError("The engine is closed.")
        self.prompts.append(request.messages[-1].text)
        return Waiting(self, self.reply, cancel)

    def close(self):
        self.closed.set()


class Waiting(FakeStream):
    def __init__(self, engine, answer, cancel):
        super().__init__(answer, cancel)
        self._engine = engine

    def __iter__(self):
        if not self._until(lambda: self._engine.turn.acquire(timeout=0.01)):
            return
        try:
            for number, character in enumerate(super().__iter__()):
                if number == 1 and not self._until(lambda: self._engine.gate.wait(0.01)):
                    return
                yield character
        finally:
            self._engine.turn.release()

    def _until(self, happened):
        while not happened():
            if self._engine.closed.is_set():
                raise EngineError("The engine is closed.")
            if self._cancel.is_set():
                return False
        return True


@pytest.fixture
def made(monkeypatch):
    """The generators that were made, by model."""
    made = {}
    monkeypatch.setattr(build, "make_embedder", lambda _: FakeEmbedder())
    monkeypatch.setattr(
        build, "make_generator", lambda s: made.setdefault(s.models.generator, OneAtATime(s.models.generator))
    )
    yield made
    for generator in made.values():
        generator.gate.set()


@pytest.fixture
def opened(made, index, tmp_path):
    folder = shutil.copytree(index, tmp_path / "index")
    one = Library(
        Settings(), lambda wanted, before, *, beside=False: library.open_notebook(folder, wanted, before, beside=beside)
    )
    assert one.wait(SOON)
    return one


@pytest.fixture
def store(tmp_path):
    return Conversations(tmp_path / "chats.sqlite")


@pytest.fixture
def ask(opened, store):
    jobs = Jobs()

    def ask_it():
        turn = store.begin(store.create("t").conversation_id, "检索增强生成是什么？", Mode.ROG)
        job = Job(turn, lambda _: (), notebook=lambda job: opened.lease(job.postpone), outcomes=store)
        jobs.start(job)
        return job

    return ask_it


def _answer(store, job):
    assert job.wait(SOON)
    (turn,) = store.turns(job.turn.conversation_id)
    assert turn.status is Status.DONE, turn.error
    return turn.answer.sentences[0].text


def _until(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def test_the_running_answer_is_finished_and_the_waiting_ones_are_given_by_the_new_model(opened, made, store, ask):
    before = made[Settings().models.generator]
    running = ask()
    _until(lambda: running.progress().written)
    waiting = [ask(), ask()]
    _until(lambda: len(before.prompts) == 3)

    opened.switch(OTHER)
    late = ask()
    _until(lambda: all(job.progress().steps[-1].name == "load" for job in (*waiting, late)))
    assert not before.closed.is_set()
    before.gate.set()
    _until(lambda: "other" in made)
    made["other"].gate.set()

    assert _answer(store, running) == f"我是{before.model_id}。"
    assert {_answer(store, job) for job in (*waiting, late)} == {"我是other。"}
    assert before.closed.is_set()
    assert opened.phase is Phase.READY


def test_a_waiting_question_that_is_stopped_during_the_switch_ends(opened, made, store, ask):
    running = ask()
    _until(lambda: running.progress().written)
    opened.switch(OTHER)
    late = ask()
    late.cancel()
    made[Settings().models.generator].gate.set()

    assert late.wait(SOON)
    assert store.turns(late.turn.conversation_id)[0].status is Status.STOPPED


def test_questions_that_wait_for_a_model_that_cannot_be_loaded_are_told_so(opened, made, store, ask, monkeypatch):
    def fail(_):
        raise EngineError("4.0 GB are needed.")

    running = ask()
    _until(lambda: running.progress().written)
    monkeypatch.setattr(build, "make_generator", fail)
    opened.switch(OTHER)
    late = ask()
    made[Settings().models.generator].gate.set()

    assert late.wait(SOON)
    assert "4.0 GB" in store.turns(late.turn.conversation_id)[0].error


def test_no_other_model_is_loaded_while_work_is_under_way_that_cannot_begin_again(opened):
    with opened.lease() as notebook:
        assert opened.is_held
        opened.switch(OTHER)
        with pytest.raises(EngineError, match="An agent"), opened.lend(OTHER, beside=False):
            pass
        assert opened.notebook() is notebook

    assert not opened.is_held
    assert opened.settings == Settings()


def test_a_comparison_that_takes_the_place_of_the_model_waits_for_the_answer_that_is_written(opened, made, store, ask):
    before = made[Settings().models.generator]
    running = ask()
    _until(lambda: running.progress().written)
    threading.Timer(0.1, before.gate.set).start()

    with opened.lend(OTHER, beside=False) as lent:
        assert lent.generator is made["other"]
        assert _answer(store, running) == f"我是{before.model_id}。"

    assert opened.wait(SOON)
