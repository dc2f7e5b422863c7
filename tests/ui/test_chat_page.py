import pytest

from rag.types import Mode, State

SOON = 60.0


def test_a_question_is_answered_with_its_source(page, notebook):
    notebook.gate.set()
    test = page().ask("甲是什么？").finish()

    shown = test.html
    assert "甲是第一个字。" in shown
    assert "<mark" in shown
    assert "第 8 行" in shown
    assert "RCG" in shown
    assert not test.chat_input(key="question").disabled
    assert [t.question for t in test.turns] == ["甲是什么？"]


@pytest.mark.parametrize("mode", list(Mode))
def test_the_chosen_mode_is_asked_stored_and_shown(page, notebook, mode):
    notebook.gate.set()
    test = page().ask("甲？", mode).finish()

    (turn,) = test.turns
    assert turn.mode is mode
    assert f"<b>{mode.value.upper()}</b>" in test.html
    assert ("没有查阅笔记" in test.html) is (mode is Mode.ROG)


def test_while_an_answer_is_written_the_stages_show_and_rcg_hides_the_draft(page, notebook):
    test = page().ask("甲？")
    assert notebook.drafted.wait(SOON)
    test.run()

    shown = test.html
    assert "读 1 段" in shown
    assert "已写 4 字" in shown
    assert "甲是第一" not in shown
    assert test.chat_input(key="question").disabled


def test_while_an_answer_is_written_rag_shows_the_draft(page, notebook):
    test = page().ask("甲？", Mode.RAG)
    assert notebook.drafted.wait(SOON)
    test.run()

    assert '<span class="mb-draft">甲是第一</span>' in test.html


def test_stop_frees_the_engine_and_says_so(page, notebook):
    test = page().ask("甲？", Mode.RAG)
    assert notebook.drafted.wait(SOON)

    test.click("stop")
    test.finish()

    assert notebook.streams[0].was_cancelled
    assert "停止时还没有写出可以显示的句子" in test.html
    assert [b.label for b in test.button if b.key.startswith("again-")] == ["再问一次"]


def test_a_stopped_question_can_be_asked_again(page, notebook):
    test = page().ask("甲？")
    assert notebook.drafted.wait(SOON)
    test.click("stop")
    test.finish()

    notebook.gate.set()
    test.press("again-").finish()

    assert [t.question for t in test.turns] == ["甲？", "甲？"]
    assert "甲是第一个字。" in test.html


def test_a_click_elsewhere_does_not_disturb_an_answer(page, notebook, desk):
    test = page().ask("甲？")
    assert notebook.drafted.wait(SOON)
    chat = test.chat_id

    test.click("new")
    assert "chat" not in test.query_params
    assert desk().jobs.of(chat) is not None
    notebook.gate.set()
    assert desk().jobs.of(chat) is None or desk().jobs.of(chat).wait(SOON)
    test.click(f"open-{chat}")

    assert not notebook.streams[0].was_cancelled
    assert "甲是第一个字。" in test.html


def test_two_pages_never_see_each_others_stream(page, notebook):
    first, second = page().ask("甲？", Mode.RAG), page()
    assert notebook.drafted.wait(SOON)
    first.run()
    second.run()

    assert "mb-draft" in first.html
    assert "mb-draft" not in second.html
    assert "mb-steps" not in second.html
    assert not second.chat_input(key="question").disabled


def test_a_reload_finds_the_chat_and_the_answer_under_way(page, notebook):
    test = page().ask("甲？", Mode.RAG)
    assert notebook.drafted.wait(SOON)

    reloaded = page(chat=test.chat_id)

    assert '<span class="mb-draft">甲是第一</span>' in reloaded.html
    notebook.gate.set()
    assert "mb-sources" in reloaded.finish().html


def test_follow_ups_carry_the_turns_before(page, notebook):
    notebook.gate.set()
    test = page().ask("甲是什么？").finish()
    test.ask("它呢？").finish()

    assert notebook.streams[1].history == (("甲是什么？", "甲是第一个字。"),)


def test_a_refusal_offers_the_nearest_entries_as_questions(page, notebook):
    notebook.refuses = True
    test = page().ask("丑是什么？").finish()

    assert "笔记里没有写到" in test.html
    near = [b for b in test.button if b.key.startswith("nearest-")]
    assert near[0].label == "甲是什么？"
    assert near[1].label.startswith(r"\[乙\]\(javascript")

    notebook.refuses = False
    notebook.gate.set()
    test.press("nearest-").finish()
    assert [t.question for t in test.turns] == ["丑是什么？", "甲是什么？"]


def test_a_refusal_can_be_asked_again_with_the_models_knowledge(page, notebook):
    notebook.refuses = True
    notebook.gate.set()
    test = page().ask("丑是什么？").finish()

    test.press("wider-").finish()

    assert [t.mode for t in test.turns] == [Mode.RCG, Mode.RAG]
    assert test.turns[0].answer.state is State.REFUSED


def test_hostile_model_text_is_shown_as_text(page, notebook):
    notebook.gate.set()
    test = page().ask("<img src=x onerror=alert(1)>", Mode.ROG).finish()

    shown = test.html
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert "<img" not in shown
