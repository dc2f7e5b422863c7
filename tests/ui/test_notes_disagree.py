import pytest
from app_page import SOON
from fakes import FakeEmbedder

from ingest import ingest
from rag.settings import Settings
from rag.shelf import Shelf
from ui.notes_disagree import TASK

ONE = "# 树\n\n## 云杉网络\n\n云杉网络共有 48 层卷积，由<img src=x onerror=alert(1)>林学会提出。\n"
OTHER = "# 抄来的\n\n## 云杉网络\n\n云杉网络共有 50 层卷积，由<img src=x onerror=alert(1)>林学会提出。\n"


@pytest.fixture
def disagreeing(fake_models, home, app, desk):
    """Opens the part about contradictions over these notes, once the comparison has ended."""

    def open_view(*texts, lang="zh"):
        notes = home / "own"
        notes.mkdir()
        for number, text in enumerate(texts):
            (notes / f"{number}.md").write_text(text, encoding="utf-8")
        ingest([notes], home / "index", settings=Settings(), embedder=FakeEmbedder())
        page = app(lang)
        assert desk().library.wait(SOON)
        page.run().visit("notes", view="disagree")
        task = desk().tasks.of(f"{TASK} {desk().library.opened.index.folder.name}")
        assert task.wait(SOON)
        return page.run()

    return open_view


def test_both_sentences_stand_side_by_side_with_the_numbers_marked(disagreeing):
    page = disagreeing(ONE, OTHER)

    assert '<mark class="mb-only">48 层</mark>' in page.html
    assert '<mark class="mb-only">50 层</mark>' in page.html
    assert "数字不同" in page.html
    assert "0.md" in page.html
    assert "1.md" in page.html
    assert "<img" not in page.html


def test_a_side_opens_its_entry(disagreeing):
    page = disagreeing(ONE, OTHER)
    (other,) = [button for button in page.button if button.key == "disagree-0-other"]
    assert "1" in other.label

    page.click("disagree-0-other")

    assert "云杉网络共有 50 层卷积" in page.html
    assert page.segmented_control(key="notes-view").value == "browse"


def test_notes_that_agree_say_so_and_what_rules_do_not_see(disagreeing):
    page = disagreeing(ONE, lang="en")

    assert "No contradictions were found" in page.html
    assert "mb-side" not in page.html


def test_the_comparison_is_made_once_for_an_index(disagreeing, desk):
    page = disagreeing(ONE, OTHER)
    name = f"{TASK} {desk().library.opened.index.folder.name}"
    made = desk().tasks.of(name)

    page.run()

    assert desk().tasks.of(name) is made


def test_a_stopped_comparison_can_be_started_again(disagreeing, desk, monkeypatch):
    from rag import notebook

    def stopping(self, report):
        desk().tasks.of(name_of(self)).stop()
        report(0, 1)

    def name_of(opened):
        return f"{TASK} {opened.index.folder.name}"

    with monkeypatch.context() as patched:
        patched.setattr(notebook.Notebook, "contradictions", stopping)
        page = disagreeing(ONE, OTHER)
        assert "已停止" in page.html
    page.click("disagree-again")
    assert desk().tasks.of(name_of(desk().library.opened)).wait(SOON)

    assert "数字不同" in page.run().html


def test_the_innermost_entry_holds_a_sentence(filled, desk):
    filled()
    shelf = Shelf(desk().library.opened.index)
    for number, entry in enumerate(shelf.entries):
        if not entry.is_empty:
            holder = shelf.entries[shelf.holding(entry.file, entry.body_start)]
            assert holder.start <= entry.body_start < holder.end
            assert holder.end - holder.start <= entry.end - entry.start, number
    assert shelf.holding("no such file", 0) is None
