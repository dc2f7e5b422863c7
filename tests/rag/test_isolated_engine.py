"""The engine in a process of its own: the same answers, and a crash that only its readers notice."""

import gc
import os
import signal
import threading
import time

import pytest

from rag.engine import LlamaEngine
from rag.errors import EngineError, PromptTooLongError, QueueFullError
from rag.isolated_engine import MAX_FAILED_STARTS, IsolatedEngine
from rag.protocols import GenerationRequest
from rag.settings import EngineSettings
from rag.types import Message, Role

ASK = (Message(Role.SYSTEM, "你是助手。"), Message(Role.USER, "hello \ud800 <|im_end|> 你好"))
LONG = GenerationRequest((Message(Role.USER, "count"),), max_tokens=1500, temperature=1.0)


def settings(**values: object) -> EngineSettings:
    return EngineSettings(**{"context_size": 2048, "threads": 1, **values})


def open_isolated(path, **values: object) -> IsolatedEngine:
    return IsolatedEngine(path, model_id="m", model_hash="h", settings=settings(**values))


@pytest.fixture
def engine(tiny_model_path):
    with open_isolated(tiny_model_path) as engine:
        yield engine


def wait_for(condition, seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.01)


def kill(engine: IsolatedEngine) -> None:
    os.kill(engine.pid, signal.SIGKILL)
    wait_for(lambda: not engine.is_ready)


def test_it_says_what_the_engine_in_this_process_says(engine, tiny_model_path):
    requests = [
        GenerationRequest(ASK, max_tokens=40),
        GenerationRequest(ASK, max_tokens=40, temperature=0.9, top_p=0.9, seed=5),
        GenerationRequest(ASK, max_tokens=40, stop=("X",), contrast=ASK[:1], contrast_weight=0.5),
    ]
    with LlamaEngine(tiny_model_path, model_id="m", model_hash="h", settings=settings()) as other:
        for request in requests:
            streams = engine.generate(request), other.generate(request)
            texts = ["".join(stream) for stream in streams]
            assert texts[0] == texts[1]
            mine, theirs = (stream.result for stream in streams)
            assert (mine.finish, mine.prompt_tokens, mine.text) == (theirs.finish, theirs.prompt_tokens, theirs.text)
        assert engine.choose(ASK, ["a", "b"]) == other.choose(ASK, ["a", "b"])
        assert engine.choose_each([ASK, ASK[:1]], ["a", "b"]) == other.choose_each([ASK, ASK[:1]], ["a", "b"])
        assert engine.score(ASK, "ab c") == other.score(ASK, "ab c")
        assert engine.count_tokens("你好 a") == other.count_tokens("你好 a")
    assert engine.is_ready


def test_errors_keep_their_kind(engine):
    with pytest.raises(PromptTooLongError, match="context of 2048"):
        engine.generate(GenerationRequest((Message(Role.USER, "a" * 3000),)))
    with pytest.raises(EngineError, match="different tokens"):
        engine.choose(ASK, ["a", "ab"])
    with pytest.raises(EngineError, match="max_tokens 0"):
        engine.generate(GenerationRequest(ASK, max_tokens=0))


def test_a_full_queue(tiny_model_path):
    with open_isolated(tiny_model_path, queue_size=1) as engine:
        running = engine.generate(LONG)
        next(pieces := iter(running))
        waiting = engine.generate(LONG)
        with pytest.raises(QueueFullError, match="queue is full: 1"):
            engine.generate(LONG)
        waiting.cancel()
        pieces.close()


def test_cancelling_and_leaving_free_it(engine):
    event = threading.Event()
    first, second, third = engine.generate(LONG), engine.generate(LONG, event), engine.generate(LONG)
    next(pieces := iter(first))
    event.set()
    assert list(second) == []
    assert second.result.finish == "cancelled"
    del third
    gc.collect()
    pieces.close()
    stream = engine.generate(GenerationRequest(ASK, max_tokens=2))
    assert "".join(stream)
    assert stream.result.queued < 1


def test_a_crash_is_told_to_those_who_wait_and_the_next_request_starts_it_again(engine):
    said = "".join(engine.generate(GenerationRequest(ASK, max_tokens=8)))
    pid = engine.pid
    running, waiting = engine.generate(LONG), engine.generate(LONG)
    next(pieces := iter(running))
    kill(engine)
    for stream in (pieces, waiting):
        with pytest.raises(EngineError, match=r"ended unexpectedly \(signal 9\)"):
            list(stream)
    assert "".join(engine.generate(GenerationRequest(ASK, max_tokens=8))) == said
    assert engine.pid != pid


def test_a_process_that_never_gets_ready_is_given_up(tiny_model_path, monkeypatch):
    monkeypatch.setattr("rag.isolated_engine.sys.executable", "/bin/false")
    engine = open_isolated(tiny_model_path)
    told = []
    for _ in range(MAX_FAILED_STARTS + 1):
        wait_for(lambda: engine._process.has_ended)
        with pytest.raises(EngineError) as raised:
            engine.count_tokens("a")
        told.append(str(raised.value))
    assert "ended 3 times while it loaded" in told[-1]
    assert len(told) > told.index(told[-1]) >= MAX_FAILED_STARTS - 1
    engine.close()


def test_a_model_that_cannot_be_loaded_is_told(tmp_path):
    with open_isolated(tmp_path / "none.gguf") as engine:
        for _ in range(2):
            with pytest.raises(EngineError, match="no model file"):
                engine.count_tokens("a")
        assert not engine.is_ready


def test_closing_ends_the_process_and_is_final(tiny_model_path):
    engine = open_isolated(tiny_model_path)
    running = engine.generate(LONG)
    pid = engine.pid
    engine.close()
    engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(EngineError, match="closed"):
        engine.count_tokens("a")
    assert running._channel.is_finished


def test_the_process_ends_with_a_forgotten_engine(tiny_model_path):
    engine = open_isolated(tiny_model_path)
    engine.count_tokens("a")
    pid = engine.pid
    del engine
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
