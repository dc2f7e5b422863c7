import subprocess
import sys
import threading

import pytest

from rag.errors import EngineError, IndexMissingError, ModelMissingError, StaleIndexError
from rag.types import Mode
from ui import library
from ui.conversations import Conversations
from ui.library import Phase

SOON = 60.0


def test_the_first_page_needs_no_model(opened, tmp_path):
    script = "import sys, ui.shell, ui.chat_page; print(*sorted(set(sys.modules) & set(sys.argv[1].split())))"
    heavy = "torch llama_cpp sentence_transformers faiss chromadb jieba langchain_core rag.notebook"

    made = subprocess.run(
        [sys.executable, "-c", script, heavy], capture_output=True, text=True, check=True, timeout=120
    )

    assert made.stdout.strip() == ""


def test_the_page_is_there_while_the_notebook_is_still_opening(home, app, notebook, monkeypatch, desk):
    hold = threading.Event()
    monkeypatch.setattr(library, "open_notebook", lambda *_, **__: hold.wait(SOON) and notebook)

    try:
        test = app()
        assert not test.chat_input(key="question").disabled
        assert desk().library.phase is Phase.OPENING
    finally:
        hold.set()


def test_the_welcome_offers_entries_that_have_text(page, opened, tmp_path):
    test = page()

    labels = [b.label for b in test.button if b.key.startswith("try-")]
    assert labels == ["子丑是什么？", "丙丁是什么？", r"\*\*戊己\*\* 是什么？"]
    assert "2 份文档 · 31 个条目 · 47 个片段" in test.html
    assert "scripted-model" in test.html
    assert opened.index == tmp_path / "index"


@pytest.mark.parametrize(
    ("error", "headline", "command"),
    [
        (IndexMissingError("There is no index in X."), "还没有笔记索引", "mingbai ingest NOTES --index"),
        (StaleIndexError("built with A, settings ask for B"), "索引和现在的设置不一致", "mingbai ingest NOTES --index"),
        (ModelMissingError("no weights"), "模型还不能用", "mingbai models pull --defaults"),
    ],
)
def test_what_is_missing_is_said_with_the_command_that_helps(page, opened, error, headline, command):
    opened.error = error
    test = page()
    assert headline in test.html
    assert str(error) in test.html
    assert test.code[0].value.startswith(command)
    assert test.chat_input(key="question").disabled


def test_try_again_opens_the_notes_once_they_are_there(page, opened, desk):
    opened.error = IndexMissingError("There is no index.")
    test = page()
    opened.error = None

    test.click("retry")
    assert desk().library.wait(SOON)
    test.run()

    assert opened.times == 2
    assert "就绪" in test.html
    assert not test.chat_input(key="question").disabled


def test_a_bug_while_opening_becomes_a_message(page, opened):
    opened.error = ZeroDivisionError("inner workings")
    test = page()
    assert "ZeroDivisionError" in test.html
    assert "inner workings" not in test.html


def test_an_engine_error_is_a_card_with_its_message(page, notebook):
    notebook.error = EngineError("the engine <b>broke</b>. Ask again.")
    test = page().ask("甲？").finish()

    assert "模型运行出错" in test.html
    assert "the engine &lt;b&gt;broke&lt;/b&gt;. Ask again." in test.html
    assert not test.exception


def test_a_question_that_nobody_answers_any_more_says_so(page, opened):
    store = Conversations()
    chat = store.create("t").conversation_id
    store.begin(chat, "旧问题", Mode.RCG)

    test = page(chat=chat)

    assert "程序在回答时退出了" in test.html


def test_an_unknown_chat_in_the_address_is_no_error(page):
    test = page(chat="0" * 32)
    assert "没有找到这个对话" in test.html


def test_chats_that_cannot_be_read_are_a_message(opened, app, tmp_path):
    path = tmp_path / "data" / "mingbai" / "conversations.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"garbage" * 1000)

    test = app()
    assert "conversations.sqlite" in test.html
    assert opened.times == 0


def test_the_page_speaks_english(page, notebook):
    notebook.gate.set()
    test = page("en").ask("What is it?").finish()

    shown = test.html
    assert "Sources" in shown
    assert "出处" not in shown
    assert test.button(key="new").label == "New chat"


def test_the_language_switch_changes_the_words_at_once(page):
    test = page()

    test.segmented_control(key="language").set_value("en").run()

    assert test.button(key="new").label == "New chat"
    assert test.query_params["lang"] in ("en", ["en"])
