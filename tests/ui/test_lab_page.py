import json

import pytest

from evals.cases import load_cases
from rag.errors import IndexMissingError
from ui import lab_case


@pytest.fixture
def search(filled):
    """Opens the lab and searches."""

    def run(query="检索增强生成是什么？", lang="zh"):
        page = filled(lang).visit("lab")
        page.text_input(key="lab-query").set_value(query)
        return page.click("lab-search")

    return run


def _cases():
    return load_cases(lab_case.default_path())


def test_the_empty_page_explains_the_legs_and_offers_entries(filled):
    page = filled().visit("lab")

    assert "BM25" in page.html
    page.press("try-")
    assert 'class="mb-legs"' in page.html


def test_four_lists_stand_side_by_side_with_ranks_and_scores(search):
    page = search()

    for name in ("混合", "术语", "语义", "关键词"):
        assert f"<h2>{name}</h2>" in page.html
    assert "检索增强生成先从笔记里找到" in page.html
    assert "术语 #1" in page.html
    assert 'class="mb-score">' in page.html
    assert page.query("q") == "检索增强生成是什么？"


def test_the_number_of_results_can_be_changed(search):
    page = search()
    many = page.html.count('class="mb-hit')

    page.number_input(key="lab-k").set_value(1)
    page.click("lab-search")

    assert 0 < page.html.count('class="mb-hit') < many


def test_a_query_that_names_nothing_says_so_in_its_column(search):
    page = search("?? 火星 ??")

    assert "这一路没有找到" in page.html


def test_a_query_without_a_word_is_an_error_card(search):
    page = search("？！")

    assert "这个问题没法回答" in page.html


def test_hostile_queries_and_notes_stay_text(search):
    page = search("<script>alert(1)</script> 甲 点")

    assert "<script>alert" not in page.html
    assert "<iframe" not in page.html
    assert "&lt;iframe" in page.html
    assert "<img" not in page.html


def test_without_an_index_the_page_says_what_to_do(opened, app, desk):
    opened.error = IndexMissingError("There is no index in X.")
    app()
    assert desk().library.wait(60)

    page = app("en").visit("lab", q="x")

    assert "No notes have been indexed yet" in page.html
    assert page.button(key="lab-search").disabled


def test_a_query_is_kept_as_a_case_that_the_harness_reads(search):
    page = search()
    page.multiselect(key="case-evidence").set_value([0])
    page.text_area(key="case-answer").set_value("先检索，再生成。")
    page.text_area(key="case-facts").set_value("先找到段落|检索\n再回答")
    page.click("case-keep")

    (case,) = _cases()
    assert case.question == "检索增强生成是什么？"
    assert case.key_facts == (("先找到段落", "检索"), ("再回答",))
    assert case.evidence[0].file
    assert "已存入" in page.html
    assert [button.label for button in page.get("download_button")] or "cases.jsonl" in page.html


def test_an_answerable_case_needs_evidence_and_nothing_is_written_without(search):
    page = search().click("case-keep")

    assert "needs evidence" in page.html
    assert not lab_case.default_path().exists()


def test_a_question_that_the_notes_do_not_answer_needs_none(search):
    page = search("火星上有多少只猫？")
    kinds = page.selectbox(key="case-type")
    kinds.set_value(next(kind for kind in lab_case.CaseType if kind.value == "unanswerable"))
    page.click("case-keep")

    (case,) = _cases()
    assert not case.answerable
    assert case.evidence == ()


def test_cases_are_added_to_the_file(search):
    for _ in range(2):
        page = search()
        page.multiselect(key="case-evidence").set_value([0])
        page.click("case-keep")

    lines = lab_case.default_path().read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == 2
