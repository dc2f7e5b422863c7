"""What a person does with the app, in a real browser."""

import pytest
from browsing import Window
from playwright.sync_api import expect
from serving import ROOT, served


def test_a_question_is_answered_and_its_marker_opens_the_quote(window):
    one = window().open()
    one.ask("RCG和RAG有什么区别？")

    one.page.locator(".mb-sources").wait_for()
    one.page.locator("a.mb-marker").first.click()

    target = one.page.locator("mark:target")
    target.wait_for(state="attached")
    assert "RCG" in target.inner_text()
    assert one.page.locator(".mb-steps").count() == 0


def test_stop_ends_an_answer_and_the_next_one_can_be_asked(window):
    one = window().open()
    one.page.get_by_role("radio", name="RAG").or_(one.page.get_by_role("button", name="RAG")).first.click()
    one.ask("慢慢说：RCG和RAG有什么区别？")
    one.page.locator(".mb-steps").wait_for()

    one.button("停止").click()

    one.page.get_by_text("停止", exact=False).first.wait_for()
    one.button("再问一次").wait_for()
    expect(one.box).to_be_enabled()


def test_a_reload_keeps_the_chat(window):
    one = window().open()
    one.ask("RAG是什么？")
    one.page.locator(".mb-answer .mb-sentence, .mb-refusal").first.wait_for()

    one.page.reload()

    one.page.locator(".mb-question").wait_for()
    assert one.page.locator(".mb-question").inner_text() == "RAG是什么？"


def test_the_language_follows_the_browser_and_the_choice_survives_another_page(window):
    one = window(locale="en-US").open()
    assert one.page.get_by_role("link", name="Notes").is_visible()

    one.page.get_by_text("中文", exact=True).click()
    one.page.get_by_role("link", name="笔记").click()
    one.page.get_by_role("heading", name="笔记").wait_for()
    one.page.get_by_role("link", name="对话").click()
    one.page.get_by_role("heading", name="问问你自己的笔记").wait_for()


def test_an_entry_leads_to_a_question(window):
    one = window().open("notes")
    one.page.get_by_placeholder("按名称或别名筛选").fill("RCG")
    one.page.get_by_placeholder("按名称或别名筛选").press("Enter")
    one.button("RCG").click()
    one.page.locator(".mb-entry").wait_for()

    one.button("问问这个条目").click()

    one.page.locator(".mb-question").wait_for()
    assert "RCG" in one.page.locator(".mb-question").inner_text()


def test_three_modes_are_compared(window):
    one = window().open("compare")
    one.page.get_by_placeholder("问一个笔记里的问题").fill("RCG和RAG有什么区别？")
    one.page.get_by_role("button", name="对比").click()

    one.page.locator(".mb-table").first.wait_for()
    assert one.page.locator("mark.mb-only").count() > 0


def test_the_lab_shows_four_lists(window):
    one = window().open("lab", q="RCG")
    one.page.locator(".mb-legs").wait_for()

    assert one.page.locator(".mb-leg").count() == 4


def test_a_file_is_uploaded_and_found(launched, tmp_path):
    with served(tmp_path, [ROOT / "data" / "sample_notes" / "history.md"]) as address:
        one = Window(launched, address)
        _upload_and_find(one.open("notes", view="sources"))
        assert one.outside == []
        one.close()


def _upload_and_find(one):
    one.page.locator("input[type=file]").set_input_files(
        {"name": "新.md", "mimeType": "text/markdown", "buffer": "# 新\n\n## 木星羊\n\n木星羊住在木星上。\n".encode()}
    )
    one.button("保存 1 个文件").click()
    one.page.get_by_text("已保存 1 个文件").wait_for()
    one.page.get_by_text("让这").click()
    one.button("开始更新").click()
    one.page.locator(".mb-note-good").wait_for()

    one.page.get_by_text("条目", exact=True).first.click()
    one.page.get_by_role("button", name="木星羊").first.wait_for()


@pytest.mark.parametrize("width", [360, 2560])
def test_no_page_is_wider_than_its_window(window, width):
    one = window(width=width, height=740)
    too_wide = {}
    for place in ("", "compare", "notes", "lab", "agents", "evals", "models"):
        one.open(place)
        wide = one.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        too_wide |= {place: wide} if wide > 0 else {}

    assert too_wide == {}
