from types import SimpleNamespace

import pytest

from rag.errors import EngineError, ModelMissingError
from rag.types import Mode
from ui import compare_choice
from ui.compare_job import KEPT, Comparisons
from ui.compare_sides import ORDER, three_modes, variations

SOON = 60.0


@pytest.fixture
def compare(page, desk):
    """Opens the page and compares a question; waits for the answers unless told not to."""

    def start(question="甲是什么？", lang="zh", *, wait=True, kind="modes", **chosen):
        test = page(lang).visit("compare")
        if kind != "modes":
            test.segmented_control(key="compare-kind").set_value(kind)
            test.run()
        for key, value in chosen.items():
            test.selectbox(key=f"compare-{key}").set_value(value)
            test.run()
        test.text_input(key="compare-question").set_value(question)
        test.click("compare-start")
        if wait:
            for job in desk().comparisons.find(test.query("compare")).jobs:
                assert job.wait(SOON)
            test.run()
        return test

    return start


def test_the_empty_page_explains_the_modes_and_offers_questions(page):
    test = page().visit("compare")

    assert all(f"<b>{mode.value.upper()}</b>" in test.html for mode in Mode)
    assert test.button(key="try-0").label == "子丑和丙丁有什么区别？"

    test.click("try-0")
    assert test.query("compare")


def test_three_answers_stand_side_by_side_with_numbers(compare, notebook):
    notebook.gate.set()
    test = compare()

    assert [stream.question for stream in notebook.streams] == ["甲是什么？"] * 3
    assert {stream.mode for stream in notebook.streams} == set(ORDER)
    assert "有出处的句子" in test.html
    assert test.html.count("甲是第一个字。") >= 2
    assert "没有查阅笔记" in test.html


def test_what_only_one_answer_says_is_marked_until_the_toggle_is_off(compare, notebook):
    notebook.gate.set()
    test = compare()

    # RAG and ROG say the same second sentence; the first one is said by RCG and RAG: nothing is said only once.
    assert "mb-only" not in test.html

    notebook.extra = {Mode.ROG: "丙有七十二变。"}
    other = compare("丙？")
    assert '<mark class="mb-only">' in other.html
    assert "七十二变" in other.html.replace('<mark class="mb-only">', "").replace("</mark>", "")

    other.toggle(key="compare-mark").set_value(False)
    assert "mb-only" not in other.run().html


def test_answers_show_as_they_are_written_and_stop_ends_all_of_them(compare, notebook, desk):
    test = compare(wait=False)
    assert notebook.drafted.wait(SOON)
    test.run()

    assert "mb-steps" in test.html
    assert test.button(key="compare-start").disabled

    test.click("stop")
    comparison = desk().comparisons.find(test.query("compare"))
    assert all(job.wait(SOON) for job in comparison.jobs)
    assert "停止" in test.run().html
    assert not test.button(key="compare-start").disabled


def test_a_failure_is_a_card_in_its_column(compare, notebook):
    notebook.error = EngineError("the engine <b>broke</b>.")
    test = compare()

    assert test.html.count("the engine &lt;b&gt;broke&lt;/b&gt;.") == 3


def test_a_question_goes_on_in_the_chat(compare, notebook):
    notebook.gate.set()
    test = compare()

    test.click("go-on-rag").finish()

    assert [(turn.question, turn.mode) for turn in test.turns] == [("甲是什么？", Mode.RAG)]


@pytest.mark.parametrize("payload", ["<img src=x onerror=alert(1)>", "</div><script>alert(1)</script>"])
def test_hostile_questions_and_answers_are_shown_as_text(compare, notebook, payload):
    notebook.gate.set()
    notebook.extra = {Mode.ROG: payload, Mode.RAG: payload.upper()}
    test = compare(payload)

    assert "<img" not in test.html
    assert "<script>" not in test.html.casefold()


def test_an_unknown_comparison_says_that_it_is_gone(page):
    test = page().visit("compare", compare="0" * 32)

    assert "这次对比已经不在了" in test.html


def test_without_a_model_nothing_can_be_asked(page, opened):
    opened.error = ModelMissingError("no weights")
    test = page("en").visit("compare")

    assert "A model cannot be used" in test.html
    assert test.button(key="compare-start").disabled


def test_only_the_newest_comparisons_are_kept(notebook):
    from ui.chat_job import Jobs

    notebook.gate.set()
    kept, jobs, library = Comparisons(), Jobs(), SimpleNamespace(notebook=lambda: notebook)
    made = [kept.start("q", three_modes(), jobs, library, is_open=lambda _: True) for _ in range(KEPT + 2)]

    assert [kept.find(one) is None for one in made[:3]] == [True, True, False]
    assert kept.find(made[-1]) is not None


def test_two_settings_are_set_side_by_side(compare, notebook, opened, desk):
    notebook.gate.set()
    test = compare(kind="settings", setting="retrieval.k", mode=Mode.RAG)

    now = desk().settings.retrieval.k
    assert [stream.mode for stream in notebook.streams] == [Mode.RAG, Mode.RAG]
    assert [settings.retrieval.k for settings, _ in opened.asked] == [now, 2 * now]
    assert f"<b>{now}</b>" in test.html
    assert f"<b>{2 * now}</b>" in test.html
    assert f"<th>{2 * now}</th>" in test.html
    # The chat knows only the settings in force.
    assert [button.key for button in test.button if button.key.startswith("go-on")] == ["go-on-now"]


@pytest.mark.parametrize("number", range(6))
def test_every_variation_can_be_opened_and_has_words(compare, notebook, desk, number):
    notebook.gate.set()
    test = compare(kind="settings")
    one = variations(desk().settings)[number]
    test.selectbox(key="compare-setting").set_value(one.setting)

    shown = test.run().html

    assert one.setting in shown
    assert one.now != one.other
    assert f"一边是 {one.now}，一边是 {one.other}" in shown


@pytest.fixture
def second_model(monkeypatch):
    """Another generator is on this machine; says whether it fits beside the one in force."""
    from rag.model_memory import MemoryNeed
    from ui import compare_job

    fits = {"fits": True}

    def beside(settings):
        return MemoryNeed(1_000_000_000, is_exact=True), 500_000_000, fits["fits"]

    monkeypatch.setattr(compare_choice, "other_models", lambda settings: ["other-<b>model"])
    monkeypatch.setattr(compare_choice, "fits_beside", beside)
    monkeypatch.setattr(compare_job, "fits_beside", beside)
    return fits


def test_two_models_answer_one_after_the_other(compare, notebook, opened, second_model, desk):
    notebook.gate.set()
    test = compare(kind="models")

    assert [(s.models.generator, beside) for s, beside in opened.asked][1:] == [("other-<b>model", True)]
    assert "other-&lt;b&gt;model" in test.html
    assert desk().settings.models.generator in test.html
    assert len(notebook.streams) == 2


def test_a_model_that_does_not_fit_beside_takes_the_place_and_gives_it_back(
    compare, notebook, opened, second_model, desk
):
    second_model["fits"] = False
    notebook.gate.set()
    test = compare(kind="models")
    assert desk().library.wait(SOON)

    names = [settings.models.generator for settings, _ in opened.asked]
    own = desk().settings.models.generator
    assert names == [own, "other-<b>model", own]
    assert [beside for _, beside in opened.asked] == [False, False, False]
    assert "放不下两个" in test.html
    assert len(notebook.streams) == 2


def test_stop_before_the_second_model_loads_it_not(compare, notebook, opened, second_model, desk):
    test = compare(kind="models", wait=False)
    assert notebook.drafted.wait(SOON)

    test.run().click("stop")

    comparison = desk().comparisons.find(test.query("compare"))
    assert all(job.wait(SOON) for job in comparison.jobs)
    assert len(opened.asked) == 1
    assert [turn.status.value for turn in comparison.turns] == ["stopped", "stopped"]


def test_without_a_second_model_the_page_says_where_to_get_one(page, monkeypatch):
    monkeypatch.setattr(compare_choice, "other_models", lambda settings: [])
    test = page("en").visit("compare")
    test.segmented_control(key="compare-kind").set_value("models")

    assert "There is no second generator" in test.run().html
    assert test.button(key="compare-start").disabled
