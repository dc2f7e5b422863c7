from collections import Counter

import pytest
from eval_fakes import FakeSubject, located_cases, make_run

from evals.ladders import VARIANTS
from evals.run import QUICK_ANSWERS, QUICK_REPEATS, QUICK_UNANSWERABLE, REPEAT, Plan, Task, parse_modes, stratified
from evals.subject import LEG_NAMES
from evals.types import CaseType
from rag.errors import UsageError
from rag.types import Mode


def test_every_leg_and_every_mode_is_recorded(tmp_path):
    run = make_run(tmp_path / "r.jsonl", FakeSubject(), Plan(repeats=0, ladder_cases=0))
    assert all(list(record.legs) == list(LEG_NAMES) for record in run.retrievals)
    assert Counter(record.mode for record in run.answers) == dict.fromkeys(Mode, len(located_cases()))
    assert all(record.seconds >= 0 and record.peak_mb > 1 for record in run.answers)


def test_a_failing_case_is_recorded_and_the_run_goes_on(tmp_path):
    bad = located_cases()[3].case
    run = make_run(tmp_path / "r.jsonl", FakeSubject(failing=frozenset({bad.question})))
    assert len(run.retrievals) == len(located_cases())
    failed = [record for record in (*run.retrievals, *run.answers) if record.error]
    assert {record.case_id for record in failed} == {bad.id}
    assert all(record.error.startswith("EngineError: planted failure") for record in failed)


def test_a_bug_stops_the_run_and_the_run_can_go_on(tmp_path):
    class Buggy(FakeSubject):
        def answer_from(self, question, passages, mode="rcg"):
            if len(self.asked) == 5:
                raise TypeError("a bug")
            return super().answer_from(question, passages, mode)

    path = tmp_path / "r.jsonl"
    with pytest.raises(TypeError, match="a bug"):
        make_run(path, Buggy())
    subject = FakeSubject()
    run = make_run(path, subject)
    assert len(subject.asked) == len(run.answers) - 5


def test_quick_asks_every_retrieval_and_about_twenty_answers():
    tasks = Plan.quick().tasks(located_cases())
    retrieval = [task for task in tasks if task.mode is None]
    answers = [task for task in tasks if task.mode and not task.variant]
    assert len(retrieval) == len(located_cases())
    assert len(answers) == QUICK_ANSWERS
    assert sum(not task.case.case.answerable for task in answers) == QUICK_UNANSWERABLE
    assert {task.mode for task in answers} == {Mode.RCG}
    assert sum(task.variant == REPEAT for task in tasks) == QUICK_REPEATS
    assert len(tasks) == len(retrieval) + len(answers) + QUICK_REPEATS


def test_retrieval_only_answers_nothing():
    assert {task.mode for task in Plan.retrieval_only().tasks(located_cases())} == {None}


def test_ladders_ask_every_rung_of_answerable_cases():
    tasks = Plan(ladder_cases=4).tasks(located_cases())
    rungs = [task for task in tasks if task.variant in VARIANTS]
    assert Counter(task.variant for task in rungs) == dict.fromkeys(VARIANTS, 4)
    assert all(task.case.gold and task.mode is Mode.RCG for task in rungs)


def test_tasks_are_unique():
    keys = [task.key for task in Plan().tasks(located_cases())]
    assert len(keys) == len(set(keys))
    assert Task(located_cases()[0], None).key != Task(located_cases()[0], Mode.RCG).key


def test_the_sample_is_fixed_and_even():
    cases = located_cases()
    chosen = stratified(cases, 15, unanswerable=6)
    assert chosen == stratified(cases, 15, unanswerable=6)
    assert [case for case in cases if case in chosen] == chosen
    sizes = Counter(case.case.type for case in chosen)
    assert sizes == {
        CaseType.UNANSWERABLE: 6,
        CaseType.DETAIL: 3,
        CaseType.PARAPHRASE: 3,
        CaseType.COMPARISON: 3,
    }


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 1), (4, 4), (1000, 30)])
def test_the_sample_has_its_size(size, expected):
    assert len(stratified(located_cases(), size, unanswerable=6)) == expected


def test_modes_are_parsed():
    assert parse_modes("rcg, rog,rcg") == (Mode.RCG, Mode.ROG)
    for wrong in ("", "rcg,magic"):
        with pytest.raises(UsageError, match="Unknown mode"):
            parse_modes(wrong)
