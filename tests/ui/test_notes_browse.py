"""The notes page: entries, one entry, and what is there twice."""

from html.parser import HTMLParser

import pytest

from rag.errors import IndexMissingError


class Tags(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def _harmless(page):
    seen = Tags(page.html)
    assert not seen.tags & {"script", "img", "iframe", "svg", "object", "link", "style"}
    assert not {name for name in seen.attributes if name.startswith("on") or name == "src"}
    return page.html


def _entries(page):
    return {button.label: button.key for button in page.button if button.key.startswith("entry-")}


def _read(page, start):
    return page.click(next(key for label, key in _entries(page).items() if label.startswith(start)))


def test_without_an_index_the_page_says_so_and_leads_to_the_sources(opened, app, desk):
    opened.error = IndexMissingError("There is no index in X.")
    page = app()
    assert desk().library.wait(60)

    page.visit("notes")

    assert "还没有笔记索引" in page.html
    assert page.segmented_control(key="notes-view").options == ["条目", "重复", "矛盾", "来源与更新", "索引状态"]


def test_entries_are_listed_with_their_aliases(filled):
    page = filled().visit("notes")

    labels = list(_entries(page))
    assert "8 个条目" in page.html or "9 个条目" in page.html
    assert any(label.startswith("**检索增强生成**") and "RAG" in label for label in labels)
    assert any("只有名字" in label for label in labels)


def test_the_filter_knows_aliases_and_says_when_nothing_fits(filled):
    page = filled().visit("notes")

    page.text_input(key="entry-words").set_value("retrieval augmented")
    page.run()
    # The alias is written with a hyphen; words are looked for one by one.
    assert [label.split("**")[1] for label in _entries(page)] == ["检索增强生成"]

    page.text_input(key="entry-words").set_value("没有这样的东西")
    page.run()
    assert _entries(page) == {}
    assert "没有这个名字的条目" in page.html


def test_entries_of_one_file_can_be_chosen(filled):
    page = filled().visit("notes")

    page.selectbox(key="entry-file").set_value("copy.md")
    page.run()

    assert {label.split("**")[1] for label in _entries(page)} == {"抄来的", "向量检索"}


def test_an_entry_shows_its_text_its_place_and_what_is_related(filled):
    page = _read(filled().visit("notes"), "**检索增强生成**")

    assert "每一句话都能指出它的出处" in page.html
    assert "rag.md" in page.html
    assert "第 3–6 行" in page.html
    assert "Retrieval-Augmented Generation" in page.html
    assert any(b.label == "向量检索" for b in page.button if b.key.startswith("mentioned_by-"))

    page.press("mentioned_by-")
    assert page.query("entry")
    page.click("to-list")
    assert "entry" not in page.query_params
    assert _entries(page)


def test_an_empty_entry_and_an_unknown_one_are_no_errors(filled):
    page = _read(filled().visit("notes"), "**空条目**")
    assert "还没有写内容" in page.html

    page.visit("notes", entry="0" * 12)
    assert "没有找到这个条目" in page.html


def test_ask_about_this_asks_in_a_new_chat(filled, desk):
    page = _read(filled().visit("notes"), "**检索增强生成**")

    page.click("ask-about")
    page.finish()

    assert [turn.question for turn in page.turns] == ["检索增强生成是什么？"]


@pytest.mark.parametrize("view", ["browse", "copies", "disagree", "sources", "health"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_hostile_names_stay_text_on_every_part(filled, view, lang):
    page = filled(lang).visit("notes", view=view)

    shown = _harmless(page)
    if view == "health":
        assert "&lt;img src=x onerror=alert(1)&gt;.md" in shown
    for button in page.button:
        assert "[点](" not in button.label
        assert "<script" not in button.label.replace("\\", "").replace("<script>", "") or "\\<" in button.label


def test_a_hostile_entry_is_read_as_text(filled):
    page = filled().visit("notes")
    page.selectbox(key="entry-file").set_value("<img src=x onerror=alert(1)>.md")
    page.run()
    key = list(_entries(page).values())[-1]

    shown = _harmless(page.click(key))

    assert "&lt;iframe src=&quot;http://evil.example&quot;&gt;" in shown
    assert "![x](http://evil.example/x.png)" in shown


def test_repetitions_show_both_places_and_open_an_entry(filled):
    page = filled().visit("notes", view="copies")

    assert "相同的段落" in page.html
    assert "copy.md" in page.html
    assert "rag.md" in page.html

    page.press("same-")
    assert "向量检索把文字变成向量" in page.html
    assert page.segmented_control(key="notes-view").value == "browse"


def test_the_page_speaks_english(filled):
    page = filled("en").visit("notes")

    assert "Read entries, find repetitions" in page.html
    assert page.segmented_control(key="notes-view").options[0] == "Entries"


def test_the_mind_map_of_an_entry_is_drawn_on_demand_and_as_text(filled):
    page = _read(filled().visit("notes"), "**检索增强生成**")
    assert "mb-map" not in page.html

    (switch,) = [one for one in page.toggle if one.key.startswith("map-")]
    switch.set_value(True)
    page.run()

    assert 'class="mb-map-root"' in page.html
    assert "要点" in page.html
    assert "Retrieval-Augmented Generation" in page.html
