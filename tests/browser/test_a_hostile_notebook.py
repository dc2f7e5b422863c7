"""Payloads in entry names, note text, file names and questions: nothing of them runs, nothing outside is asked for."""

import pytest

ALIVE = """() => [...document.querySelectorAll('.stApp *')].flatMap(node => [...node.attributes]
    .filter(a => /^on/i.test(a.name) || /^\\s*javascript:/i.test(a.value) || /evil\\.example/.test(
        ['src', 'href', 'style', 'action', 'data', 'poster'].includes(a.name) ? a.value : ''))
    .map(a => `${node.tagName} ${a.name}=${a.value}`))"""


@pytest.fixture
def harmless(window):
    """Opens a page and asserts that nothing on it is alive; returns the window."""
    one = window()

    def look(place, **query):
        one.open(place, **query)
        assert one.page.evaluate(ALIVE) == []
        return one

    return look


@pytest.mark.parametrize("view", ["browse", "copies", "disagree", "sources", "health"])
def test_the_notes_page_shows_names_as_text(harmless, view):
    harmless("notes", view=view)


def test_every_hostile_entry_is_text(harmless, window, payloads):
    one = harmless("notes")
    one.page.get_by_placeholder("按名称或别名筛选").fill("坏")
    one.page.get_by_placeholder("按名称或别名筛选").press("Enter")
    buttons = one.page.locator(".st-key-mb-entries button")
    buttons.first.wait_for()
    one.settle()
    assert one.page.evaluate(ALIVE) == []
    assert buttons.count() >= len(payloads)
    for position in (1, 7, 12, 18, 25, 28, 29, 30, 32, 33):
        buttons.nth(position).click()
        one.page.locator(".mb-entry").wait_for()
        assert one.page.evaluate(ALIVE) == []
        one.button("全部条目").click()
        buttons.first.wait_for()


def test_hostile_code_tables_and_formulas_are_drawn_and_dead(harmless):
    one = harmless("notes")
    one.page.get_by_placeholder("按名称或别名筛选").fill("坏全部")
    one.page.get_by_placeholder("按名称或别名筛选").press("Enter")
    one.button("坏全部").click()
    one.page.locator(".mb-entry .mb-drawn").first.wait_for()
    one.settle()

    assert one.page.locator(".mb-entry pre.mb-code").count() == 1
    assert one.page.locator(".mb-entry td").count() > 20
    assert one.page.locator(".mb-entry .mb-math:not(.mb-drawn)").count() == 0
    assert one.page.locator(".mb-entry :is(img, iframe, script, a, form, object, style, link, base)").count() == 0
    assert one.page.evaluate(ALIVE) == []


def test_hostile_passages_in_the_lab_are_text(harmless):
    one = harmless("lab", q="坏话")
    one.page.locator(".mb-legs").wait_for()
    for summary in one.page.locator(".mb-hit summary").all()[:8]:
        summary.click()
    assert one.page.evaluate(ALIVE) == []


@pytest.mark.parametrize("number", [0, 1, 17, 18, 21, 25, 26, 28, 31])
def test_hostile_questions_are_text_in_bubble_title_and_list(harmless, payloads, number):
    one = harmless("")
    one.ask(f"坏 {payloads[number]}")
    one.page.locator(".mb-question").wait_for()
    one.page.locator("[class*=st-key-mb-drawer], .mb-refusal, .mb-problem").first.wait_for()

    assert payloads[number].split()[0] in one.page.locator(".mb-question").inner_text()
    assert one.page.evaluate(ALIVE) == []
