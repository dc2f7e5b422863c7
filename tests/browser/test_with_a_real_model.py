"""The whole app in a browser with the small real model and the real embedder, over the sample notes."""

import time

import pytest
from browsing import Window
from serving import ROOT, served

QUESTION = "RCG和RAG有什么区别？"
OUTSIDE = "紫色火车几点开？"
LONG = "写一篇一千字的文章，从头讲深度学习的历史。"
DONE = ".st-key-mb-last [class*=st-key-mb-drawer]"
# A second or two on a quiet machine; this one may be busy with other work.
SOON_SECONDS = 10.0


@pytest.fixture(scope="module")
def real(tmp_path_factory, small_model_path):
    """The address of the app; the models are loaded once for all tests here."""
    notes = [ROOT / "data" / "sample_notes"]
    with served(tmp_path_factory.mktemp("home"), notes, small_model_path.parent.name) as address:
        yield address


@pytest.fixture
def tab(launched, real):
    """Opens tabs of the app with a new chat each; at the end none of them asked for anything outside."""
    made = []

    def open_tab():
        made.append(Window(launched, real))
        return made[-1].open()

    yield open_tab
    for one in made:
        one.close()
    assert [one.outside for one in made] == [[]] * len(made)


def _grows(one):
    """Wait until the model has written more than the page shows now."""
    draft = one.page.locator(".mb-draft").first
    draft.wait_for()
    written = len(draft.inner_text())
    one.page.wait_for_function(f"document.querySelector('.mb-draft')?.innerText.length > {written}")


def _questions(one):
    one.page.locator(".mb-question").first.wait_for()
    return one.page.locator(".mb-question").all_inner_texts()


def test_an_answer_outlives_a_reload_and_its_citation_opens_the_quoted_words(tab):
    one = tab()
    one.ask(QUESTION, "RCG")
    one.page.locator(".mb-step-running").get_by_text("已写").wait_for()
    one.page.locator(DONE).wait_for()
    answer = one.page.locator(".mb-answer").inner_text()

    one.page.reload()
    one.page.locator(DONE).wait_for()
    assert _questions(one) == [QUESTION]
    assert one.page.locator(".mb-answer").inner_text() == answer

    one.page.locator("a.mb-marker").first.click()
    quote = one.page.locator("mark:target")
    quote.wait_for()
    words = quote.inner_text()
    assert "RCG" in words
    one.page.locator(".mb-source:has(mark:target) a.mb-open").click()

    one.page.locator(".mb-entry mark.mb-cited").first.wait_for()
    marked = one.page.locator(".mb-entry mark.mb-cited").all_inner_texts()
    assert "".join(words.split()) == "".join("".join(marked).split())


def test_what_the_notes_do_not_hold_is_refused_and_the_nearest_entries_are_named(tab):
    one = tab()
    one.ask(OUTSIDE, "RCG")

    one.page.locator(".mb-refusal").wait_for()
    one.page.get_by_text("最接近的条目").first.wait_for()
    assert one.page.locator("[class*=st-key-nearest] button").count() > 0
    assert one.page.locator(".mb-answer").count() == 0


def test_stop_ends_a_long_answer_and_frees_the_engine_for_the_next_question(tab):
    one = tab()
    one.ask(LONG, "ROG")
    one.page.wait_for_function("/。./s.test(document.querySelector('.mb-draft')?.innerText)")

    started = time.monotonic()
    one.button("停止").click()
    one.button("再问一次").wait_for()
    assert time.monotonic() - started < SOON_SECONDS
    assert one.page.locator(".mb-answer .mb-sentence").count() > 0, "what was written is lost"
    one.ask("ROG是什么？", "ROG")
    one.page.locator(".st-key-mb-last .mb-draft").wait_for()
    assert time.monotonic() - started < 2 * SOON_SECONDS

    one.page.locator(DONE).wait_for()
    one.settle()
    assert _questions(one) == [LONG, "ROG是什么？"]


def test_two_tabs_are_answered_one_after_the_other_each_in_its_own_chat(tab):
    first, second = tab(), tab()
    first.ask(LONG, "ROG")
    _grows(first)
    second.ask(QUESTION, "RAG")
    second.page.get_by_text("排队，前面还有 1 个问题").first.wait_for()

    second.page.locator(DONE).wait_for()
    first.page.locator(DONE).wait_for()
    assert (_questions(first), _questions(second)) == ([LONG], [QUESTION])
    assert second.page.locator(".mb-answer").inner_text()
