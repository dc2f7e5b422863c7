import ast
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from eval_fakes import FakeSubject, located_cases, make_run
from hypothesis import given
from hypothesis import strategies as st

from evals import score
from evals.aggregate import difference, estimate, sign_flip
from evals.judges.base import Verdict
from evals.judges.lexical import LexicalJudge
from evals.metrics.refusals import decide, refusal_scores
from evals.report import as_json
from evals.run import Plan
from evals.score import WITHOUT_EVIDENCE, WORST, TooManyFailuresError, check_errors, direction, score_run
from evals.scored import LOWER_IS_BETTER, as_array
from evals.types import CaseType, Evidence
from rag.errors import EngineError

NAN = float("nan")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "r.jsonl", FakeSubject(), Plan(repeats=3, ladder_cases=4))


@pytest.fixture(scope="module")
def scored(run):
    return score_run(run, LexicalJudge())


def scored_with(tmp_path, subject, plan=None):
    return score_run(make_run(tmp_path / "r.jsonl", subject, plan), LexicalJudge())


def test_a_good_subject_scores_well(scored):
    for condition, metric in [("hybrid", "success@5"), ("rcg", "rcg_score"), ("rcg", "faithfulness")]:
        assert scored.figure(condition, metric).value == 1.0
    assert scored.figure("rcg", "hallucination").value == 0.0
    assert scored.figure("rog", "accuracy").value == 0.0
    assert scored.figure("rcg/repeat", "identical").value == 1.0
    assert scored.failures.keys().isdisjoint({(case, "rcg") for case in scored.cases})


def test_figures_are_the_means_of_their_definitions(scored):
    """The aggregates equal the set-wise definitions of the metrics module."""
    decisions = [
        decide(scored.cases[case_id].case, record.answer)
        for (case_id, condition), record in scored.answers.items()
        if condition == "rog"
    ]
    for expected in refusal_scores(decisions):
        assert scored.figure("rog", expected.metric).value == expected.value


def test_slices_hold_their_cases(scored):
    for name, size in [("type=comparison", 4), ("type=unanswerable", 6), ("lang=zh", 30), ("all", 30)]:
        assert len(scored.of("rcg", name)) == size
    assert scored.figure("hybrid", "success@5", "type=unanswerable").value is None
    assert scored.figure("hybrid", "success@5", "type=unanswerable").reason
    assert scored.figure("hybrid", "success@5", "direction=zh-Hans→zh-Hans").n == 24


def test_undefined_has_a_reason_and_nothing_is_nan(scored):
    for row in scored.rows:
        for found in row.scores.values():
            assert (found.value is None) <= bool(found.reason)
            assert found.value is None or np.isfinite(found.value)
    for figure in scored.figures:
        ends = (figure.estimate.value, figure.estimate.low, figure.estimate.high)
        assert all(end is None or np.isfinite(end) for end in ends)
        assert figure.estimate.value is not None or figure.estimate.reason
    json.loads(as_json(scored), parse_constant=lambda name: pytest.fail(f"the report holds {name}"))


def test_an_error_counts_as_the_worst_value(tmp_path):
    bad = located_cases()[0].case
    found = scored_with(tmp_path, FakeSubject(failing=frozenset({bad.question})))
    retrieval = next(row for row in found.of("hybrid") if row.case_id == bad.id)
    answer = next(row for row in found.of("rcg") if row.case_id == bad.id)
    assert retrieval.value("success@5") == 0.0 and retrieval.error
    assert answer.value("accuracy") == 0.0 and answer.value("wrong") == 1.0 and answer.error
    assert {name: answer.value(name) for name in WORST} == dict(WORST)
    assert all((worst == 1.0) == (name in LOWER_IS_BETTER) for name, worst in WORST.items())
    assert found.figure("rcg", "accuracy").value == pytest.approx(23 / 24)


def test_worst_covers_every_metric_of_a_text(scored):
    row = scored.of("rcg")[0]
    failing = {"accuracy", "refusal_precision", "refusal_recall", "over_refusal"}
    other = failing | {"key_fact_recall", "char_f1", "correct", "wrong", "refused", "right", "correct_unquoted"}
    assert set(row.scores) - other == set(WORST)
    assert set(scored.of("rog")[0].scores) - other == set(WITHOUT_EVIDENCE)


def test_more_than_two_percent_errors_fail(tmp_path):
    questions = [case.case.question for case in located_cases()]
    check_errors(scored_with(tmp_path / "none", FakeSubject()))
    found = scored_with(tmp_path / "one", FakeSubject(failing=frozenset(questions[:1])))
    assert [condition for _, condition, _ in found.errors] == ["retrieval", "rcg", "rcg/repeat"]
    with pytest.raises(TooManyFailuresError, match=r"4\.8% of the run are errors"):
        check_errors(found)


def test_an_answer_that_changes_is_not_identical(tmp_path):
    found = scored_with(tmp_path, FakeSubject(unstable=True))
    assert found.figure("rcg/repeat", "identical").value == 0.0


def test_a_judge_that_fails_counts_as_unsupported_and_is_counted(run):
    class Broken:
        name = "broken"

        def verdict(self, claim, passages, *, question="", lang="zh"):
            raise EngineError("no verdict")

    class Impossible(Broken):
        def verdict(self, claim, passages, *, question="", lang="zh"):
            return Verdict(NAN, "nan")

    for judge in (Broken(), Impossible()):
        found = score_run(run, judge)
        assert found.unparsed > 0
        assert found.figure("rcg", "faithfulness").value == 0.0


def test_scoring_never_touches_a_generator():
    """Neither the module nor anything that it imports from evals names a generator or an engine."""
    seen, queue = set(), [Path(score.__file__)]
    root = queue[0].parents[1]
    while queue:
        path = queue.pop()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                name = node.module
                assert not name.startswith(("rag.build", "rag.engine", "rag.notebook", "rag.endpoint", "llama_cpp"))
                target = root / (name.replace(".", "/") + ".py")
                if name.startswith("evals.") and target.exists() and target not in seen:
                    seen.add(target)
                    queue.append(target)
    assert root / "evals" / "aggregate.py" in seen


def test_the_direction_names_languages_and_scripts():
    case = located_cases()[0]

    def asked(question, quote):
        evidence = (Evidence("a.md", "", quote),)
        return direction(replace(case, case=replace(case.case, question=question, evidence=evidence)))

    assert asked("什么是过拟合？", "模型記住了訓練資料") == "zh-Hans→zh-Hant"
    assert asked("What is overfitting?", "模型记住了训练数据") == "en→zh-Hans"
    assert asked("什麼是過擬合？", "The model remembers the training data") == "zh-Hant→en"
    unanswerable = next(c for c in located_cases() if c.case.type is CaseType.UNANSWERABLE)
    assert direction(unanswerable) == ""


def test_shuffled_labels_fall_to_chance(tmp_path):
    """Every question gets the gold of another one: what was perfect is then almost always wrong."""
    run = make_run(tmp_path / "r.jsonl", FakeSubject())
    cases = [case for case in run.cases.values() if case.case.type in (CaseType.DETAIL, CaseType.PARAPHRASE)]
    shifted = {
        case.case.id: replace(
            case, gold=other.gold, case=replace(case.case, key_facts=other.case.key_facts, answer=other.case.answer)
        )
        for case, other in zip(cases, [*cases[1:], cases[0]], strict=True)
    }
    before = score_run(run, LexicalJudge())
    after = score_run(replace(run, cases=run.cases | shifted), LexicalJudge())
    chance = 5 / 20  # five of the twenty entries are among the first five whatever the question
    for slice_name in ("type=detail", "type=paraphrase"):
        assert before.figure("hybrid", "success@1", slice_name).value == 1.0
        assert after.figure("hybrid", "success@1", slice_name).value == 0.0
        assert after.figure("hybrid", "success@5", slice_name).value <= 2 * chance
        assert before.figure("rcg", "accuracy", slice_name).value == 1.0
        assert after.figure("rcg", "accuracy", slice_name).value == 0.0


@pytest.mark.slow
def test_a_thousand_answers_are_scored_within_a_minute(tmp_path):
    base = make_run(tmp_path / "r.jsonl", FakeSubject(own_knowledge=True), Plan(repeats=0, ladder_cases=0))
    copies = 12
    cases = {f"{i}-{n}": c for n in range(copies) for i, c in base.cases.items()}
    cases = {name: replace(c, case=replace(c.case, id=name)) for name, c in cases.items()}
    answers = [replace(a, case_id=f"{a.case_id}-{n}") for n in range(copies) for a in base.answers]
    started = time.perf_counter()
    found = score_run(replace(base, cases=cases, retrievals=(), answers=tuple(answers)), LexicalJudge())
    assert len(found.rows) >= 1000
    assert time.perf_counter() - started < 60


values = st.lists(st.one_of(st.just(NAN), st.floats(0, 1)), min_size=1, max_size=30)


@given(values)
def test_an_interval_holds_its_value(column):
    found = estimate([np.array(column)])
    defined = [value for value in column if not np.isnan(value)]
    assert found.n == len(defined)
    if not defined:
        assert found.value is None and found.reason
    elif len(defined) == 1:
        assert found.low is None and found.reason
    else:
        assert found.value == pytest.approx(sum(defined) / len(defined))
        assert 0 <= found.low <= found.high <= 1
        assert found.low - 1e-9 <= found.value <= found.high + 1e-9


def test_a_composite_is_the_mean_of_its_means():
    right, silent = as_array([1.0, 0.0, None, None]), as_array([None, None, 1.0, 1.0])
    assert estimate([right, silent]).value == pytest.approx((0.5 + 1.0) / 2)
    assert estimate([right, as_array([None] * 4)]).value is None


@pytest.mark.parametrize(
    ("draw", "truth"), [(lambda rng: rng.random(60) < 0.7, 0.7), (lambda rng: rng.random(60), 0.5)]
)
def test_the_interval_covers_the_truth(draw, truth):
    """Of 200 samples with a known mean, about 95 % of the intervals hold it."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        found = estimate([draw(rng).astype(float)])
        held += found.low <= truth <= found.high
    assert 0.90 <= held / 200 <= 0.99


def test_a_perfect_share_is_not_surely_one():
    found = estimate([np.array([1.0] * 20 + [NAN])])
    assert (found.value, found.high, found.n) == (1.0, pytest.approx(1.0), 20)
    assert 0.8 < found.low < 0.9


@given(values)
def test_a_run_does_not_differ_from_itself(column):
    found = difference([np.array(column)], [np.array(column)])
    assert found.value in (0.0, None)
    assert found.low in (0.0, None) and found.high in (0.0, None)


def test_a_paired_interval_is_narrower_than_two_intervals():
    before = np.array([0.0, 1.0] * 20)
    after = before.copy()
    after[0] = 1.0
    moved = difference([before], [after])
    assert moved.value == pytest.approx(1 / 40)
    assert moved.high - moved.low < 0.1 < estimate([before]).high - estimate([before]).low


def test_random_signs_tell_a_shift_from_noise():
    assert sign_flip([0.0] * 10) == 1.0
    assert sign_flip([0.1] * 12) < 0.01
    assert sign_flip([0.1, -0.1] * 6) > 0.9
    assert sign_flip([0.5] * 3) == pytest.approx(2 / 8, abs=0.02)
