"""A question is one stream from its search on: nothing before the first event, and cancelled wherever it is."""

import pytest
from fakes import FakeEmbedder, FakeGenerator

from ingest import ingest
from rag import build
from rag.errors import GenerationCancelledError
from rag.notebook import Notebook
from rag.query_likelihood import QueryLikelihoodReranker
from rag.settings import Settings
from rag.types import Stage, State

QUESTION = "云杉网络有几层？"
NOTES = "".join(f"## {tree}网络\n{tree}网络共有 48 层。\n\n" for tree in ("云杉", "红松", "白桦"))


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    (folder / "notes.md").write_text(NOTES, encoding="utf-8")
    ingest([folder / "notes.md"], folder / "index", settings=Settings(), embedder=FakeEmbedder())
    return folder / "index"


@pytest.fixture
def generator():
    return FakeGenerator("云杉网络共有 48 层。", yes=0.9)


@pytest.fixture
def notebook(index, generator):
    with Notebook(index, Settings(), embedder=FakeEmbedder(), generator=generator) as opened:
        yield opened


def stages(events):
    return [event.name for event in events if isinstance(event, Stage)]


def test_a_search_is_the_first_stage_where_there_is_one(notebook):
    assert stages(notebook.stream(QUESTION, "rag"))[:2] == ["search", "write"]
    assert stages(notebook.stream(QUESTION, "rog")) == ["write"]


def test_nothing_is_searched_before_the_first_event_is_asked_for(notebook, monkeypatch):
    searched = []
    monkeypatch.setattr(notebook, "_retrieval", lambda: searched.append(1))
    events = iter(notebook.stream(QUESTION))
    assert next(events) == Stage("search")
    assert searched == []


def test_a_question_that_is_cancelled_before_its_search_has_no_answer(notebook, generator):
    stream = notebook.stream(QUESTION)
    stream.cancel()
    with pytest.raises(GenerationCancelledError):
        list(stream)
    with pytest.raises(GenerationCancelledError):
        _ = stream.result
    assert generator.prompts == []


def test_a_reranker_that_reads_is_stopped_behind_the_passage_it_is_at(notebook, monkeypatch):
    read = []

    def read_one(_self, _question, passage):
        read.append(passage)
        stream.cancel()
        return 0.0

    monkeypatch.setattr(QueryLikelihoodReranker, "_likelihood", read_one)
    monkeypatch.setattr("rag.query_likelihood.KEPT", 1)
    monkeypatch.setattr(build, "make_reranker", lambda _settings, generator: QueryLikelihoodReranker(generator))
    stream = notebook.stream(QUESTION)
    with pytest.raises(GenerationCancelledError):
        list(stream)
    assert len(read) == 1


def test_an_answer_that_is_there_stays_the_same(notebook):
    stream = notebook.stream(QUESTION)
    assert stream.result.state is State.ANSWERED
    stream.cancel()
    assert stream.result.state is State.ANSWERED
