import threading

import pytest
from app_page import SOON

from rag import build
from rag.errors import GenerationCancelledError, IndexMissingError
from ui import agents_prompt

CONFLICT = "回答用中文。\n回答不超过 50 字。\n每个回答至少写 200 字。\n语气要礼貌。<img src=x onerror=alert(1)>"


def _finish(page):
    """Wait until the run of this page is done, and show it."""
    run = page.desk().agents.find(page.query("run"))
    assert run.task.wait(SOON)
    return page.run()


@pytest.fixture
def agents(filled, desk):
    """Opens a view of the page over a small index with fake models."""

    def open_view(view="prompt", lang="zh", **query):
        page = filled(lang).visit("agents", view=view, **query)
        page.desk = desk
        return page

    return open_view


@pytest.fixture
def checked(agents):
    """Checks a prompt, with one example when given."""

    def check(prompt, example=None):
        page = agents()
        if example:
            page.click("example-add")
            page.text_area(key="example-user-0").set_value(example[0])
            page.text_area(key="example-assistant-0").set_value(example[1])
        page.text_area(key="prompt-text").set_value(prompt)
        page.run().click("prompt-check")
        return _finish(page)

    return check


def test_findings_are_marked_in_place_and_listed(checked):
    html = checked(CONFLICT).html

    assert '<mark class="mb-find mb-find-contradiction">回答不超过 50 字。</mark>' in html
    assert '<mark class="mb-find mb-find-contradiction">每个回答至少写 200 字。</mark>' in html
    assert "矛盾 · 长度" in html
    assert "<img" not in html


def test_every_patch_can_be_rejected_and_the_result_follows(checked):
    page = checked(CONFLICT)
    (patch,) = [box for box in page.checkbox if box.key.startswith("accept-")]
    repaired = page.code[0].value
    assert ("50" in repaired) != ("200" in repaired)
    assert "mb-minus" in page.html

    patch.uncheck()
    page.run()

    assert page.code[0].value == CONFLICT
    assert "mb-minus" not in page.html


def test_an_example_that_breaks_a_rule_is_mended_and_its_question_never(checked):
    page = checked("回答用中文。\n不要使用表情符号。", ("几点闭馆？😀", "九点闭馆。😀"))

    assert "示例不符" in page.html
    assert "示例 1" in page.html
    assert "<del" in page.html
    assert [button.proto.label for button in page.get("download_button")]


def test_a_sound_prompt_is_left_alone(checked):
    page = checked("回答用中文。\n语气要礼貌。")

    assert "没有发现问题" in page.html
    assert not page.code


def test_the_sample_shows_what_the_page_can_do(agents):
    page = agents(lang="en").click("prompt-sample")

    assert page.text_area(key="prompt-text").value == agents_prompt._SAMPLE["en"][0]
    _finish(page.click("prompt-check"))
    assert "mb-find-contradiction" in page.html


def test_prompts_are_checked_without_an_index(opened, app, desk):
    opened.error = IndexMissingError("There is no index in X.")
    app()
    assert desk().library.wait(SOON)
    page = app().visit("agents")
    page.desk = desk
    page.text_area(key="prompt-text").set_value(CONFLICT)
    page.run().click("prompt-check")

    assert "mb-find-contradiction" in _finish(page).html


def test_a_chain_of_thought_is_folded_and_stands_apart_from_the_answer(agents, fake_models):
    fake_models.reply = "3 + 4 = 7，所以是七<b>。\n答案：7"
    page = agents("think")
    page.selectbox(key="think-method").set_value("zero-shot")
    page.run().text_input(key="think-question").set_value("三加四等于几？")
    _finish(page.click("think-start"))

    assert '<details class="mb-fold"><summary>推理过程</summary>' in page.html
    assert "所以是七&lt;b&gt;" in page.html
    assert '<div class="mb-answer">7</div>' in page.html
    assert "完成" in page.html


def test_the_router_says_what_it_chose(agents, fake_models):
    fake_models.yes = 0.01
    page = agents("think")
    page.text_input(key="think-question").set_value("检索增强生成是什么？")
    _finish(page.click("think-start"))

    assert "选了“直接查笔记”" in page.html


def test_several_hops_show_what_was_searched_and_the_answer_cites(agents, fake_models):
    fake_models.yes = 0.999
    page = agents("think")
    page.selectbox(key="think-method").set_value("hop")
    page.run().text_input(key="think-question").set_value("检索增强生成是什么？")
    _finish(page.click("think-start"))

    assert "查了几次" in page.html
    assert 'class="mb-marker"' in page.html
    assert 'class="mb-source"' in page.html


def test_tools_show_their_calls(agents):
    page = agents("think")
    page.selectbox(key="think-method").set_value("tools")
    page.run().text_input(key="think-question").set_value("17*23-45 等于多少？")
    _finish(page.click("think-start"))

    assert "calculate(" in page.html
    assert "346" in page.html


def test_a_run_can_be_stopped_while_the_model_writes(agents, monkeypatch):
    started, cancelled = threading.Event(), threading.Event()

    def wait(notebook, question, method, progress, cancel):
        started.set()
        assert cancel.wait(SOON)
        cancelled.set()
        raise GenerationCancelledError("cancelled")

    monkeypatch.setattr("ui.agents_think._think", wait)
    page = agents("think")
    page.text_input(key="think-question").set_value("甲？")
    page.click("think-start")
    assert started.wait(SOON)

    page.click("stop-agent")
    _finish(page)

    assert cancelled.is_set()
    assert "已停止" in page.html


def test_a_workflow_runs_and_shows_its_path(agents):
    page = agents("flow")
    page.selectbox(key="flow-which").set_value("mind_map")
    page.run().text_input(key="flow-term").set_value("向量检索")
    _finish(page.click("flow-start"))

    assert 'class="mb-ran"><b>map</b>' in page.html
    assert "mindmap" in page.html


def test_a_workflow_of_ones_own_is_checked_before_it_can_run(agents):
    page = agents("flow")
    page.selectbox(key="flow-which").set_value("own")
    page.run().text_area(key="flow-yaml").set_value("name: <b>\nnodes: []")
    page.run()

    assert "这样不行" in page.html
    assert "<b>\n" not in page.html
    assert "flow-start" not in [button.key for button in page.button]


def test_an_input_that_is_missing_is_a_card(agents):
    page = agents("flow")
    page.click("flow-start")
    _finish(page)

    assert "这样不行" in page.html


def test_a_run_that_is_gone_is_said_so(agents):
    assert "这次运行已经不在了" in agents(run="nothing").html


def test_a_run_is_there_again_after_a_reload_and_in_no_other_chat(checked, agents):
    page = checked(CONFLICT)
    again = agents(run=page.query("run"))
    fresh = agents()

    assert "mb-find-contradiction" in again.html
    assert "mb-find-contradiction" not in fresh.html


def test_the_model_is_asked_only_when_wished(agents, monkeypatch):
    def fail(_):
        raise AssertionError("a model was made")

    page = agents()
    monkeypatch.setattr(build, "make_generator", fail)
    page.text_area(key="prompt-text").set_value(CONFLICT)
    page.run().click("prompt-check")

    assert "mb-find-contradiction" in _finish(page).html
