"""The thread that owns a model: order, limits, failures, closing."""

import threading

import pytest

from rag.errors import EngineError, QueueFullError
from rag.fair_queue import Urgency, calling
from rag.worker import Worker


class FakeModel:
    """Room for two begun tasks, each of which takes a few steps to be done."""

    def __init__(self):
        self.done, self.begun, self.closed, self.paused = [], {}, 0, threading.Event()
        self.paused.set()

    @property
    def is_busy(self):
        return bool(self.begun)

    def admits(self, task):
        return not self.begun or (len(self.begun) < 2 and task.cells <= 10)

    def step(self):
        self.paused.wait(10)
        for task in list(self.begun):
            self.begun[task] -= 1
            if task.name == "breaks":
                raise ZeroDivisionError
            if not self.begun[task]:
                del self.begun[task]
                self.done.append(task.name)
                task.ended.set()

    def cancel(self):
        for task in self.begun:
            task.error = "cancelled"
            task.ended.set()
        self.begun = {}

    def close(self):
        for task in self.begun:
            task.fail(EngineError("left"))
        self.closed += 1


class FakeTask:
    """Waits for ``go``, then writes its name into the model."""

    is_stream = False

    def __init__(self, name, *, go=True, urgency=Urgency.ANSWER, cells=1):
        self.urgency, self.cells = urgency, cells
        self.name, self.error, self.started = name, None, threading.Event()
        self.go = threading.Event()
        if go:
            self.go.set()
        self.ended = threading.Event()

    def run(self, model):
        self.started.set()
        self.go.wait(10)
        if self.name == "bad":
            raise EngineError("bad task")
        if self.name == "defect":
            raise ZeroDivisionError
        model.done.append(self.name)
        self.ended.set()

    def fail(self, error):
        if not self.ended.is_set():
            self.error = error
        self.ended.set()

    def cancel(self):
        self.go.set()


class FakeStream(FakeTask):
    """Is only begun by ``run``."""

    is_stream = True

    def run(self, model):
        self.started.set()
        model.begun[self] = 3


@pytest.fixture
def model():
    return FakeModel()


@pytest.fixture
def worker(model):
    worker = Worker(lambda: model, limit=2, name="test")
    yield worker
    worker.close()


def test_tasks_run_in_order_and_one_at_a_time(worker, model):
    worker.submit(first := FakeTask("1", go=False))
    assert first.started.wait(5)
    worker.submit(second := FakeTask("2"))
    worker.submit(third := FakeTask("3"))
    assert not second.started.is_set()
    first.go.set()
    assert third.ended.wait(5)
    assert model.done == ["1", "2", "3"]


def test_a_full_queue_says_how_many_wait(worker):
    worker.submit(running := FakeTask("1", go=False))
    running.started.wait(5)
    worker.submit(FakeTask("2"))
    worker.submit(FakeTask("3"))
    with pytest.raises(QueueFullError, match="2 questions are waiting"):
        worker.submit(FakeTask("4"))


def test_begun_answers_and_other_callers_come_before_a_backlog(model):
    worker = Worker(lambda: model, limit=20, name="test")
    worker.submit(running := FakeTask("0", go=False))
    running.started.wait(5)
    with calling("evals", is_background=True):
        worker.submit(last := FakeTask("background", urgency=Urgency.BEGUN))
    with calling("busy"):
        for name in ("busy 1", "busy 2", "busy 3"):
            worker.submit(FakeTask(name))
    with calling("other"):
        worker.submit(FakeTask("other"))
        worker.submit(FakeTask("verdict", urgency=Urgency.BEGUN))
    running.go.set()
    assert last.ended.wait(5)
    assert model.done == ["0", "verdict", "busy 1", "other", "busy 2", "busy 3", "background"]
    worker.close()


def test_a_waiting_task_can_be_dropped_and_a_running_one_cannot(worker, model):
    worker.submit(running := FakeTask("1", go=False))
    running.started.wait(5)
    worker.submit(waiting := FakeTask("2"))
    assert worker.drop(waiting)
    assert not worker.drop(waiting)
    assert not worker.drop(running)
    worker.submit(last := FakeTask("3"))
    running.go.set()
    assert last.ended.wait(5)
    assert model.done == ["1", "3"]


def test_an_engine_error_of_a_task_is_told_and_the_next_one_runs(worker):
    worker.submit(bad := FakeTask("bad"))
    worker.submit(good := FakeTask("good"))
    assert good.ended.wait(5)
    assert (str(bad.error), good.error) == ("bad task", None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_ends_the_thread_but_leaves_nobody_waiting(worker, model):
    worker.submit(defect := FakeTask("defect", go=False))
    worker.submit(waiting := FakeTask("waiting"))
    defect.go.set()
    assert defect.ended.wait(5)
    assert waiting.ended.wait(5)
    worker.close()
    assert "unexpectedly" in str(defect.error)
    assert waiting.error is not None
    assert (model.done, model.closed) == ([], 1)


def test_loading_happens_in_the_background_and_its_error_is_told_at_the_first_use():
    go = threading.Event()

    def load():
        go.wait(10)
        raise EngineError("no weights")

    worker = Worker(load, limit=1, name="test")
    assert not worker.is_ready
    go.set()
    for _ in range(2):
        with pytest.raises(EngineError, match="no weights"):
            worker.submit(FakeTask("1"))
    assert not worker.is_ready
    worker.close()


def test_close_cancels_frees_and_can_be_repeated(worker, model):
    worker.submit(running := FakeTask("1", go=False))
    worker.submit(waiting := FakeTask("2", go=False))
    running.started.wait(5)
    worker.close()
    worker.close()
    assert (model.done, model.closed) == (["1"], 1)
    assert "closed" in str(waiting.error)
    assert not worker.is_ready
    with pytest.raises(EngineError, match="closed"):
        worker.submit(FakeTask("3"))
    with pytest.raises(EngineError, match="closed"):
        worker.model()


def test_what_was_begun_goes_on_beside_others_that_are_admitted(worker, model):
    model.paused.clear()
    worker.submit(long := FakeStream("long"))
    assert long.started.wait(5)
    worker.submit(beside := FakeTask("beside"))
    model.paused.set()
    assert beside.ended.wait(5)
    assert long.ended.wait(5)
    assert model.done == ["beside", "long"]


def test_what_is_not_admitted_waits_and_nothing_overtakes_it(worker, model):
    model.paused.clear()
    worker.submit(long := FakeStream("long"))
    assert long.started.wait(5)
    worker.submit(large := FakeStream("large", cells=11))
    worker.submit(small := FakeTask("small"))
    model.paused.set()
    assert small.ended.wait(5)
    assert large.ended.wait(5)
    assert model.done[0] == "long"
    assert large.started.is_set()


def test_close_cancels_what_was_begun(worker, model):
    model.paused.clear()
    worker.submit(begun := FakeStream("begun"))
    assert begun.started.wait(5)
    threading.Timer(0.2, model.paused.set).start()
    worker.close()
    assert begun.ended.is_set()
    assert (begun.error, model.closed) == ("cancelled", 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_a_step_leaves_nobody_waiting(worker, model):
    model.paused.clear()
    worker.submit(begun := FakeStream("breaks"))
    worker.submit(waiting := FakeTask("waiting", cells=11))
    model.paused.set()
    assert begun.ended.wait(5)
    assert waiting.ended.wait(5)
    assert str(begun.error) == "left"
    assert "unexpectedly" in str(waiting.error)
