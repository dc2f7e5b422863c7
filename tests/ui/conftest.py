"""The app over a scripted notebook, and over a small real index with fake models."""

import io
import shutil
import sys

import pytest
from app_page import APP, SOON, Opening, Page, the_desk
from fakes import FakeEmbedder, FakeGenerator
from scripted_notebook import CITED, OWN, PASSAGE, ScriptedNotebook

NOTES = {
    "rag.md": """# 检索

## 检索增强生成（RAG，Retrieval-Augmented Generation）

检索增强生成先从笔记里找到相关的段落，再让模型根据这些段落回答问题，因此每一句话都能指出它的出处在哪里。

## 向量检索

向量检索把文字变成向量，再找最近的向量。检索增强生成常常用它。这一段文字在两处都有，它长到足够让去重认出它来，因为这一句话说得很长很长。

## 空条目
""",
    "copy.md": """# 抄来的

## 向量检索

向量检索把文字变成向量，再找最近的向量。检索增强生成常常用它。这一段文字在两处都有，它长到足够让去重认出它来，因为这一句话说得很长很长。
""",
    "<img src=x onerror=alert(1)>.md": """# <svg onload=alert(3)>

## 甲<script>alert(2)</script>**乙**

<iframe src="http://evil.example"></iframe> ![x](http://evil.example/x.png) 检索增强生成 [点](javascript:alert(4))
""",
}


@pytest.fixture
def notebook():
    """A ScriptedNotebook whose gate is opened at the end, so that no thread is left waiting."""
    scripted = ScriptedNotebook()
    yield scripted
    scripted.gate.set()


@pytest.fixture
def passage():
    return PASSAGE


@pytest.fixture
def cited():
    return CITED


@pytest.fixture
def own():
    return OWN


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty home: no settings, no chats, no index, no models. Its folder."""
    import streamlit as st
    from streamlit import config

    from ui.launch import INDEX_VARIABLE

    # As ``ui.launch`` starts it.
    config.set_option("server.address", "127.0.0.1")
    monkeypatch.delenv("MINGBAI_PASSWORD_HASH", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv(INDEX_VARIABLE, str(tmp_path / "index"))
    monkeypatch.setenv("MINGBAI_CONFIG", "")
    monkeypatch.setenv("MINGBAI_CATALOGUE", str(tmp_path / "models.toml"))
    monkeypatch.setenv("MINGBAI_MODELS_DIR", str(tmp_path / "models"))
    st.cache_resource.clear()
    yield tmp_path
    st.cache_resource.clear()


@pytest.fixture
def opened(home, notebook, monkeypatch):
    """The app works with the scripted notebook."""
    from ui import library

    opening = Opening(notebook)
    monkeypatch.setattr(library, "open_notebook", opening)
    return opening


@pytest.fixture
def app(home):
    """Opens the app, without waiting for anything; with what ``opened`` or a test set up."""
    from streamlit.testing.v1 import AppTest

    def open_app(lang="zh", **query):
        test = AppTest.from_file(str(APP), default_timeout=SOON)
        test.query_params["lang"] = lang
        for key, value in query.items():
            test.query_params[key] = value
        return Page(test).run()

    return open_app


@pytest.fixture
def page(opened, app):
    """Opens the chat page in Chinese, once the notebook has settled."""

    def open_page(lang="zh", **query):
        page = app(lang, **query)
        assert the_desk().library.wait(SOON)
        return page.run()

    return open_page


@pytest.fixture
def desk(home):
    """The desk of the app."""
    return the_desk


@pytest.fixture(scope="session")
def notes(tmp_path_factory):
    """A folder of notes: a repeated passage, an empty entry, hostile names."""
    folder = tmp_path_factory.mktemp("notes")
    for name, text in NOTES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def index(notes, tmp_path_factory):
    """The index of ``notes``; tests work with copies."""
    from ingest import ingest
    from rag.settings import Settings

    folder = tmp_path_factory.mktemp("made") / "index"
    ingest([notes], folder, settings=Settings(), embedder=FakeEmbedder())
    return folder


@pytest.fixture
def fake_models(home, monkeypatch):
    """The app opens whatever index is there, with fake models."""
    from rag import build

    generator = FakeGenerator("检索增强生成先从笔记里找到相关的段落。[1]")
    monkeypatch.setattr(build, "make_generator", lambda _: generator)
    monkeypatch.setattr(build, "make_embedder", lambda _: FakeEmbedder())
    return generator


@pytest.fixture
def filled(fake_models, index, home, app):
    """Opens the app over a copy of ``index``, once the notebook has settled."""
    shutil.copytree(index, home / "index")

    def open_page(lang="zh", **query):
        page = app(lang, **query)
        assert the_desk().library.wait(SOON)
        return page.run()

    return open_page


@pytest.fixture
def mingbai(monkeypatch, capsys, tmp_path):
    """Run the command line with fakes for the models; (exit code, standard output, standard error)."""
    from rag import build
    from ui import cli

    monkeypatch.setenv("MINGBAI_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("")
    monkeypatch.setattr(build, "make_embedder", lambda settings: FakeEmbedder())
    monkeypatch.setattr(build, "make_generator", lambda settings: FakeGenerator("云杉网络共有 48 层。\n答案：48"))

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["mingbai", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = 0
        try:
            cli.main()
        except SystemExit as leaving:
            code = leaving.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def spruce(mingbai, tmp_path):
    """The index of one note, made by the command line."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("### 云杉网络(SpruceNet)\n    云杉网络共有 48 层。\n", encoding="utf-8")
    code, _, err = mingbai("ingest", notes, "--index", tmp_path / "index")
    assert code == 0, err
    return tmp_path / "index"
