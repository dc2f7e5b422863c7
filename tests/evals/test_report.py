import html.parser
import json
import re
from dataclasses import replace

import pytest
from eval_fakes import FakeSubject, located_cases, make_run

from evals.judges.lexical import LexicalJudge
from evals.metrics.statistics import Estimate
from evals.page import page, worst
from evals.plots import curve, intervals
from evals.report import BEGIN, END, as_json, markdown, risk_curve, update_readme
from evals.run import Plan
from evals.score import score_run
from evals.tables import Table, signed, with_interval
from rag.errors import UsageError
from rag.types import Span

ATTACK = "<script>alert('明白')</script> | <img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "r.jsonl"
    return make_run(path, FakeSubject(own_knowledge=True), Plan(repeats=2, ladder_cases=4))


@pytest.fixture(scope="module")
def scored(run):
    return score_run(run, LexicalJudge())


def test_the_markdown_has_every_part(scored):
    text = markdown(scored, ["Careful."])
    for title in ("Retrieval", "Answers by mode", "Slices of hybrid", "Mode ladder", "Noise ladder", "Cost"):
        assert f"### {title}\n" in text
    assert "> Careful." in text
    assert scored.header.commit in text
    assert "zh-Hans→zh-Hans" in text
    assert "nan" not in re.findall(r"\bnan\b", text.lower())


def test_tables_are_square(scored):
    for block in markdown(scored).split("### ")[1:]:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines() if line.startswith("|")}
        assert len(widths) == 1


def test_the_page_is_self_contained(scored):
    text = page(scored)
    assert "<script" not in text
    assert not re.search(r"""(?:src|href|url)\s*[=(]|@import|https?://""", text)
    assert len(text) < 1_000_000
    assert text.count("<svg") >= 4


def test_the_page_shows_the_worst_cases_whole(scored):
    text = page(scored)
    rows = worst(scored)
    assert rows[0].value("right") == 0.0
    assert {row.case_id for row in rows} >= {f"u-{i:02}" for i in range(6)}
    case = scored.cases[rows[0].case_id].case
    assert case.question in text
    assert "QuantumBench" in text
    assert "✗" in text and "✓" in text
    assert "class=gold" in text
    assert "invented fact" in text


def test_every_text_is_escaped(run):
    answers = tuple(
        replace(record, answer=replace(record.answer, text=ATTACK), error=record.error) for record in run.answers
    )
    cases = {
        name: replace(case, case=replace(case.case, question=ATTACK, answer=ATTACK)) for name, case in run.cases.items()
    }
    found = score_run(replace(run, answers=answers, cases=cases), LexicalJudge())
    text = page(found, [ATTACK])
    assert "<script" not in text and "<img" not in text
    assert "&lt;script&gt;" in text
    assert "<script" not in markdown(found, ["a warning"])

    class Balanced(html.parser.HTMLParser):
        depth = 0

        def handle_starttag(self, tag, attrs):
            self.depth += tag != "meta"

        def handle_startendtag(self, tag, attrs):
            pass

        def handle_endtag(self, tag):
            self.depth -= 1

    parser = Balanced()
    parser.feed(text)
    assert parser.depth == 0


def test_worst_cases_of_a_retrieval_run_are_lost_evidence(tmp_path):
    subject = FakeSubject(chunk_chars=20)
    found = score_run(make_run(tmp_path / "r.jsonl", subject, Plan.retrieval_only()), LexicalJudge())
    rows = worst(found)
    assert rows and all(row.condition == "hybrid" and row.value("evidence_recall@5") == 0.0 for row in rows)
    assert found.cases[rows[0].case_id].case.question in page(found)


def test_the_json_holds_every_score(scored):
    found = json.loads(as_json(scored, ["a warning"]))
    assert len(found["cases"]) == len(scored.rows)
    assert len(found["figures"]) == len(scored.figures)
    assert found["notes"] == ["a warning"]
    undefined = [figure for figure in found["figures"] if figure["value"] is None]
    assert undefined and all(figure["reason"] for figure in undefined)


def test_the_readme_changes_only_between_the_markers(scored, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    update_readme(path, scored, ["Careful."])
    first = path.read_text(encoding="utf-8")
    assert first.startswith(f"before\n{BEGIN}\n") and first.endswith(f"{END}\nafter\n")
    assert "old" not in first and "| rcg_score |" in first and "> Careful." in first
    assert scored.header.commit in first and scored.header.started in first
    update_readme(path, scored, ["Careful."])
    assert path.read_text(encoding="utf-8") == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}", f"{BEGIN}{BEGIN}{END}"])
def test_a_readme_without_its_markers_is_left_alone(scored, tmp_path, text):
    path = tmp_path / "README.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="each once"):
        update_readme(path, scored)
    assert path.read_text(encoding="utf-8") == text


def test_the_risk_curve_needs_probabilities(run, scored):
    assert risk_curve(scored) == ([], None)
    answers = tuple(
        replace(record, answer=replace(record.answer, trace=(Span("judge", 0.0, {"held": i / 100}),)))
        for i, record in enumerate(run.answers)
    )
    points, area = risk_curve(score_run(replace(run, answers=answers), LexicalJudge()))
    assert points[-1].coverage == 1.0
    assert points[-1].risk == pytest.approx(6 / 30)  # the six that should have been refused
    assert 0 <= area <= 1


def test_figures_are_written_with_their_interval():
    assert with_interval(Estimate(0.5, 0.25, 0.75, 9)) == "0.500 [0.25, 0.75]"
    assert with_interval(Estimate(0.5, None, None, 1, "one case")) == "0.500"
    assert with_interval(Estimate(None, None, None, 0, "no case")) == with_interval(None) == "–"
    assert signed(Estimate(-0.5, -0.75, 0.25, 9)) == "-0.500 [-0.750, +0.250]"


def test_an_empty_table_is_nothing():
    assert Table("t", ("a",), []).markdown() == Table("t", ("a",), []).html() == ""


def test_markdown_cells_cannot_break_out():
    text = Table("t", ("a", "b"), [("x|y\nz", "<b>")]).markdown()
    assert "| x\\|y z | &lt;b&gt; |" in text


def test_plots_stay_inside_their_frame():
    text = intervals("t<", [("a&b", Estimate(1.4, -2.0, 3.0, 5)), ("none", Estimate(None, None, None, 0, "r"))])
    xs = [float(x) for x in re.findall(r'\b(?:x1|x2|cx)="([\d.]+)"', text)]
    assert xs and max(xs) <= 640
    assert "a&amp;b" in text and "t&lt;" in text and "none" not in text
    assert intervals("t", []) == curve("t", [(0, 0)], x_label="x", y_label="y") == ""
    assert "polyline" in curve("t", [(0.5, 0.0), (1.0, 0.2)], x_label="x", y_label="y")


def test_all_cases_are_in_the_report(scored):
    assert len(scored.cases) == len(located_cases())
