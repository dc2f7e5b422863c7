import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

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


CODE = "```python\ndef f(x):\n    return x[0]  # <b>\n\n    ![no](http://evil.example)\n```"
FORMULA = "$$\n\\frac{a}{b} = \\sqrt{x}\n$$"


def _exported(turn, *sentences):
    return to_markdown("zh", CHAT, [replace(turn, answer=replace(turn.answer, sentences=sentences, notices=()))])


def test_code_and_formulas_of_an_answer_stay_as_they_are_with_their_markers(turn, cited):
    texts = ("先看这个 `x[0]` 和 $a_1$：", CODE, FORMULA, "就是这样。")

    text = _exported(turn, *(replace(cited, text=one) for one in texts))

    assert f"先看这个 `x[0]` 和 $a_1$：\\[1\\]\n\n{CODE}\n\n\\[1\\]\n\n{FORMULA}\n\n\\[1\\] 就是这样。\\[1\\]" in text


def test_the_rows_of_a_table_stay_a_table_with_their_markers(turn, cited):
    rows = ("| 名 | 值 |", "|---|:-:|", "| 温度 | $t$ `a\\|b` |", "| <b> | 2 |")

    text = _exported(turn, *(replace(cited, text=one) for one in rows))

    assert ("| 名 | 值\\[1\\] |\n|---|:-:|\n| 温度 | $t$ `a\\|b`\\[1\\] |\n| \\<b> | 2\\[1\\] |") in text


def test_rows_without_their_head_get_an_empty_one(turn, cited):
    text = _exported(turn, *(replace(cited, text=f"| {n} | b |") for n in range(2)))

    assert "|  |  |\n|---|---|\n| 0 | b\\[1\\] |\n| 1 | b\\[1\\] |" in text


def test_items_and_headings_of_an_answer_keep_their_lines(turn):
    text = _exported(turn, *(Sentence(one, Support.OWN) for one in ("# 头", "- 一。", "- 二。", "末。")))

    assert "**头**" in text
    assert "\n- 一。〔模型知识〕  \n- 二。〔模型知识〕\n\n末。" in text


def test_a_quote_keeps_its_code_and_its_table(turn, cited):
    citation = replace(cited.citations[0], quote=f"看：\n{CODE}\n| a | b |\n|---|---|\n| 1 | 2 |")

    text = _exported(turn, replace(cited, citations=(citation,)))

    quoted = "\n".join(f"> {one}" if one else ">" for one in CODE.split("\n"))
    assert f"> 看：\n>\n{quoted}\n>\n> | a | b |\n> |---|---|\n> | 1 | 2 |\n" in text


def test_a_question_with_code_keeps_it(turn):
    text = to_markdown("zh", CHAT, [replace(turn, question=f"这段对吗？\n{CODE}")])

    assert f"## 这段对吗？\n\n{CODE}\n\n*RAG" in text


@pytest.mark.parametrize(
    "hostile",
    [
        "```\n````\n<img src=x onerror=alert(1)>\n```",
        "``a`<img src=x>`",
        "\\<img src=x> \\![x](http://evil.example)",
        "$`$ `<img src=x>`",
        "$x<img src=x>y$",
        "$$[x](javascript:alert(1))<svg/onload=alert(1)>$$",
        "$\\href{javascript:alert(1)}{x}$ \\(\\url{javascript:alert(1)}\\)",
        "\\[ [x]: http://evil.example \\]",
        "| a | <img src=x> |\n|---|---|\n| ![x](http://evil.example) | [x](javascript:1) |",
    ],
)
def test_nothing_that_is_kept_is_alive(turn, cited, hostile):
    citation = replace(cited.citations[0], quote=hostile, entry=hostile)

    text = _exported(turn, Sentence(hostile, Support.OWN), replace(cited, text=hostile, citations=(citation,)))
    html = MarkdownIt("commonmark").enable("table").render(text)

    assert not re.search(r"<(?:img|svg|a)\b", html)
    assert not re.search(r"\\(?:href|url)", text)


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
