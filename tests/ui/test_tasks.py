import threading

import pytest

from rag.errors import GenerationCancelledError, StorageError
from ui.audience import Audience
from ui.tasks import StoppedError, Task, Tasks

SOON = 60.0


def test_a_task_tells_how_far_it_is_and_keeps_its_result():
    go, reached = threading.Event(), threading.Event()

    def work(report):
        report("read", 2, 5)
        reached.set()
        assert go.wait(SOON)
        return "made"

    tasks = Tasks()
    task = tasks.start("a", work)
    assert reached.wait(SOON)
    now = task.progress()
    assert (now.stage, now.done, now.total, task.is_done) == ("read", 2, 5, False)

    go.set()
    assert task.wait(SOON)
    assert task.result == "made"
    assert task.progress().seconds == task.progress().seconds


def test_two_of_one_name_never_run_at_once():
    go = threading.Event()
    tasks = Tasks()
    first = tasks.start("a", lambda _: go.wait(SOON))

    assert tasks.start("a", lambda _: "other") is first
    other = tasks.start("b", lambda _: "b")
    assert other.wait(SOON)
    tasks.forget("a")
    assert tasks.of("a") is first

    go.set()
    assert first.wait(SOON)
    assert tasks.start("a", lambda _: "again") is not first
    tasks.of("a").wait(SOON)
    tasks.forget("a")
    assert tasks.of("a") is None


def test_stop_ends_a_task_at_its_next_report():
    def work(report):
        for done in range(100_000):
            report("x", done, 100_000)
            threading.Event().wait(0.001)

    task = Tasks().start("a", work)
    task.stop()

    assert task.wait(SOON)
    assert isinstance(task.error, StoppedError)
    assert task.progress().is_stopping


@pytest.mark.parametrize("error", [StorageError("full"), ZeroDivisionError("a bug")])
def test_an_error_ends_a_task_and_is_kept(error):
    def work(_):
        raise error

    task = Task(work)
    task.run()

    assert task.is_done
    assert task.error is error
    assert task.result is None


def test_work_that_does_not_report_is_told_to_stop_and_its_cancelling_counts_as_stopped():
    cancelled = threading.Event()

    def work(_):
        assert cancelled.wait(SOON)
        raise GenerationCancelledError("cancelled")

    task = Task(work, cancelled.set)
    task.stop()
    task.run()

    assert isinstance(task.error, StoppedError)


def test_a_task_whose_last_page_was_closed_stops(monkeypatch):
    monkeypatch.setattr("ui.tasks.RELOAD_SECONDS", 0.0)
    cancelled = threading.Event()
    task = Task(lambda _: cancelled.wait(SOON), cancelled.set)
    audience = Audience(lambda _: False)
    audience.watch("closed page")

    task.leave_when_unwatched(audience)
    task.run()

    assert cancelled.is_set()
