import threading

import pytest

from rag import catalogue, model_store
from rag.errors import DownloadError, ModelMissingError
from rag.gguf import available_memory
from rag.settings import Settings
from ui import models_page
from ui.doctor import Finding

EVIL = "<img src=x onerror=alert(1)>"
DEFAULT = Settings().models.generator
PULL = f"pull {DEFAULT}"


@pytest.fixture
def models(page):
    def open_page(lang="zh"):
        return page(lang).visit("models")

    return open_page


def test_the_catalogue_shows_every_model_with_size_licence_and_memory(models):
    page = models()

    for card in catalogue.all_models():
        assert card.id in page.html
        assert f"{card.size / 1e9:.2f} GB" in page.html
    assert page.html.count("未下载") == len(catalogue.all_models())
    assert "至少" in page.html
    assert "已选用" in page.html
    if available_memory() is not None:
        assert "空闲内存" in page.html


def test_nothing_is_downloaded_before_its_licence_is_accepted(models, monkeypatch):
    pulled = []
    monkeypatch.setattr(model_store, "pull", lambda model_id, **_: pulled.append(model_id))
    page = models()
    assert page.button(key=f"pull-{DEFAULT}").disabled

    page.checkbox(key=f"agree-{DEFAULT}").check()
    page.run().click(f"pull-{DEFAULT}").settle(PULL)

    assert pulled == [DEFAULT]


def test_a_download_shows_its_progress_and_can_be_stopped(models, monkeypatch):
    reached = threading.Event()

    def slow(model_id, *, accept_licence, progress):
        assert accept_licence(catalogue.find(model_id))
        for done in range(100_000):
            progress("part 3", done * 1_000_000, 1_117_000_000)
            reached.set()
            threading.Event().wait(0.01)

    monkeypatch.setattr(model_store, "pull", slow)
    page = models("en")
    page.checkbox(key=f"agree-{DEFAULT}").check()
    page.run().click(f"pull-{DEFAULT}")
    assert reached.wait(60)
    page.run()

    text = page.get("progress")[0].proto.text
    assert "part 3" in text
    assert "1,117 MB" in text.replace("\\", "")
    page.click(f"stop-{PULL}").settle(PULL)
    assert "it goes on from there" in page.html


def test_a_download_that_fails_is_a_card(models, monkeypatch):
    def fail(*_, **__):
        raise DownloadError(f"no source {EVIL}")

    monkeypatch.setattr(model_store, "pull", fail)
    page = models()
    page.checkbox(key=f"agree-{DEFAULT}").check()
    page.run().click(f"pull-{DEFAULT}").settle(PULL)

    assert "模型还不能用" in page.html
    assert "&lt;img" in page.html
    assert "<img" not in page.html


def test_a_model_of_ones_own_with_a_hostile_licence_stays_text(models, home):
    file = home / "own.gguf"
    file.write_bytes(b"GGUF" + b"\0" * 64)
    catalogue.add(file, model_id="own", licence=EVIL)

    page = models()

    assert "own" in page.html
    assert "&lt;img" in page.html
    assert "<img" not in page.html


def test_the_memory_of_a_model_is_estimated_before_it_is_loaded_and_the_lines_to_keep_are_shown(models, home, desk):
    file = home / "own.gguf"
    file.write_bytes(b"GGUF" + b"\0" * 64)
    catalogue.add(file, model_id="own")

    page = models("en")
    page.selectbox(key="engine-context").set_value(8192)
    page.run()

    assert "Loading needs at least 0.0 GB" in page.html
    assert 'generator = "own"' in page.code[0].value
    assert "context_size = 8192" in page.code[0].value

    page.click("engine-load")
    assert desk().library.wait(60)
    assert desk().settings.engine.context_size == 8192
    assert desk().settings.models.generator == "own"


def test_a_model_that_an_agent_works_with_is_not_replaced(models, home, desk):
    file = home / "own.gguf"
    file.write_bytes(b"GGUF" + b"\0" * 64)
    catalogue.add(file, model_id="own")
    page = models("en")

    with desk().library.lease():
        page.selectbox(key="engine-context").set_value(8192)
        page.run()
        assert page.button(key="engine-load").disabled
        assert "still uses this model" in page.html

    assert not page.run().button(key="engine-load").disabled


def test_without_a_generator_the_page_says_to_download_one(models):
    assert "还没有能用的生成模型" in models().html


def test_an_endpoint_is_named_instead(page, monkeypatch):
    monkeypatch.setenv("MINGBAI_ENDPOINT__URL", "http://127.0.0.1:9/<b>")

    assert "http://127.0.0.1:9/&lt;b&gt;" in page().visit("models").html


def test_the_doctor_says_what_it_found(models, monkeypatch):
    found = [Finding("processor", True, "2 cores"), Finding("index", False, f"damaged {EVIL}")]
    monkeypatch.setattr("ui.doctor.examine", lambda *_: found)
    page = models().click("doctor").settle(models_page.DOCTOR)

    assert '<li class="mb-ok"><b>processor</b>' in page.html
    assert '<li class="mb-not"><b>index</b>' in page.html
    assert "<img" not in page.html


def test_a_doctor_that_fails_is_a_card(models, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("inner workings")

    monkeypatch.setattr("ui.doctor.examine", fail)
    page = models().click("doctor").settle(models_page.DOCTOR)

    assert "ZeroDivisionError" in page.html
    assert "inner workings" not in page.html


def test_the_problem_of_the_notebook_is_shown_here_too(models, opened):
    opened.error = ModelMissingError("no weights")

    assert "no weights" in models().html
