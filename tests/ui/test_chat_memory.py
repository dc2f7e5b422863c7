"""Which earlier turns a question of a chat is asked with."""

from types import SimpleNamespace

import pytest
from fakes import FakeEmbedder, FakeGenerator

from rag.notebook import TOLD_TOKENS
from rag.types import Mode
from ui.chat_memory import REMEMBERED_TURNS, ChatMemory
from ui.conversations import Status, Turn

TALK = [("我的显卡是云豹七零八零", "显存有二十四吉字节"), ("晚饭吃什么", "番茄牛腩"), ("汤放多少盐", "一小勺")]


@pytest.fixture
def notebook():
    return SimpleNamespace(embedder=FakeEmbedder(), generator=FakeGenerator("."))


def turns(talk, status=Status.DONE):
    return [
        Turn(number, "chat", question, Mode.ROG, status, SimpleNamespace(text=answer), "", "")
        for number, (question, answer) in enumerate(talk, 1)
    ]


def test_without_notes_a_late_reference_recalls_what_it_is_about(notebook):
    talk = [*TALK, ("饭后吃什么水果", "西瓜")]

    recalled = ChatMemory().recall("我的显卡的显存有多少", Mode.ROG, turns(talk), notebook)

    assert TALK[0] in recalled
    assert list(recalled) == [pair for pair in talk if pair in recalled]


def test_without_notes_a_new_topic_is_told_nothing(notebook):
    assert ChatMemory().recall("Explain gradient clipping", Mode.ROG, turns(TALK), notebook) == ()


def test_with_notes_the_newest_turns_steer_the_search_and_nothing_is_embedded(notebook):
    talk = [("零", "0"), *TALK]

    for mode in (Mode.RAG, Mode.RCG):
        assert ChatMemory().recall("它呢？", mode, turns(talk), notebook) == tuple(TALK)
    assert notebook.embedder.embedded == []


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("status", [Status.STOPPED, Status.FAILED, Status.RUNNING])
def test_only_finished_answers_are_remembered(notebook, mode, status):
    assert ChatMemory().recall("它呢？", mode, turns(TALK, status), notebook) == ()


def test_a_turn_is_embedded_once_and_old_ones_never(notebook):
    memory = ChatMemory()
    talk = turns([(f"问题{number}", "答") for number in range(REMEMBERED_TURNS + 5)])

    for _ in range(2):
        memory.recall("它呢？", Mode.ROG, talk, notebook)

    assert len(notebook.embedder.embedded) == REMEMBERED_TURNS


def test_what_is_recalled_fits_into_what_the_model_is_told(notebook):
    talk = turns([("它长吗？", "长" * TOLD_TOKENS * 8), ("它短吗？", "短")])

    assert ChatMemory().recall("它呢？", Mode.ROG, talk, notebook) == (("它短吗？", "短"),)
