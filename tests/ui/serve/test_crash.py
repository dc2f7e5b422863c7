"""A server whose engine process is killed: the client is told, and the next request is answered."""

import os
import signal

import openai
import pytest

from rag.isolated_engine import IsolatedEngine
from rag.settings import EngineSettings

USER = [{"role": "user", "content": "hello"}]


@pytest.fixture
def engine(tiny_model_path):
    settings = EngineSettings(context_size=2048, threads=1)
    with IsolatedEngine(tiny_model_path, model_id="tiny", model_hash="0" * 64, settings=settings) as engine:
        yield engine


def test_a_crash_of_the_engine_costs_one_answer_and_not_the_server(live_of, engine, wait):
    live = live_of(engine)
    ask = {"model": "mingbai", "messages": USER, "max_tokens": 1500, "temperature": 1.0}
    stream = live.openai.chat.completions.create(**ask, stream=True)
    next(chunk for chunk in stream if chunk.choices[0].delta.content)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(openai.APIError, match="ended unexpectedly"):
        list(stream)
    again = live.openai.chat.completions.create(**ask | {"max_tokens": 5})
    assert again.choices[0].message.content
    wait(lambda: live.http.get("/readyz").status_code == 200)
    assert live.http.post("/v1/notes/search", json={"question": "云杉网络"}).json()["passages"]
