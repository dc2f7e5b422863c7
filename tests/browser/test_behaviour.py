"""How the app behaves while answers are under way: two tabs, stop, close, reload, clicks; and who can use it."""

import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Window
from playwright.sync_api import expect
from serving import ROOT, served

SLOW = "慢慢说：RCG和RAG有什么区别？"
SAMPLE = ROOT / "data" / "sample_notes"
# The second that is promised is tested on the jobs themselves; here a busy machine draws two pages in between.
PATIENCE_SECONDS = 10.0
# What makes a page hard or impossible to use for somebody.
GRAVE = ("serious", "critical")


def _writing(one):
    """Wait until the model has written something."""
    one.page.locator(".mb-draft").first.wait_for()


def test_two_tabs_queue_and_never_see_each_others_chats(window):
    first, second = window().open(), window().open()
    first.ask(SLOW, "RAG")
    _writing(first)
    second.ask("RAG是什么？", "RAG")

    second.page.get_by_text("排队，前面还有 1 个问题").first.wait_for()
    first.button("停止").click()
    second.page.locator("[class*=st-key-mb-drawer]").wait_for()

    assert second.page.locator(".mb-question").all_inner_texts() == ["RAG是什么？"]
    assert first.page.locator(".mb-question").all_inner_texts() == [SLOW]


def test_stop_frees_the_engine_at_once(window):
    first, second = window().open(), window().open()
    first.ask(SLOW, "RAG")
    _writing(first)
    second.ask("RAG是什么？", "RAG")
    second.page.get_by_text("排队，前面还有 1 个问题").first.wait_for()

    started = time.monotonic()
    first.button("停止").click()
    second.page.get_by_text("排队，前面还有 1 个问题").first.wait_for(state="detached")

    assert time.monotonic() - started < PATIENCE_SECONDS


def test_closing_a_tab_frees_the_engine_for_the_next(window, launched, address):
    closing, waiting = Window(launched, address).open(), window().open()
    closing.ask(SLOW, "RAG")
    _writing(closing)
    waiting.ask("RAG是什么？", "RAG")
    waiting.page.get_by_text("排队，前面还有 1 个问题").first.wait_for()

    started = time.monotonic()
    closing.close()
    waiting.page.get_by_text("排队，前面还有 1 个问题").first.wait_for(state="detached")

    assert time.monotonic() - started < PATIENCE_SECONDS


def _goes_on(one):
    """Wait until the model has written more than it has now."""
    written = len(one.page.locator(".mb-draft").first.inner_text())
    one.page.wait_for_function(f"document.querySelector('.mb-draft')?.innerText.length > {written}")


def test_a_click_while_an_answer_streams_does_not_kill_it(window):
    one = window().open()
    one.ask(SLOW, "RAG")
    _writing(one)

    one.page.get_by_text("English", exact=True).click()
    one.page.locator(".st-key-mode").get_by_text("ROG", exact=True).first.click()
    one.page.get_by_role("button", name="Stop").wait_for()

    _goes_on(one)
    one.button("Stop").click()
    one.button("Ask again").wait_for()


def test_a_reload_while_an_answer_streams_goes_on_with_it(window):
    one = window().open()
    one.ask(SLOW, "RAG")
    _writing(one)

    one.page.reload()

    _writing(one)
    _goes_on(one)
    assert one.page.locator(".mb-question").count() == 1
    one.button("停止").click()
    one.button("再问一次").wait_for()


def test_a_question_is_asked_with_the_keyboard_alone(window):
    one = window().open()
    one.page.keyboard.press("Tab")
    for _ in range(60):
        if one.page.evaluate("document.activeElement.dataset.testid === 'stChatInputTextArea'"):
            break
        one.page.keyboard.press("Tab")
    one.page.keyboard.type("RAG是什么？")
    one.page.keyboard.press("Enter")

    one.page.locator("[class*=st-key-mb-drawer]").wait_for()


def _node(node):
    return node["html"][:160], [check.get("data") for check in node["any"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_grave_on_any_page(window, scheme):
    one = window(scheme=scheme).open()
    one.ask("RCG和RAG有什么区别？", "RCG")
    one.page.locator("[class*=st-key-mb-drawer]").wait_for()
    grave = _grave(one)
    for place in (
        "compare",
        "notes",
        "notes?view=sources",
        "lab?q=RCG",
        "agents",
        "agents?view=flow",
        "evals",
        "models",
    ):
        grave += _grave(one.open(place))

    assert grave == []


def _grave(one):
    one.settle()
    found = Axe().run(one.page).response["violations"]
    return [
        (
            one.page.url.removeprefix(one.address),
            violation["id"],
            node["html"][:160],
            [c.get("data") for c in node["any"]],
        )
        for violation in found
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


def test_without_an_index_the_page_says_how_to_get_one(launched, tmp_path):
    with served(tmp_path, []) as address:
        one = Window(launched, address)
        one.page.goto(address)
        one.page.get_by_text("还没有笔记索引").wait_for()
        expect(one.box).to_be_disabled()

        one.button("选择笔记文件夹").click()
        one.page.get_by_role("heading", name="笔记", exact=True).wait_for()
        one.close()
