"""Health, readiness, metrics, and the documentation page."""

import re
import threading

import pytest
from fakes import FakeEmbedder, FakeGenerator

from rag.errors import EngineError

QUESTION = {"question": "云杉网络有几层？"}


def numbers(client):
    """The metrics as {name with labels: value}."""
    lines = client.get("/metrics").text.splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def test_it_is_ready_when_the_models_are_loaded(client_of, wait):
    gate = threading.Event()

    class Loads(FakeGenerator):
        def count_tokens(self, text):
            assert gate.wait(10)
            return len(text)

    client = client_of(Loads())
    assert client.get("/healthz").json() == {"status": "ok"}
    waiting = client.get("/readyz")
    assert (waiting.status_code, waiting.json()["error"]["code"]) == (503, "loading")
    assert numbers(client)["mingbai_ready"] == 0
    gate.set()
    wait(lambda: client.get("/readyz").status_code == 200, 60)
    assert numbers(client)["mingbai_ready"] == 1


def test_a_model_that_cannot_be_loaded_is_named(client_of, wait):
    class Broken(FakeGenerator):
        def count_tokens(self, text):
            raise EngineError("m.gguf needs about 9 GB, 2 GB are free.")

    client = client_of(Broken())
    wait(lambda: client.get("/readyz").json()["error"]["code"] == "failed")
    assert "9 GB" in client.get("/readyz").json()["error"]["message"]
    assert client.get("/healthz").status_code == 200


def test_an_engine_that_died_is_not_ready(client_of, wait):
    generator = FakeGenerator()
    client = client_of(generator)
    wait(lambda: client.get("/readyz").status_code == 200, 60)

    def fail(text):
        raise EngineError("The engine's thread ended unexpectedly.")

    generator.count_tokens = fail
    assert client.get("/readyz").status_code == 503


def test_metrics_count_what_was_done(client_of):
    client = client_of(FakeGenerator("云杉网络共有 48 层。"))
    client.post("/v1/notes/ask", json=QUESTION)
    client.post("/v1/chat/completions", json={"model": "mingbai", "messages": [{"role": "user", "content": "?"}]})
    client.post("/v1/chat/completions", json={"model": "nix", "messages": [{"role": "user", "content": "?"}]})
    client.get("/v1/models", headers={"Host": "evil.example"})
    for number in range(3):
        client.get(f"/nothing/{number}")
    found = numbers(client)
    requests = 'mingbai_requests_total{{method="{}",route="{}",status="{}"}}'
    assert found[requests.format("POST", "/v1/chat/completions", 200)] == 1
    assert found[requests.format("POST", "/v1/chat/completions", 404)] == 1
    assert found[requests.format("GET", "other", 421)] == 1
    assert found[requests.format("GET", "other", 404)] == 3
    assert found['mingbai_answers_total{mode="rcg",state="answered"}'] == 1
    assert found['mingbai_tokens_total{kind="prompt"}'] == 20
    assert found["mingbai_first_token_seconds_count"] == 2
    assert found["mingbai_working_requests"] == 0


def test_metrics_hold_nothing_private(client_of):
    client = client_of(FakeGenerator("云杉网络共有 48 层。"))
    client.post("/v1/notes/ask", json=QUESTION)
    client.get("/v1/models/云杉网络")
    text = client.get("/metrics").text
    assert "云杉" not in text
    assert "a.txt" not in text


def test_the_page_loads_nothing_from_elsewhere(client_of):
    client = client_of(FakeGenerator())
    page = client.get("/docs")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    for path in loaded:
        assert path.startswith("/")
        assert client.get(path).status_code == 200
    assert "'self'" in page.headers["content-security-policy"]
    assert "http" not in page.headers["content-security-policy"]
    assert '"validatorUrl": null' in page.text
    assert client.get("/redoc").status_code == 404


def test_the_schema_describes_the_key_and_every_route(client_of):
    schema = client_of(FakeGenerator()).get("/openapi.json").json()
    assert schema["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    paths = {"/v1/chat/completions", "/v1/embeddings", "/v1/models", "/v1/notes/ask", "/v1/notes/search"}
    assert paths < set(schema["paths"])
    for path in schema["paths"].values():
        for operation in path.values():
            assert {"4XX", "5XX"} < set(operation["responses"])
            assert operation.get("description")


@pytest.mark.parametrize("seconds", [0.2])
def test_a_request_that_takes_too_long_is_stopped(client_of, slow, seconds):
    client = client_of(slow, seconds=seconds)
    body = {"model": "mingbai", "messages": [{"role": "user", "content": "?"}]}
    answer = client.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "time_limit")


def test_embedding_stops_between_slices_when_nobody_waits(client_of):
    embedder, client = FakeEmbedder(), client_of(FakeGenerator(), seconds=0.3)
    client.app.state.serving.notebook._embedder = embedder
    slow = embedder.embed_documents

    def embed(titles, texts):
        threading.Event().wait(0.05)
        return slow(titles, texts)

    embedder.embed_documents = embed
    answer = client.post("/v1/embeddings", json={"model": "mingbai", "input": ["云"] * 256})
    assert answer.status_code == 504
    assert len(embedder.embedded) < 256
