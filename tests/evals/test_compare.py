from dataclasses import replace

import pytest
from eval_fakes import FakeSubject, located_cases, make_run

from evals.compare import FAMILY, compare, comparison_tables
from evals.judges.lexical import LexicalJudge
from evals.metrics.statistics import mcnemar
from evals.run import Plan
from evals.score import score_run
from rag.errors import UsageError


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    subjects = {
        "good": FakeSubject(),
        "inventing": FakeSubject(own_knowledge=True),
        "coarse": FakeSubject(chunk_chars=20),
        "failing": FakeSubject(failing=frozenset(case.case.question for case in located_cases()[:6])),
    }
    return {
        name: score_run(make_run(folder / f"{name}.jsonl", subject), LexicalJudge())
        for name, subject in subjects.items()
    }


def changed(changes, condition, metric):
    return next(change for change in changes if (change.condition, change.metric) == (condition, metric))


def test_a_run_compared_with_itself_has_no_difference(scored):
    for change in compare(scored["good"], scored["good"]):
        assert change.difference.value in (0.0, None)
        assert change.wins == change.losses == ()
        assert change.p in (1.0, None)


def test_losses_are_listed_by_case_and_tested(scored):
    change = changed(compare(scored["good"], scored["failing"]), "rcg", "right")
    assert change.losses == tuple(f"d-{i:02}" for i in range(6))
    assert change.wins == ()
    assert change.difference.value == pytest.approx(-6 / 30)
    assert change.difference.high < 0
    assert change.p == mcnemar(0, 6)
    assert change.p <= change.adjusted <= 1


def test_the_other_way_round_mirrors(scored):
    there = changed(compare(scored["good"], scored["failing"]), "rcg", "right")
    back = changed(compare(scored["failing"], scored["good"]), "rcg", "right")
    assert back.wins == there.losses
    assert back.difference.value == -there.difference.value
    assert back.p == there.p


def test_less_is_better_for_faults(scored):
    change = changed(compare(scored["good"], scored["inventing"]), "rcg", "hallucination")
    assert change.difference.value > 0.9
    assert change.losses and not change.wins


def test_holm_adjusts_only_the_declared_family(scored):
    changes = compare(scored["good"], scored["failing"])
    for change in changes:
        declared = (change.condition, change.metric) in FAMILY
        assert (change.adjusted is not None) == (declared and change.p is not None)
    assert any(change.adjusted > change.p for change in changes if change.adjusted is not None)


def test_a_composite_has_an_interval_but_no_test(scored):
    change = changed(compare(scored["good"], scored["failing"]), "rcg", "rcg_score")
    assert change.p is None
    assert change.difference.high < 0


def test_only_shared_cases_are_compared(scored):
    good = scored["good"]
    fewer = replace(good, rows=[row for row in good.rows if row.case_id != "d-00"])
    change = changed(compare(fewer, scored["failing"]), "rcg", "right")
    assert "d-00" not in change.losses
    assert change.difference.n == 29


def test_runs_with_nothing_in_common_cannot_be_compared(scored, tmp_path):
    only = score_run(make_run(tmp_path / "r.jsonl", FakeSubject(), Plan.retrieval_only()), LexicalJudge())
    good = scored["good"]
    answers = replace(good, rows=good.of("rcg"))
    with pytest.raises(UsageError, match="share no case"):
        compare(only, answers)


def test_the_same_id_must_be_the_same_question(scored):
    good = scored["good"]
    case = good.cases["d-00"]
    other = good.cases | {"d-00": replace(case, case=replace(case.case, question="另一个问题？"))}
    with pytest.raises(UsageError, match="d-00 asks different things"):
        compare(replace(good, cases=other), good)


def test_the_tables_name_the_cases(scored):
    text = "\n".join(table.markdown() for table in comparison_tables(compare(scored["good"], scored["failing"])))
    assert "### Declared family" in text
    assert "d-00, d-01, d-02, d-03, d-04, d-05" in text
    assert "nan" not in text.lower().replace("nan-", "")
