import subprocess
import sys
import time
from pathlib import Path

import pytest

from rag.errors import EngineError, IndexMissingError, ModelMissingError, StaleIndexError

pytest.importorskip("streamlit")

import streamlit as st
from streamlit.testing.v1 import AppTest

import ui.chat_session as session
from rag.types import Mode, State

APP = Path(session.__file__).with_name("app.py")
SOON = 10.0


@pytest.fixture
def opened(notebook, monkeypatch, tmp_path):
    """The settings of a page over the scripted notebook; set ``error`` to make the opening fail."""

    class Opening:
        error = None
        times = 0

        def __call__(self, index, settings):
            self.times += 1
            self.index = index
            if self.error is not None:
                raise self.error
            return notebook

    opening = Opening()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv(session.INDEX_VARIABLE, str(tmp_path / "index"))
    monkeypatch.setenv("MINGBAI_CONFIG", "")
    monkeypatch.setattr(session, "open_notebook", opening)
    st.cache_resource.clear()
    yield opening
    st.cache_resource.clear()


@pytest.fixture
def page(opened):
    """Opens a page in Chinese, once the notebook has settled."""

    def open_page(lang="zh", chat=None):
        test = AppTest.from_file(str(APP), default_timeout=SOON)
        test.query_params["lang"] = lang
        if chat:
            test.query_params["chat"] = chat
        test.run()
        assert session.desk().library.wait(SOON)
        return test.run()

    return open_page


def _html(test):
    bodies = [block.proto.body for block in test.get("html")]
    return "\n".join(body for body in bodies if not body.startswith("<style"))


def _chat(test):
    value = test.query_params["chat"]
    return value if isinstance(value, str) else value[0]


def _ask(test, question, mode=None):
    if mode is not None:
        test.segmented_control(key="mode").set_value(mode)
    test.chat_input(key="question").set_value(question).run()
    assert not test.exception
    return test


def _finish(test):
    job = session.desk().jobs.of(_chat(test))
    assert job is None or job.wait(SOON)
    return test.run()


def _turns(test):
    return session.desk().store.turns(_chat(test))


def test_the_first_page_needs_no_model(opened, tmp_path):
    script = "import sys, ui.chat_page; print(*sorted(set(sys.modules) & set(sys.argv[1].split())))"
    heavy = "torch llama_cpp sentence_transformers faiss chromadb jieba langchain_core rag.notebook"

    made = subprocess.run(
        [sys.executable, "-c", script, heavy], capture_output=True, text=True, check=True, timeout=120
    )

    assert made.stdout.strip() == ""


def test_the_page_is_there_while_the_notebook_is_still_opening(opened, notebook, monkeypatch):
    import threading

    hold = threading.Event()
    monkeypatch.setattr(session, "open_notebook", lambda *_: hold.wait(SOON) and notebook)
    test = AppTest.from_file(str(APP), default_timeout=SOON).run()

    try:
        assert not test.exception
        assert not test.chat_input(key="question").disabled
        assert session.desk().library.phase is session.Phase.OPENING
    finally:
        hold.set()


def test_the_welcome_offers_entries_that_have_text(page, opened, tmp_path):
    test = page()

    labels = [b.label for b in test.button if b.key.startswith("try-")]
    assert labels == ["子丑是什么？", "丙丁是什么？", r"\*\*戊己\*\* 是什么？"]
    assert "2 份文档 · 31 个条目 · 47 个片段" in _html(test)
    assert "scripted-model" in _html(test)
    assert opened.index == tmp_path / "index"


def test_a_question_is_answered_with_its_source(page, notebook):
    notebook.gate.set()
    test = _finish(_ask(page(), "甲是什么？"))

    shown = _html(test)
    assert "甲是第一个字。" in shown
    assert "<mark" in shown
    assert "第 8 行" in shown
    assert "RCG" in shown
    assert not test.chat_input(key="question").disabled
    assert [t.question for t in _turns(test)] == ["甲是什么？"]


@pytest.mark.parametrize("mode", list(Mode))
def test_the_chosen_mode_is_asked_stored_and_shown(page, notebook, mode):
    notebook.gate.set()
    test = _finish(_ask(page(), "甲？", mode))

    (turn,) = _turns(test)
    assert turn.mode is mode
    assert f"<b>{mode.value.upper()}</b>" in _html(test)
    assert ("没有查阅笔记" in _html(test)) is (mode is Mode.ROG)


def test_while_an_answer_is_written_the_stages_show_and_rcg_hides_the_draft(page, notebook):
    test = _ask(page(), "甲？")
    assert notebook.drafted.wait(SOON)
    test.run()

    shown = _html(test)
    assert "读 1 段" in shown
    assert "已写 4 字" in shown
    assert "甲是第一" not in shown
    assert test.chat_input(key="question").disabled


def test_while_an_answer_is_written_rag_shows_the_draft(page, notebook):
    test = _ask(page(), "甲？", Mode.RAG)
    assert notebook.drafted.wait(SOON)
    test.run()

    assert '<span class="mb-draft">甲是第一</span>' in _html(test)


def test_stop_frees_the_engine_and_says_so(page, notebook):
    test = _ask(page(), "甲？", Mode.RAG)
    assert notebook.drafted.wait(SOON)

    test.button(key="stop").click().run()
    _finish(test)

    assert notebook.streams[0].was_cancelled
    assert "停止时还没有写出可以显示的句子" in _html(test)
    assert [b.label for b in test.button if b.key.startswith("again-")] == ["再问一次"]


def test_a_stopped_question_can_be_asked_again(page, notebook):
    test = _ask(page(), "甲？")
    assert notebook.drafted.wait(SOON)
    test.button(key="stop").click().run()
    _finish(test)

    notebook.gate.set()
    again = next(b for b in test.button if b.key.startswith("again-"))
    again.click().run()
    _finish(test)

    assert [t.question for t in _turns(test)] == ["甲？", "甲？"]
    assert "甲是第一个字。" in _html(test)


def test_a_click_elsewhere_does_not_disturb_an_answer(page, notebook):
    test = _ask(page(), "甲？")
    assert notebook.drafted.wait(SOON)
    chat = _chat(test)

    test.button(key="new").click().run()
    assert "chat" not in test.query_params
    assert session.desk().jobs.of(chat) is not None
    notebook.gate.set()
    assert session.desk().jobs.of(chat) is None or session.desk().jobs.of(chat).wait(SOON)
    test.button(key=f"open-{chat}").click().run()

    assert not notebook.streams[0].was_cancelled
    assert "甲是第一个字。" in _html(test)


def test_two_pages_never_see_each_others_stream(page, notebook):
    first, second = _ask(page(), "甲？", Mode.RAG), page()
    assert notebook.drafted.wait(SOON)
    first.run()
    second.run()

    assert "mb-draft" in _html(first)
    assert "mb-draft" not in _html(second)
    assert "mb-steps" not in _html(second)
    assert not second.chat_input(key="question").disabled


def test_a_reload_finds_the_chat_and_the_answer_under_way(page, notebook):
    test = _ask(page(), "甲？", Mode.RAG)
    assert notebook.drafted.wait(SOON)

    reloaded = page(chat=_chat(test))

    assert '<span class="mb-draft">甲是第一</span>' in _html(reloaded)
    notebook.gate.set()
    assert "mb-sources" in _html(_finish(reloaded))


def test_follow_ups_carry_the_turns_before(page, notebook):
    notebook.gate.set()
    test = _finish(_ask(page(), "甲是什么？"))
    _finish(_ask(test, "它呢？"))

    assert notebook.streams[1].history == (("甲是什么？", "甲是第一个字。"),)


def test_a_refusal_offers_the_nearest_entries_as_questions(page, notebook):
    notebook.refuses = True
    test = _finish(_ask(page(), "丑是什么？"))

    assert "笔记里没有写到" in _html(test)
    near = [b for b in test.button if b.key.startswith("nearest-")]
    assert near[0].label == "甲是什么？"
    assert near[1].label.startswith(r"\[乙\]\(javascript")

    notebook.refuses = False
    notebook.gate.set()
    near[0].click().run()
    _finish(test)
    assert [t.question for t in _turns(test)] == ["丑是什么？", "甲是什么？"]


def test_a_refusal_can_be_asked_again_with_the_models_knowledge(page, notebook):
    notebook.refuses = True
    notebook.gate.set()
    test = _finish(_ask(page(), "丑是什么？"))

    next(b for b in test.button if b.key.startswith("wider-")).click().run()
    _finish(test)

    assert [t.mode for t in _turns(test)] == [Mode.RCG, Mode.RAG]
    assert _turns(test)[0].answer.state is State.REFUSED


def test_hostile_model_text_is_shown_as_text(page, notebook):
    notebook.gate.set()
    test = _finish(_ask(page(), "<img src=x onerror=alert(1)>", Mode.ROG))

    shown = _html(test)
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert "<img" not in shown


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

    assert not test.exception
    assert headline in _html(test)
    assert str(error) in _html(test)
    assert test.code[0].value.startswith(command)
    assert test.chat_input(key="question").disabled


def test_try_again_opens_the_notes_once_they_are_there(page, opened):
    opened.error = IndexMissingError("There is no index.")
    test = page()
    opened.error = None

    test.button(key="retry").click().run()
    assert session.desk().library.wait(SOON)
    test.run()

    assert opened.times == 2
    assert "就绪" in _html(test)
    assert not test.chat_input(key="question").disabled


def test_a_bug_while_opening_becomes_a_message(page, opened):
    opened.error = ZeroDivisionError("inner workings")
    test = page()

    assert not test.exception
    assert "ZeroDivisionError" in _html(test)
    assert "inner workings" not in _html(test)


def test_an_engine_error_is_a_card_with_its_message(page, notebook):
    notebook.error = EngineError("the engine <b>broke</b>. Ask again.")
    test = _finish(_ask(page(), "甲？"))

    assert "模型运行出错" in _html(test)
    assert "the engine &lt;b&gt;broke&lt;/b&gt;. Ask again." in _html(test)
    assert not test.exception


def test_a_chat_can_be_renamed_and_deleted_after_asking(page, notebook):
    notebook.gate.set()
    test = _finish(_ask(page(), "甲？"))
    chat = _chat(test)

    test.text_input(key=f"name-{chat}").set_value("新的名字")
    test.button(key="save-name").click().run()
    assert session.desk().store.find(chat).title == "新的名字"
    assert test.button(key=f"open-{chat}").label == "新的名字"

    test.button(key="delete").click().run()
    assert session.desk().store.find(chat) is not None
    test.button(key="delete-no").click().run()
    test.button(key="delete").click().run()
    test.button(key="delete-yes").click().run()

    assert session.desk().store.find(chat) is None
    assert "chat" not in test.query_params
    assert "mb-welcome" in _html(test)


def test_deleting_a_chat_stops_its_answer(page, notebook):
    test = _ask(page(), "甲？")
    assert notebook.drafted.wait(SOON)

    test.button(key="delete").click().run()
    test.button(key="delete-yes").click().run()

    deadline = time.monotonic() + SOON
    while not notebook.streams[0].was_cancelled:
        assert time.monotonic() < deadline


def test_a_question_that_nobody_answers_any_more_says_so(page, opened):
    store = session.Conversations()
    chat = store.create("t").conversation_id
    store.begin(chat, "旧问题", Mode.RCG)

    test = page(chat=chat)

    assert "程序在回答时退出了" in _html(test)


def test_an_unknown_chat_in_the_address_is_no_error(page):
    test = page(chat="0" * 32)

    assert not test.exception
    assert "没有找到这个对话" in _html(test)


def test_chats_that_cannot_be_read_are_a_message(opened, tmp_path):
    path = tmp_path / "data" / "mingbai" / "conversations.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"garbage" * 1000)

    test = AppTest.from_file(str(APP), default_timeout=SOON).run()

    assert not test.exception
    assert "conversations.sqlite" in _html(test)
    assert opened.times == 0


def test_the_page_speaks_english(page, notebook):
    notebook.gate.set()
    test = _finish(_ask(page("en"), "What is it?"))

    shown = _html(test)
    assert "Sources" in shown
    assert "出处" not in shown
    assert test.button(key="new").label == "New chat"


def test_the_language_switch_changes_the_words_at_once(page):
    test = page()

    test.segmented_control(key="language").set_value("en").run()

    assert test.button(key="new").label == "New chat"
    assert test.query_params["lang"] in ("en", ["en"])
