import json

import pytest
from fakes import FakeGenerator

from rag.errors import EngineError

QUESTION = "云杉网络有几层？"
SAID = "云杉网络共有 48 层。"
FALSE = "云杉网络获得了最佳论文奖。"


def events(answer):
    """(type, value) of a stream."""
    found = []
    for block in answer.text.strip().split("\n\n"):
        name, value = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(value.removeprefix("data: "))))
    return found


def test_an_answer_has_its_mode_and_its_citations(client_of):
    answer = client_of(FakeGenerator(SAID)).post("/v1/notes/ask", json={"question": QUESTION}).json()
    assert (answer["mode"], answer["state"]) == ("rcg", "answered")
    (citation,) = answer["sentences"][0]["citations"]
    assert citation["file"] == "a.txt"
    assert "48 层" in citation["quote"]


def test_what_the_notes_do_not_hold_is_a_refusal_and_not_an_error(client_of):
    generator = FakeGenerator(FALSE, yes=0.0)
    answer = client_of(generator).post("/v1/notes/ask", json={"question": "云杉网络获过什么奖？"})
    assert (answer.status_code, answer.json()["state"], answer.json()["sentences"]) == (200, "refused", [])
    assert "云杉网络" in answer.json()["nearest"]


@pytest.mark.parametrize("mode", ["rag", "rog"])
def test_other_modes(client_of, mode):
    body = {"question": QUESTION, "mode": mode}
    answer = client_of(FakeGenerator(FALSE)).post("/v1/notes/ask", json=body).json()
    assert (answer["mode"], [s["support"] for s in answer["sentences"]]) == (mode, ["own"])


def test_a_stream_is_typed_and_ends_with_the_whole_answer(client_of):
    client = client_of(FakeGenerator(SAID))
    answer = client.post("/v1/notes/ask", json={"question": QUESTION, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    names = [name for name, _ in events(answer)]
    assert names[0] == "stage"
    assert set(names[1:-1]) == {"stage", "sentence"}
    assert names[-1] == "answer"
    whole = client.post("/v1/notes/ask", json={"question": QUESTION}).json()
    streamed = events(answer)[-1][1]
    assert {**streamed, "timings": 0, "trace": 0} == {**whole, "timings": 0, "trace": 0}


def test_rcg_never_streams_unchecked_text_and_the_others_do(client_of):
    client = client_of(FakeGenerator(FALSE))
    for mode, expected in (("rcg", False), ("rag", True), ("rog", True)):
        answer = client.post("/v1/notes/ask", json={"question": QUESTION, "mode": mode, "stream": True})
        shown = [event for event in events(answer) if event[0] != "answer"]
        assert any(name == "draft" for name, _ in shown) is expected
        assert (FALSE in "".join(value.get("text", "") for _, value in shown)) is expected


def test_a_failure_inside_a_stream_is_its_last_event(client_of):
    class Breaks(FakeGenerator):
        def generate(self, request, cancel=None):
            raise EngineError("The worker died.")

    answer = client_of(Breaks()).post("/v1/notes/ask", json={"question": QUESTION, "stream": True})
    name, value = events(answer)[-1]
    assert (name, value["error"]["message"]) == ("error", "The worker died.")
    assert client_of(Breaks()).post("/v1/notes/ask", json={"question": QUESTION}).status_code == 503


def test_history_makes_a_follow_up_standalone(client_of):
    history = [{"question": QUESTION, "answer": SAID}]
    body = {"question": "它是谁提出的？", "history": history}
    answer = client_of(FakeGenerator("云杉网络由林望提出。")).post("/v1/notes/ask", json=body).json()
    assert answer["passages"][0]["entry"] == "云杉网络"


@pytest.mark.parametrize("leg", ["hybrid", "term", "dense", "lexical"])
def test_search_finds_passages(client_of, leg):
    body = {"question": "云杉网络", "k": 1, "leg": leg}
    (passage,) = client_of(FakeGenerator()).post("/v1/notes/search", json=body).json()["passages"]
    assert (passage["rank"], passage["file"], passage["entry"]) == (1, "a.txt", "云杉网络")


def test_search_for_nothing(client_of):
    answer = client_of(FakeGenerator()).post("/v1/notes/search", json={"question": "云杉", "k": 0})
    assert answer.json() == {"passages": []}


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("ask", {"question": "？！"}, "holds no word"),
        ("ask", {"question": ""}, "question"),
        ("ask", {"question": "天" * 4001}, "question"),
        ("ask", {"question": "云", "mode": "xyz"}, "mode"),
        ("ask", {"question": "云", "extra": 1}, "extra"),
        ("ask", {"question": "云", "history": [{"question": "a"}]}, "history"),
        ("search", {"question": "云", "k": -1}, "k"),
        ("search", {"question": "云", "k": 101}, "k"),
        ("search", {"question": "云", "leg": "sideways"}, "leg"),
        ("search", [], "valid"),
    ],
    ids=str,
)
def test_bad_requests_say_what_is_wrong(client_of, path, body, named):
    answer = client_of(FakeGenerator()).post(f"/v1/notes/{path}", json=body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


def test_half_a_surrogate_pair_breaks_nothing(client_of):
    client = client_of(FakeGenerator("\ud800云"))
    for content in (
        b'{"question": "\\ud800 RAG"}',
        b'{"question": "RAG", "\\udfff": 1}',
        b'{"question": "RAG"',
        b"\xff",
    ):
        answer = client.post("/v1/notes/ask", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"]
    rog = client.post("/v1/notes/ask", json={"question": "RAG", "mode": "rog"})
    assert rog.status_code == 200
