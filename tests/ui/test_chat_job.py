import threading
import time
from contextlib import nullcontext

import pytest

from rag.errors import EngineError, ModelMissingError, QuestionError, StorageError
from rag.types import Mode, State
from ui.chat_job import Job, Jobs, Progress
from ui.conversations import Conversations, Status

SOON = 60.0


@pytest.fixture
def store(tmp_path):
    return Conversations(tmp_path / "chats.sqlite")


@pytest.fixture
def make(store, notebook):
    """Makes a job for a question, in a chat of its own unless one is named."""

    def make_job(mode=Mode.RCG, *, chat=None, open_=lambda: notebook, **options):
        chat_id = chat or store.create("t").conversation_id
        return Job(
            store.begin(chat_id, "甲是什么？", mode),
            lambda _: (),
            notebook=lambda _: nullcontext(open_()),
            outcomes=store,
            **options,
        )

    return make_job


def _stored(store, job):
    (turn,) = store.turns(job.turn.conversation_id)
    return turn


def _until(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def test_an_answer_is_stored_when_it_is_done(make, store, notebook):
    job = make()
    notebook.gate.set()

    job.run()

    turn = _stored(store, job)
    assert job.is_done
    assert turn.status is Status.DONE
    assert turn.answer.text == "甲是第一个字。"
    assert [step.name for step in job.progress().steps] == ["load", "search", "judge", "write"]


def test_history_reaches_the_notebook(store, notebook):
    notebook.gate.set()
    turn = store.begin(store.create("t").conversation_id, "它呢？", Mode.RAG)

    Job(turn, lambda _: [("甲？", "甲。")], notebook=lambda _: nullcontext(notebook), outcomes=store).run()

    assert notebook.streams[0].history == (("甲？", "甲。"),)


def test_unchecked_text_is_never_shown_in_rcg(make, notebook):
    job = make(Mode.RCG)
    Jobs().start(job)
    assert notebook.drafted.wait(SOON)

    _until(lambda: job.progress().written == 4)
    now = job.progress()

    assert now.draft == ""
    assert now.sentences == ()


@pytest.mark.parametrize("mode", [Mode.RAG, Mode.ROG])
def test_a_draft_is_shown_until_its_sentence_was_checked(make, notebook, mode):
    job = make(mode)
    Jobs().start(job)
    assert notebook.drafted.wait(SOON)
    _until(lambda: job.progress().written == 4)
    before = job.progress()

    notebook.gate.set()
    assert job.wait(SOON)

    assert before.draft in ("甲是第一", "<scr")
    assert before.sentences == ()
    assert job.progress().sentences


def test_a_draft_of_several_sentences_is_shown_whole(make, notebook):
    notebook.extra = {Mode.ROG: "丙是第三个。丁是第四个。戊"}
    job = make(Mode.ROG)
    drafts = []
    take = job._take
    job._take = lambda event: (take(event), drafts.append(job.progress().draft))
    notebook.gate.set()

    job.run()

    assert "丙是第三个。丁是第四个。戊" in drafts


def test_the_running_step_counts_and_the_finished_ones_stand_still(make, notebook):
    job = make()
    Jobs().start(job)
    assert notebook.drafted.wait(SOON)

    first = job.progress().steps
    time.sleep(0.02)
    second = job.progress().steps

    assert [s.is_done for s in second] == [True, True, True, False]
    assert first[:-1] == second[:-1]
    assert second[-1].seconds > first[-1].seconds


def test_stop_cancels_the_stream_and_keeps_what_was_checked(make, store, notebook):
    job = make(Mode.RAG)
    Jobs().start(job)
    assert notebook.drafted.wait(SOON)

    job.cancel()

    assert job.wait(SOON)
    assert notebook.streams[0].was_cancelled
    turn = _stored(store, job)
    assert turn.status is Status.STOPPED
    assert turn.error == ""
    assert turn.answer.sentences == ()
    assert turn.answer.passages


def test_an_answer_that_was_stopped_before_it_was_decided_is_no_refusal(make, store, notebook):
    notebook.refuses = True
    notebook.judging = lambda: job.cancel()
    job = make(Mode.RCG)
    job.run()

    assert _stored(store, job).status is Status.STOPPED
    assert _stored(store, job).answer is None


def test_stop_while_the_models_load_never_asks_the_notebook(make, store, notebook):
    loading = threading.Event()

    def open_():
        assert loading.wait(SOON)
        return notebook

    job = make(open_=open_)
    Jobs().start(job)
    job.cancel()
    loading.set()

    assert job.wait(SOON)
    assert notebook.streams == []
    assert _stored(store, job).status is Status.STOPPED


def test_stop_while_searching_leaves_no_answer(make, store, notebook):
    searching, found = threading.Event(), threading.Event()
    stream = notebook.stream

    def slow(*arguments):
        searching.set()
        assert found.wait(SOON)
        return stream(*arguments)

    notebook.stream = slow
    job = make(Mode.RAG)
    Jobs().start(job)
    assert searching.wait(SOON)
    job.cancel()
    found.set()

    assert job.wait(SOON)
    assert notebook.streams[0].was_cancelled
    assert _stored(store, job).status is Status.STOPPED
    assert _stored(store, job).answer is None


@pytest.mark.parametrize(
    "error", [EngineError("the engine broke. Ask again."), QuestionError("The question holds no word.")]
)
def test_an_error_is_stored_with_its_kind_and_message(make, store, notebook, error):
    notebook.error = error
    job = make()

    job.run()

    turn = _stored(store, job)
    assert turn.status is Status.FAILED
    assert turn.error == f"{type(error).__name__}: {error}"


def test_a_missing_model_fails_the_question(make, store):
    def open_():
        raise ModelMissingError("no weights. Run: mingbai models pull")

    job = make(open_=open_)
    job.run()

    assert _stored(store, job).error.startswith("ModelMissingError: no weights")


def test_a_bug_ends_the_turn_without_telling_its_details(make, store, notebook, caplog):
    notebook.error = RuntimeError("secret detail")
    job = make()

    job.run()

    assert job.is_done
    assert _stored(store, job).error == "RuntimeError"
    assert "secret detail" in caplog.text


def test_an_answer_that_cannot_be_stored_still_ends(make, store, notebook, monkeypatch):
    def full(*_, **__):
        raise StorageError("disk full")

    notebook.gate.set()
    job = make()
    monkeypatch.setattr(store, "finish", full)

    job.run()

    assert job.is_done


def test_an_answer_nobody_looks_at_is_stopped_even_before_the_model_writes(make, store, notebook):
    job = make(Mode.RAG, is_open=lambda _: False)
    job.watch("closed page")
    job.leave_when_unwatched(lambda: 0.0)
    assert not notebook.gate.is_set()

    job.run()

    assert notebook.streams[0].was_cancelled
    assert _stored(store, job).status is Status.STOPPED


def test_one_open_page_is_enough_to_go_on(make, store, notebook):
    job = make(is_open=lambda session: session == "open page")
    job.watch("closed page")
    job.watch("open page")
    job.leave_when_unwatched(lambda: 0.0)
    notebook.gate.set()

    job.run()

    assert _stored(store, job).status is Status.DONE


def test_a_closed_page_frees_the_engine_within_a_second_for_a_question_that_waits(make, notebook):
    open_pages = {"a", "b"}
    jobs = Jobs()
    first, second = (make(Mode.RAG, is_open=lambda session: session in open_pages) for _ in range(2))
    for job, page in ((first, "a"), (second, "b")):
        job.watch(page)
        jobs.start(job)
    assert notebook.drafted.wait(SOON)

    open_pages.discard("a")
    started = time.monotonic()
    assert first.wait(SOON)

    assert time.monotonic() - started < 1.0
    assert notebook.streams[0].was_cancelled


def test_a_reload_alone_in_the_house_does_not_stop_the_answer(make, notebook, store):
    open_pages = set()
    job = make(Mode.RAG, is_open=lambda session: session in open_pages)
    job.watch("before")
    Jobs().start(job)
    assert notebook.drafted.wait(SOON)
    assert not job.wait(0.7)

    open_pages.add("after")
    job.watch("after")
    notebook.gate.set()
    assert job.wait(SOON)

    assert _stored(store, job).status is Status.DONE


def test_an_answer_that_has_not_begun_begins_again_with_another_notebook(make, store, notebook):
    notebook.gate.set()
    opened = []

    def open_():
        opened.append(True)
        if len(opened) == 1:
            # Before there is anything to cancel.
            job.postpone()
        return notebook

    job = make(open_=open_)
    job.run()

    assert len(opened) == 2
    assert notebook.streams[0].was_cancelled
    assert not notebook.streams[1].was_cancelled
    assert _stored(store, job).status is Status.DONE
    assert [step.name for step in job.progress().steps] == ["load", "search", "judge", "write"]


def test_an_answer_that_is_being_written_is_finished_where_it_began(make, store, notebook):
    job = make(Mode.RAG)
    Jobs().start(job)
    assert notebook.drafted.wait(SOON)
    _until(lambda: job.progress().written)

    job.postpone()
    notebook.gate.set()

    assert job.wait(SOON)
    assert len(notebook.streams) == 1
    assert _stored(store, job).status is Status.DONE


def test_two_chats_do_not_cross(make, store, notebook):
    jobs = Jobs()
    first, second = make(Mode.RCG), make(Mode.ROG)
    jobs.start(first)
    jobs.start(second)
    assert jobs.of(first.turn.conversation_id) is first
    assert jobs.of(second.turn.conversation_id) is second
    assert (jobs.ahead(first), jobs.ahead(second)) == (0, 1)

    notebook.gate.set()
    assert first.wait(SOON)
    assert second.wait(SOON)

    assert _stored(store, first).answer.text == "甲是第一个字。"
    assert _stored(store, second).answer.mode is Mode.ROG
    assert jobs.of(first.turn.conversation_id) is None
    assert jobs.ahead(second) == 0


def test_a_refusal_has_no_sentences(make, store, notebook):
    notebook.refuses = True
    job = make()

    job.run()

    assert _stored(store, job).answer.state is State.REFUSED
    assert isinstance(job.progress(), Progress)


def test_an_engine_that_fails_is_reported_so_that_it_can_be_loaded_again(make, notebook):
    failed = []
    notebook.error = EngineError("The engine's thread ended unexpectedly.")
    make(on_engine_error=lambda: failed.append(True)).run()
    notebook.error = QuestionError("no word")
    make(on_engine_error=lambda: failed.append(True)).run()

    assert failed == [True]
