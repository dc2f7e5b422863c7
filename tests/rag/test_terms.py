import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DamagedIndexError
from rag.terms import MAX_ROWS, TermIndex
from rag.types import Chunk, Entry

ENTRIES = [
    ("RCG", ("Retrieval-Centric Generation", "检索中心型生成")),
    ("P-Tuning", ()),
    ("P-tuning", ("提示微调",)),
    ("AE", ("自编码器",)),
    ("AE", ("Attention Expert",)),
    ("注意力机制", ("attention",)),
    ("多头注意力机制", ("Multi-head Attention",)),
    ("Sentence-BERT", ("SBERT",)),
    ("空条目", ()),
]


def make():
    entries, chunks = [], []
    for number, (title, aliases) in enumerate(ENTRIES):
        start = number * 100
        is_empty = title == "空条目"
        entries.append(Entry("a.md", title, aliases, (title,), start, start + 5, start + 100, is_empty))
        if not is_empty:
            text = f"{title} 的正文"
            chunks.append(
                Chunk(str(number), "a.md", title, aliases, (title,), start, start + len(text), number, number, text)
            )
    return TermIndex.from_entries(entries, chunks)


TERMS = make()


def found(question):
    return [TERMS.terms[hit.term].title for hit in TERMS.lookup(question)]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("什么是RCG呢", "RCG"),
        ("rcg?", "RCG"),
        ("ＲＣＧ是什么", "RCG"),
        ("檢索中心型生成是什麼", "RCG"),
        ("what is retrieval-centric generation", "RCG"),
        ("多头注意力机制怎么算", "多头注意力机制"),
        ("sentense-bert 怎么用", "Sentence-BERT"),
        ("空条目讲什么", "空条目"),
    ],
)
def test_a_name_is_found_however_it_is_written(question, title):
    assert found(question)[0] == title


@pytest.mark.parametrize("question", ["ARCGIS 地图", "brcg", "RCGs2", "今天天气很好", ""])
def test_letters_inside_another_word_are_no_name(question):
    assert "RCG" not in found(question)


def test_the_longest_name_wins():
    assert "注意力机制" not in found("多头注意力机制")


def test_the_asked_case_goes_first_and_the_other_is_still_found():
    assert found("P-tuning v2 是什么") == ["P-tuning", "P-Tuning"]
    assert found("P-Tuning 是什么") == ["P-Tuning", "P-tuning"]


def test_an_ambiguous_name_gives_every_reading():
    hits = TERMS.lookup("AE 是什么")
    assert {TERMS.rows(hit) for hit in hits} == {(3,), (4,)}


def test_both_sides_of_a_comparison_are_found():
    assert set(found("RCG 和多头注意力机制的区别")) == {"RCG", "多头注意力机制"}


def test_an_empty_entry_has_no_rows_and_a_chapter_gives_none():
    hit = TERMS.lookup("空条目")[0]
    assert TERMS.rows(hit) == ()
    text = "章"
    entry = Entry("b.md", "大章节", (), ("大章节",), 0, 1, 10_000)
    chunks = [
        Chunk(str(i), "b.md", "大章节", (), ("大章节",), i * 10, i * 10 + 1, 1, 1, text) for i in range(MAX_ROWS + 1)
    ]
    chapter = TermIndex.from_entries([entry], chunks)
    assert chapter.rows(chapter.lookup("大章节")[0]) == ()


def test_a_common_name_scores_below_a_rare_one():
    entries = [Entry("c.md", name, (), (name,), i, i, i + 1) for i, name in enumerate(("模型", "云杉网络"))]
    chunks = [Chunk(str(i), "c.md", "x", (), (), i, i + 1, 1, 1, "模型" * 3) for i in range(9)]
    scores = {hit.name: hit.score for hit in TermIndex.from_entries(entries, chunks).lookup("模型和云杉网络")}
    assert scores["模型"] < scores["云杉网络"]


def test_it_reads_back_as_it_was_written(tmp_path):
    TERMS.save(tmp_path / "terms.json")
    again = TermIndex.load(tmp_path / "terms.json")
    assert again.names() == TERMS.names()
    assert again.lookup("P-tuning 和 RCG") == TERMS.lookup("P-tuning 和 RCG")


@pytest.mark.parametrize(
    ("question", "written"),
    [
        ("ﬁne ＲＣＧ 呢", "ＲＣＧ"),
        ("ﬁﬁ檢索中心型生成？", "檢索中心型生成"),
        ("用 P-Tuning v2", "P-Tuning"),
        ("錯 sentense-bert 吗", "sentense-bert"),
    ],
)
def test_the_span_lies_in_the_question_as_it_was_written(question, written):
    hit = TERMS.lookup(question)[0]
    assert question[hit.start : hit.end] == written


def test_a_misspelt_name_scores_below_the_same_name_written_right():
    wrong, right = TERMS.lookup("sentense-bert")[0], TERMS.lookup("Sentence-BERT")[0]
    assert wrong.term == right.term
    assert wrong.score < right.score
    assert right.exact
    assert not wrong.exact


def test_a_function_word_is_no_acronym():
    entry = Entry("d.md", "CAN", (), ("CAN",), 0, 0, 10)
    index = TermIndex.from_entries([entry], [])
    assert index.lookup("why can a network learn") == []
    assert [hit.name for hit in index.lookup("CAN 是什么")] == ["can"]


def test_limit():
    assert len(TERMS.lookup("RCG 和 AE", limit=1)) == 1
    assert TERMS.lookup("RCG", limit=0) == []


@pytest.mark.parametrize(
    ("question", "titles"),
    [
        ("RCG 和 Sentence-BERT 的区别", ["RCG", "Sentence-BERT"]),
        ("Sentence-BERT vs RCG", ["Sentence-BERT", "RCG"]),
        ("difference between RCG and SBERT", ["RCG", "Sentence-BERT"]),
        ("RCG 跟多头注意力机制哪个更快", ["RCG", "多头注意力机制"]),
        ("RCG 好用，Sentence-BERT 有什么不同", ["RCG", "Sentence-BERT"]),
        ("RCG 里的 Sentence-BERT 是做什么的", []),
        ("RCG 和检索中心型生成", []),
        ("RCG 有什么不同", []),
        ("今天天气", []),
    ],
)
def test_the_parts_of_a_comparison(question, titles):
    assert [TERMS.terms[group[0].term].title for group in TERMS.parts(question)] == titles


def test_a_part_holds_all_readings():
    parts = TERMS.parts("AE 和 RCG 的区别")
    assert [len(group) for group in parts] == [2, 1]


def test_nearest_names_come_first_and_once():
    assert TERMS.nearest("注意力 RCG 怎么用", 3)[0] == "RCG"
    assert TERMS.nearest("注意力权重怎么算", 2) == ["注意力机制", "多头注意力机制"]
    assert TERMS.nearest("AE", 5).count("AE") == 1
    assert TERMS.nearest("今天天气", 3) == []
    assert TERMS.nearest("RCG", 0) == []


@pytest.mark.parametrize("text", ["", "[]", '{"terms": 3}', '{"terms": [{}], "rarity": {}}'])
def test_a_broken_file_is_damage(tmp_path, text):
    (tmp_path / "terms.json").write_text(text)
    with pytest.raises(DamagedIndexError, match="make ingest"):
        TermIndex.load(tmp_path / "terms.json")


@given(st.text(max_size=80))
def test_hits_lie_inside_the_question_and_scores_between_0_and_1(question):
    for hit in TERMS.lookup(question):
        assert 0 <= hit.start <= hit.end <= len(question)
        assert 0 <= hit.score <= 1


def test_many_names_and_a_long_question_stay_fast(tmp_path):
    terms = [
        {"title": f"术语{i}号", "names": [f"术语{i}号", f"term-{i}"], "file": "x", "rows": [i]} for i in range(50_000)
    ]
    (tmp_path / "terms.json").write_text(json.dumps({"terms": terms, "rarity": {}}))
    index = TermIndex.load(tmp_path / "terms.json")
    started = time.perf_counter()
    hits = index.lookup("请比较术语123号和 term-456 " + "的其他内容" * 300, limit=5)
    assert time.perf_counter() - started < 2
    assert {index.terms[hit.term].title for hit in hits} >= {"术语123号", "术语456号"}
