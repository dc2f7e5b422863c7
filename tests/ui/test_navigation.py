"""What holds for all pages: they draw in every state, keep language and chat, and survive a bug."""

import subprocess
import sys

import pytest

from rag import notebook as notebook_module
from rag.errors import IndexMissingError
from ui import turn_html
from ui.navigation import PLACES
from ui.shell import STYLES

SOON = 60.0
NAMES = [place.name for place in PLACES]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_draws_empty_and_with_notes(opened, page, desk, name, lang):
    test = page(lang).visit(name)
    assert "mb-problem" not in test.html

    opened.error = IndexMissingError("There is no index in <X>.")
    desk().library.phase, desk().library.error = "broken", opened.error
    shown = test.run().html
    assert "There is no index in &lt;X&gt;." in shown


def test_every_page_can_be_reached_from_every_page(page):
    test = page()

    assert len(test.get("page_link")) == len(PLACES)
    assert len(test.visit("lab").get("page_link")) == len(PLACES)


def test_the_language_goes_along_to_another_page(page):
    test = page()
    test.segmented_control(key="language").set_value("en")
    test.run()
    del test.query_params["lang"]

    assert "Search lab" in test.visit("lab").html


def test_the_chat_is_there_again_after_a_look_at_another_page(page, notebook):
    notebook.gate.set()
    test = page().ask("甲是什么？").finish()
    chat = test.chat_id

    del test.query_params["chat"]
    test.visit("notes")
    (link,) = [one for one in test.get("page_link") if one.proto.page_script_hash and "chat" in one.proto.query_string]

    assert chat in link.proto.query_string


def test_an_answer_goes_on_while_another_page_is_open(page, notebook, desk):
    test = page().ask("甲？")
    chat = test.chat_id
    assert notebook.drafted.wait(SOON)

    test.visit("notes")
    notebook.gate.set()
    job = desk().jobs.of(chat)
    assert job is None or job.wait(SOON)

    assert desk().store.turns(chat)[0].answer is not None


def test_a_bug_on_a_page_is_a_card_and_the_way_to_other_pages_stays(page, monkeypatch):
    test = page()

    def broken(*_):
        raise ZeroDivisionError("inner workings")

    monkeypatch.setattr("ui.models_page._catalogue", broken)
    test.visit("models")

    assert "ZeroDivisionError" in test.html
    assert "inner workings" not in test.html
    assert len(test.get("page_link")) == len(PLACES)
    assert "mb-facts" in test.html


def test_drawing_the_frame_imports_no_page_and_nothing_heavy():
    script = "import sys, ui.shell; print(*sorted(set(sys.modules) & set(sys.argv[1].split())))"
    pages = " ".join(f"ui.{name}_page" for name in NAMES)

    made = subprocess.run(
        [sys.executable, "-c", script, f"{pages} ingest evals rag.notebook numpy jieba torch llama_cpp"],
        capture_output=True,
        text=True,
        check=True,
        timeout=250,
    )

    assert made.stdout.strip() == ""


def test_no_style_asks_for_anything_outside():
    for style in STYLES:
        text = style.read_text(encoding="utf-8")
        assert "url(" not in text
        assert "@import" not in text
        assert "<" not in text


def test_the_page_accepts_what_a_notebook_accepts():
    assert turn_html.MAX_QUESTION_CHARS == notebook_module.MAX_QUESTION_CHARS
