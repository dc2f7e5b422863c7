from dataclasses import replace

import pytest
from fakes import FakeEmbedder

from ingest import ingest
from rag.index import open_index
from rag.settings import Settings
from rag.shelf import Shelf
from rag.types import Citation

# Only names that are rare in the notes count as mentions, so the notes must not be too few.
FILLING = "# 别的\n\n" + "".join(f"## 第{n}件事\n\n这里写的是第{n}件不相干的小事。\n\n" for n in range(40))
NOTES = {
    "c.md": FILLING,
    "a.md": (
        "# 检索\n\n## 向量检索（Dense Retrieval）\n\n向量检索把文字变成向量。它常和倒排索引一起用。\n\n"
        "## 倒排索引\n\n倒排索引记下每个词在哪些文档里出现。\n\n## 只有名字\n"
    ),
    "b.md": (
        "# 别处\n\n## 倒排索引\n\n另一处说的倒排索引，讲的是压缩。\n\n## RAG\n\nRAG 用向量检索找段落，再写回答。\n\n"
        "## STORAGE\n\n这里只有 STORAGE，没有别的。\n"
    ),
}


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    opened = []

    def make_shelf(notes):
        folder = tmp_path_factory.mktemp("notes")
        for name, text in notes.items():
            (folder / name).write_text(text, encoding="utf-8")
        index = tmp_path_factory.mktemp("made") / "index"
        ingest([folder], index, settings=Settings(), embedder=FakeEmbedder())
        opened.append(open_index(index, Settings()))
        return Shelf(opened[-1])

    yield make_shelf
    for index in opened:
        index.close()


@pytest.fixture(scope="module")
def shelf(make):
    return make(NOTES)


def _number(shelf, title, file="a.md"):
    return next(n for n, e in enumerate(shelf.entries) if e.title == title and e.file == file)


def _titles(shelf, numbers):
    return [shelf.entries[n].title for n in numbers]


def test_entries_are_found_by_name_and_alias_equal_names_first(shelf):
    assert _titles(shelf, shelf.find("倒排索引")) == ["倒排索引", "倒排索引"]
    assert _titles(shelf, shelf.find("dense"))[0] == "向量检索"
    assert _titles(shelf, shelf.find("retrieval DENSE")) == ["向量检索"]
    assert _titles(shelf, shelf.find("检索"))[0] == "检索"
    assert shelf.find("没有") == []
    assert shelf.find(" ") == list(range(len(shelf.entries)))


def test_the_text_and_the_lines_of_an_entry_are_those_of_its_file(shelf):
    number = _number(shelf, "倒排索引")

    assert shelf.text(number) == "倒排索引记下每个词在哪些文档里出现。"
    assert shelf.lines(number)[0] == 7
    assert shelf.text(_number(shelf, "只有名字")) == ""


def test_related_entries_are_named_naming_or_near_and_none_twice(shelf):
    found = shelf.related(_number(shelf, "向量检索"))

    assert set(_titles(shelf, found.mentions)) == {"倒排索引"}
    assert "RAG" in _titles(shelf, found.mentioned_by)
    numbers = [*found.mentions, *found.mentioned_by, *found.similar]
    assert len(numbers) == len(set(numbers))
    assert _number(shelf, "向量检索") not in numbers
    assert not any(shelf.entries[n].is_empty for n in numbers)


def test_a_latin_name_inside_a_longer_word_is_no_mention(shelf):
    assert "STORAGE" not in _titles(shelf, shelf.related(_number(shelf, "RAG", "b.md")).mentioned_by)


def test_there_are_at_most_so_many_of_each_kind(shelf):
    found = shelf.related(_number(shelf, "向量检索"), limit=1)

    assert max(len(found.mentions), len(found.mentioned_by), len(found.similar)) <= 1


def test_an_entry_without_text_has_no_similar_ones_and_no_error(shelf):
    assert shelf.related(_number(shelf, "只有名字")).similar == ()


def test_entries_of_one_name_are_grouped(shelf):
    assert [[shelf.entries[n].file for n in group] for group in shelf.same_name] == [["a.md", "b.md"]]


def test_keys_tell_entries_apart_and_survive_an_edit(shelf, make):
    keys = [shelf.key(n) for n in range(len(shelf.entries))]
    assert len(set(keys)) == len(keys)
    assert [shelf.number(key) for key in keys] == list(range(len(keys)))
    assert shelf.number("no such key") is None

    edited = make({**NOTES, "a.md": "# 新的开头\n\n多了一段。\n\n" + NOTES["a.md"]})
    assert edited.number(shelf.key(_number(shelf, "倒排索引"))) is not None


def test_copies_name_every_place(make):
    text = "同一段话在两个文件里各写了一遍，写得很长，长到去重的时候能够认出来它们其实就是同一段话，一个字也不差。"
    shelf = make({"a.md": f"# 甲\n\n{text}\n", "b.md": f"# 甲\n\n{text}\n"})

    (copy,) = shelf.copies
    assert {copy.file, *(place.file for place in copy.also_at)} == {"a.md", "b.md"}


def test_a_place_in_a_document_leads_to_the_innermost_entry_and_back(shelf):
    number = _number(shelf, "向量检索")
    start, body = shelf.body(number)
    assert body == shelf.text(number)
    assert body.startswith("向量检索把文字")
    assert shelf.holding("a.md", start) == number
    assert shelf.holding("a.md", start + len(body) - 1) == number
    assert shelf.holding("none.md", 0) is None
    assert shelf.holding("a.md", 10**6) is None


def _cited(shelf, number, quote):
    entry = shelf.entries[number]
    start = entry.start + shelf._index.store.document_text(entry.file)[entry.start : entry.end].index(quote)
    return Citation(1, "c", entry.file, entry.title, 1, 1, start, start + len(quote), quote)


def test_citations_lead_to_their_spans_even_from_the_heading_on(shelf):
    number = _number(shelf, "向量检索")
    heading = _cited(shelf, number, "## 向量检索（Dense Retrieval）\n\n向量检索把文字变成向量。")
    later = _cited(shelf, number, "它常和倒排索引一起用。")
    inside = _cited(shelf, number, "文字变成向量。")

    place = shelf.place([heading, inside, later])

    assert shelf.number(place.key) == number
    body = shelf.text(number)
    assert [body[a:b] for a, b in shelf.spans(number, place.spans)] == [
        "向量检索把文字变成向量。",
        "它常和倒排索引一起用。",
    ]
    assert shelf.spans(number, place.spans + ".1-2-000000000000") is None
    assert shelf.place([]) is None
    assert shelf.place([replace(heading, file="none.md")]) is None
