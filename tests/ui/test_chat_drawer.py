"""The drawer under an answer: what was sent, what was left out, and the meter that is measured on demand."""

from dataclasses import replace

import pytest

from rag.errors import EngineError
from rag.pack import Dropped
from rag.types import Answer, Mode, Span, State
from ui import chat_details
from ui.chat_drawer import task_name


@pytest.fixture
def answered(page, notebook):
    """The chat page with an answer in a mode, and the gate closed again."""

    def ask(mode=Mode.RAG):
        notebook.gate.set()
        test = page().ask("甲？", mode).finish()
        notebook.gate.clear()
        return test

    return ask


def _meters(test):
    return [button.key for button in test.button if button.key.startswith("meter-")]


def test_the_meter_is_measured_on_demand_and_shows_a_bar_for_each_sentence(answered, notebook, desk):
    test = answered()
    assert "mb-bar" not in test.html

    test.press("meter-")
    assert not desk().tasks.of(task_name(test.turns[0].turn_id)).is_done
    assert any(button.key.startswith("stop-meter-") for button in test.button)
    notebook.gate.set()
    test.settle(task_name(test.turns[0].turn_id))

    assert test.html.count('class="mb-bar"') == 2
    assert "+2.50" in test.html
    assert "-0.10" in test.html
    assert "不是证明" in test.html
    assert "width:83%" in test.html
    assert "<script>alert" not in test.html
    assert _meters(test) == []


def test_a_measurement_that_fails_says_why_and_can_be_tried_again(answered, notebook):
    def fail(answer, progress):
        raise EngineError("fake cannot score a given text.")

    notebook.provenance = fail
    test = answered()
    turn = test.turns[0].turn_id
    test.press("meter-").settle(task_name(turn))

    assert "cannot score a given text" in test.html
    assert _meters(test) == [f"meter-{turn}"]


@pytest.mark.parametrize("mode", [Mode.ROG])
def test_an_answer_without_notes_has_no_meter(answered, mode):
    assert _meters(answered(mode)) == []


def test_a_refusal_has_no_meter(page, notebook):
    notebook.refuses = True

    assert _meters(page().ask("丑是什么？").finish()) == []


def _answer(passage, **changes):
    base = Answer("甲？", Mode.RAG, State.ANSWERED, "", (), (passage,), {}, {}, "m", "0" * 16, 0)
    return replace(base, **changes)


def test_the_drawer_names_what_was_left_out_and_why(passage):
    dropped = Dropped(replace(passage, rank=4), tokens=300, left=120).notes()
    trace = (Span("pack", 0.0, {"packed": 1, "budget": 1400, "dropped": (dropped,)}),)

    shown = chat_details.details("en", _answer(passage, trace=trace))

    assert "Passages left out" in shown
    assert "room for 1400 tokens" in shown
    assert "#4" in shown
    assert "needs 300 tokens, 120 were left" in shown
    assert "lines 7–9" in shown
    assert "笔记&lt;b&gt;.md" in shown


@pytest.mark.parametrize("dropped", [(), None, "x", ["x"], [{}]])
def test_a_trace_without_what_was_left_out_is_no_error(passage, dropped):
    trace = (Span("pack", 0.0, {"dropped": dropped}),)

    assert "mb-details" in chat_details.details("zh", _answer(passage, trace=trace))


def test_the_drawer_shows_the_prompt_word_for_word_or_says_that_it_was_changed(passage):
    from rag.prompting import prompt_hash, sent

    answer = _answer(passage, prompt_hash=prompt_hash("rag", "zh"))
    shown = chat_details.details("zh", answer)

    assert "发给模型的原文" in shown
    assert "后面还有话。" in sent(answer)[-1].text
    assert sent(answer)[0].text.splitlines()[0] in shown
    assert "<img" not in shown
    assert "无法还原" in chat_details.details("zh", _answer(passage))
