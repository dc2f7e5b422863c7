import threading

import pytest
from eval_fakes import FakeSubject, located_cases, make_run

from evals.run import Plan
from evals.types import CaseType
from rag.types import Mode
from ui import eval_task

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder of runs to work in: a good one, one that invents things, and a file that is no run."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs"
    plan = Plan(modes=(Mode.RCG,), repeats=0, ladder_cases=0)
    make_run(folder / "good.jsonl", FakeSubject(), plan)
    failing = frozenset(case.case.question for case in located_cases()[:6])
    make_run(folder / "worse.jsonl", FakeSubject(own_knowledge=True, failing=failing), plan)
    (folder / "verdicts-llm.jsonl").write_text('{"claim": "x"}\n', encoding="utf-8")
    return folder


@pytest.fixture
def evals(page):
    def open_page(lang="zh", **query):
        return page(lang).visit("evals", **query)

    return open_page


def test_without_a_run_the_page_says_how_to_make_one(evals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert "还没有评测结果" in evals().html


def test_a_run_shows_figures_slices_trend_and_worst_cases(runs, evals):
    html = evals(run="worse").html

    for words in ("RCG 总分", "证据召回@5", "走势", "分组", "最差的题", "type=detail"):
        assert words in html
    assert 'class="mb-bars"' in html
    assert "planted failure" in html
    assert "标准答案" in html


def test_the_run_in_the_address_is_shown_and_another_can_be_chosen(runs, evals):
    page = evals(run="worse")
    assert page.query("run") == "worse"

    page.selectbox(key="eval-run").set_value("good")
    page.run()

    assert page.query("run") == "good"
    assert "planted failure" not in page.html


def test_two_runs_are_compared_case_by_case(runs, evals):
    page = evals(view="changes")
    page.selectbox(key="eval-before").set_value("good")
    page.selectbox(key="eval-after").set_value("worse")
    page.run()

    assert "事先声明的比较" in page.html
    assert "变差 · rcg right" in page.html
    assert located_cases()[0].case.question in page.html


def test_a_run_is_not_compared_with_itself(runs, evals):
    page = evals(view="changes")
    for box in ("eval-before", "eval-after"):
        page.selectbox(key=box).set_value("good")
    page.run()

    assert "选两次不同的结果" in page.html


def test_hostile_questions_stay_text(runs, evals):
    path = runs / "worse.jsonl"
    question = located_cases()[0].case.question
    path.write_text(path.read_text(encoding="utf-8").replace(question, f"{question}{EVIL}"), encoding="utf-8")

    html = evals(run="worse").html

    assert "&lt;img src=x" in html
    assert "<img" not in html


def test_the_report_can_be_downloaded(runs, evals):
    labels = [button.proto.label for button in evals("en").get("download_button")]

    assert labels == ["Download the report", "Download JSON"]


@pytest.fixture
def small_set(monkeypatch, notes, tmp_path):
    """The quick evaluation asks two questions about the test notes."""
    from evals import cases

    made = cases.parse_case(
        {
            "id": "t-1",
            "question": "检索增强生成是什么？",
            "lang": "zh",
            "type": CaseType.DEFINITION.value,
            "answerable": True,
            "answer": "先找段落，再回答。",
            "key_facts": [["段落"]],
            "evidence": [
                {"file": "rag.md", "heading": "检索增强生成", "quote": "检索增强生成先从笔记里找到相关的段落"}
            ],
        },
        "t",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(eval_task, "NOTES", notes)
    monkeypatch.setattr(eval_task, "load_cases", lambda _: [made])
    return made


def test_the_quick_evaluation_runs_with_the_loaded_models_and_its_result_is_shown(small_set, filled, desk):
    page = filled().visit("evals")
    generator = desk().library.opened.generator
    page.click("eval-answers").settle(eval_task.NAME)

    assert "评测完成" in page.html
    assert "RCG 总分" in page.html or "正确率" in page.html
    assert desk().library.opened.generator is generator
    assert desk().library.opened.ask("检索增强生成是什么？").passages


def test_a_stopped_evaluation_keeps_what_was_done(small_set, filled, desk, monkeypatch):
    reached, go = threading.Event(), threading.Event()

    def slow(*_):
        reached.set()
        assert go.wait(60)
        yield from ()

    monkeypatch.setattr(eval_task, "execute", slow)
    page = filled().visit("evals").click("eval-retrieval")
    assert reached.wait(60)
    page.run()
    assert page.get("progress")

    page.click(f"stop-{eval_task.NAME}")
    go.set()
    page.settle(eval_task.NAME)

    assert "mb-note" in page.html


def test_without_the_sample_notes_the_error_is_a_card(filled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = filled().visit("evals").click("eval-retrieval").settle(eval_task.NAME)

    assert "There is no folder" in page.html
