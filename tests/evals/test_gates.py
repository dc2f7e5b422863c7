from dataclasses import replace

import pytest
from eval_fakes import FakeSubject, make_run

from evals.gates import RENEW, Baseline, baseline_of, check, must_pass, read_baseline, read_must_refuse, write_baseline
from evals.judges.lexical import LexicalJudge
from evals.run import Plan
from evals.score import score_run
from evals.types import Score
from rag.errors import UsageError


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return score_run(make_run(tmp_path_factory.mktemp("runs") / "r.jsonl", FakeSubject(), Plan.quick()), LexicalJudge())


@pytest.fixture(scope="module")
def baseline(good):
    return baseline_of(good)


def failed(results):
    return {result.name for result in results if not result.is_passed}


def with_values(scored, condition, metric, wrong):
    """The run with a metric set to 0 for the first ``wrong`` cases that have it."""
    rows, left = [], wrong
    for row in scored.rows:
        if row.condition == condition and row.value(metric) is not None and left:
            row = replace(row, scores={**row.scores, metric: Score(metric, 0.0)})
            left -= 1
        rows.append(row)
    return replace(scored, rows=rows)


def test_the_same_run_passes(good, baseline):
    results = check(good, baseline, ["u-00", "u-01"])
    assert failed(results) == set()
    assert len(results) > 10


def test_a_baseline_survives_its_file(baseline, tmp_path):
    path = tmp_path / "baseline.json"
    write_baseline(path, baseline)
    assert read_baseline(path) == baseline
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize("content", [None, "{", "[]", '{"made": 1}'])
def test_a_missing_or_damaged_baseline_is_an_error(tmp_path, content):
    path = tmp_path / "baseline.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match="baseline"):
        read_baseline(path)


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_retrieval_may_not_be_inferior(good, baseline, wrong):
    results = check(with_values(good, "hybrid", "evidence_recall@5", wrong), baseline)
    assert ("hybrid evidence_recall@5" in failed(results)) == (wrong > 0)


def test_better_retrieval_passes(good, baseline):
    worse = {"hybrid": {"evidence_recall@5": dict.fromkeys(baseline.values["hybrid"]["evidence_recall@5"], 0.0)}}
    old = replace(baseline, values={**baseline.values, "hybrid": {**baseline.values["hybrid"], **worse["hybrid"]}})
    assert failed(check(good, old)) == set()


def test_answers_have_a_margin(good, baseline):
    one = check(with_values(good, "rcg", "accuracy", 1), baseline)
    many = check(with_values(good, "rcg", "accuracy", 6), baseline)
    assert "rcg rcg_score" not in failed(one)
    assert "rcg rcg_score" in failed(many)


@pytest.mark.parametrize("key", ["generator", "chunker", "prompt rcg.zh"])
def test_a_changed_part_names_the_command(good, baseline, key):
    header = replace(good.header, fingerprint={**good.header.fingerprint, key: "changed"})
    result = check(replace(good, header=header), baseline)[0]
    assert not result.is_passed
    assert key in result.message and "changed" in result.message and RENEW in result.message


def test_other_questions_or_another_judge_make_the_baseline_stale(good, baseline):
    other = replace(good, header=replace(good.header, cases_hash="other"), judge="other")
    assert "judge, questions" in check(other, baseline)[0].message


@pytest.mark.parametrize(("metric", "condition"), [("id_validity", "rcg"), ("identical", "rcg/repeat")])
def test_floors_hold_for_every_case(good, baseline, metric, condition):
    bad = with_values(good, condition, metric, 1)
    result = next(result for result in check(bad, baseline) if result.name == metric)
    assert not result.is_passed
    assert condition in result.message


def test_an_unparsed_verdict_fails(good, baseline):
    assert failed(check(replace(good, unparsed=1), baseline)) == {"unparsed verdicts"}


def test_what_must_be_refused_is_refused(good, baseline):
    assert failed(check(good, baseline, ["u-00"])) == set()
    answered = check(with_values(good, "rcg", "refused", 30), baseline, ["u-00"])
    assert "must refuse" in failed(answered)
    assert "must refuse" in failed(check(good, baseline, ["not-asked"]))


def test_a_baseline_without_the_metric_cannot_be_passed(good, baseline):
    empty = Baseline(baseline.made, baseline.commit, baseline.cases_hash, baseline.judge, baseline.fingerprint, {})
    assert "hybrid evidence_recall@5" in failed(check(good, empty))


def test_errors_fail_the_gates(good, baseline):
    broken = {key: replace(record, error="boom") for key, record in good.answers.items()}
    assert "errors" in failed(check(replace(good, answers=broken), baseline))


def test_the_must_refuse_list_has_comments(tmp_path):
    path = tmp_path / "must_refuse.txt"
    assert read_must_refuse(path) == []
    path.write_text("# near misses\nu-00\n\n  u-01  \n", encoding="utf-8")
    assert read_must_refuse(path) == ["u-00", "u-01"]


def test_a_judge_passes_its_must_pass_list_or_not():
    assert must_pass("lexical", []).is_passed
    result = must_pass("lexical", ["p-1", "p-2"])
    assert not result.is_passed and "p-1" in result.message
