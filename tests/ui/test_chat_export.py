import re
from dataclasses import replace

import pytest

from rag.types import Answer, Mode, Sentence, State, Support
from ui.chat_export import file_name, to_markdown
from ui.conversations import Conversation, Status, Turn

CHAT = Conversation("a" * 32, "天干<b>", "2026-01-01", "2026-01-01")


@pytest.fixture
def turn(passage, cited, own):
    answer = Answer(
        question="甲是什么？",
        mode=Mode.RAG,
        state=State.ANSWERED,
        text="t",
        sentences=(cited, own),
        passages=(passage,),
        timings={},
        tokens={},
        model="m",
        prompt_hash="h",
        seed=0,
        notices=("注意。",),
    )
    return Turn(1, CHAT.conversation_id, "甲是什么？", Mode.RAG, Status.DONE, answer, "", "2026-01-02T03:04:05+00:00")


def test_a_chat_is_exported_with_markers_quotes_and_places(turn):
    text = to_markdown("zh", CHAT, [turn])

    assert text.startswith("# 天干\\<b>\n\n## 甲是什么？\n\n*RAG")
    assert "2026-01-02 03:04 UTC" in text
    assert "甲是第一个字。\\[1\\]" in text
    assert "\\[1\\] **甲** · 笔记\\<b>.md · 第 8 行\n> 甲是第一个字。" in text
    assert "〔模型知识〕" in text
    assert "*注意。*" in text


def test_nothing_in_an_export_is_alive(turn):
    hostile = "![x](http://evil.example/x.png) <img src=x> [a](javascript:1)\n# fake"
    sentences = (Sentence(hostile, Support.OWN),)
    answer = replace(turn.answer, sentences=sentences, notices=(hostile,))

    text = to_markdown("en", replace(CHAT, title=hostile), [replace(turn, question=hostile, answer=answer)])

    assert not re.search(r"(?<!\\)[\[\]!<]", text)
    assert "\n# fake" not in text
    assert "\\<img" in text


def test_a_refusal_names_the_nearest_entries(turn):
    answer = replace(turn.answer, state=State.REFUSED, sentences=(), nearest=("甲", "乙"))

    text = to_markdown("en", CHAT, [replace(turn, answer=answer)])

    assert "The notes do not hold the answer" in text
    assert "Nearest entries: 甲 · 乙" in text


def test_stopped_and_failed_turns_say_so(turn):
    stopped = replace(turn, status=Status.STOPPED)
    failed = replace(turn, status=Status.FAILED, answer=None, error="EngineError: broke")

    text = to_markdown("en", CHAT, [stopped, failed])

    assert "*Stopped; the answer is incomplete.*" in text
    assert "> EngineError: broke" in text


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("RAG 和 RCG？", "RAG-和-RCG.md"),
        ("../../etc/passwd", "etc-passwd.md"),
        ("？？", "mingbai.md"),
        ("", "mingbai.md"),
    ],
)
def test_the_file_name_is_harmless(title, expected):
    assert file_name(replace(CHAT, title=title)) == expected
