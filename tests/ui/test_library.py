"""The notebook of a server: opened once, and again when the index is another one."""

import gc
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag.errors import IndexMissingError
from rag.settings import Settings
from ui import library
from ui.library import Library, Phase

SOON = 60.0


class Shelf:
    """Opens notebooks that know which snapshot they are of."""

    def __init__(self, make):
        self.make, self.snapshot, self.opened, self.closed = make, "one", [], []
        self.hold = threading.Event()
        self.hold.set()
        self.error = None

    def open(self, settings, before, *, beside=False):
        assert self.hold.wait(SOON)
        if self.error is not None:
            raise self.error
        made, name = self.make(), self.snapshot
        made.index.close = lambda: self.closed.append(name)
        made.generator.close = lambda: self.closed.append(settings.models.generator)
        self.opened.append((name, settings, before is not None))
        return made


@pytest.fixture
def shelf(notebook):
    return Shelf(type(notebook))


@pytest.fixture
def opened(shelf):
    made = Library(Settings(), shelf.open, lambda: shelf.snapshot)
    assert made.wait(SOON)
    return made


def test_an_index_that_stays_is_opened_once(opened, shelf):
    first = opened.notebook()
    opened.refresh()

    assert opened.notebook() is first
    assert len(shelf.opened) == 1


def test_a_question_after_an_ingest_waits_for_the_new_index(opened, shelf):
    first = opened.notebook()
    shelf.snapshot = "two"

    second = opened.notebook()

    assert second is not first
    assert [name for name, _, _ in shelf.opened] == ["one", "two"]
    assert shelf.opened[1][2], "the models of the notebook before were not offered"


def test_the_old_index_is_closed_once_nobody_reads_it_any_more(opened, shelf):
    under_way = opened.notebook()
    shelf.snapshot = "two"
    opened.notebook()
    gc.collect()
    assert shelf.closed == []

    del under_way
    gc.collect()
    assert shelf.closed == ["one"]


def test_while_the_new_index_opens_the_page_still_has_the_old_one(opened, shelf):
    first = opened.notebook()
    shelf.hold.clear()
    shelf.snapshot = "two"

    opened.refresh()
    opened.refresh()

    assert opened.phase is Phase.RENEWING
    assert opened.opened is first
    assert opened.facts is not None
    shelf.hold.set()
    assert opened.wait(SOON)
    assert len(shelf.opened) == 2


def test_an_index_that_vanished_leaves_the_open_one_alone(opened, shelf):
    shelf.snapshot = ""
    opened.refresh()

    assert opened.phase is Phase.READY


def test_a_new_index_that_cannot_be_opened_is_an_error_until_it_can(opened, shelf):
    shelf.snapshot, shelf.error = "two", IndexMissingError("gone")
    with pytest.raises(IndexMissingError):
        opened.notebook()

    shelf.error = None
    opened.retry()
    assert opened.notebook() is opened.opened
    assert opened.phase is Phase.READY


def test_other_settings_open_it_anew(opened, shelf):
    wanted = Settings.model_validate({"engine": {"context_size": 8192}})

    opened.switch(wanted)
    assert opened.wait(SOON)

    assert opened.settings == wanted
    assert shelf.opened[-1][1] == wanted


def test_the_models_go_on_into_the_next_notebook_when_the_settings_allow_it(monkeypatch):
    made = []

    class Generator:
        closed = False

        def close(self):
            self.closed = True

    class Notebook:
        def __init__(self, index, settings, generator=None, embedder=None):
            self.settings, self.generator, self.embedder = settings, generator or Generator(), embedder or object()
            made.append(self)

    monkeypatch.setattr("rag.notebook.Notebook", Notebook)
    first = library.open_notebook(None, Settings())
    second = library.open_notebook(None, Settings(), first)
    third = library.open_notebook(None, Settings.model_validate({"engine": {"gpu_layers": 1}}), second)

    assert second.generator is first.generator
    assert second.embedder is third.embedder is first.embedder
    assert third.generator is not second.generator
    assert second.generator.closed


def test_an_engine_that_died_is_loaded_again_and_one_that_lives_is_not(opened, shelf):
    first = opened.notebook()
    opened.restart_engine()
    assert opened.notebook() is first

    first.generator.is_ready = False
    opened.restart_engine()

    assert opened.wait(SOON)
    assert opened.notebook() is not first
    assert [name for name, _, _ in shelf.opened] == ["one", "one"]


def test_a_dead_engine_does_not_go_on_into_the_next_notebook(monkeypatch):
    made = []
    monkeypatch.setattr("rag.notebook.Notebook", lambda index, settings, **models: made.append(models))
    before = SimpleNamespace(
        settings=Settings(),
        embedder="embedder",
        generator=SimpleNamespace(is_ready=False, close=lambda: made.append("closed")),
    )

    library.open_notebook(Path("x"), Settings(), before)

    assert made == ["closed", {"generator": None, "embedder": "embedder"}]


OTHER = Settings.model_validate({"models": {"generator": "other"}})


def test_other_settings_are_lent_without_disturbing_anybody(opened, shelf):
    own = opened.notebook()
    with opened.lend(Settings.model_validate({"retrieval": {"k": 9}}), beside=False) as lent:
        assert lent is not own
        assert opened.phase is Phase.READY
        assert opened.notebook() is own

    assert opened.settings == Settings()


def test_a_model_beside_is_closed_with_the_loan_and_the_own_one_stays(opened, shelf):
    own = opened.notebook()
    with opened.lend(OTHER, beside=True):
        assert opened.notebook() is own

    assert shelf.closed == ["other", "one"]
    assert opened.notebook() is own


def test_a_model_in_place_of_the_own_one_makes_everybody_wait_and_gives_it_back(opened, shelf):
    with opened.lend(OTHER, beside=False):
        assert opened.is_busy
        assert not opened.wait(0.05)

    assert opened.wait(SOON)
    assert [settings.models.generator for _, settings, _ in shelf.opened[1:]] == [
        "other", Settings().models.generator
    ]  # fmt: skip
    assert opened.phase is Phase.READY


def test_a_loan_that_fails_gives_the_place_back(opened, shelf):
    with opened.lend(OTHER, beside=False):
        shelf.error = IndexMissingError("gone")
    assert opened.wait(SOON)
    assert opened.phase is Phase.BROKEN

    shelf.error = None
    opened.retry()
    assert opened.wait(SOON)
    shelf.error = IndexMissingError("gone")
    with pytest.raises(IndexMissingError), opened.lend(OTHER, beside=True):
        pass
    assert opened.phase is Phase.READY


def test_a_model_beside_leaves_the_one_before_loaded(monkeypatch):
    made = []
    monkeypatch.setattr("rag.notebook.Notebook", lambda index, settings, **models: made.append(models))
    generator = SimpleNamespace(is_ready=True, close=lambda: made.append("closed"))
    before = SimpleNamespace(settings=Settings(), embedder="embedder", generator=generator)

    library.open_notebook(Path("x"), OTHER, before, beside=True)
    assert made == [{"generator": None, "embedder": "embedder"}]
    library.open_notebook(Path("x"), OTHER, before)
    assert made[1:] == ["closed", {"generator": None, "embedder": "embedder"}]
