"""Metric-driven optimisation on metrics whose optimum is known: what is kept, what is refused, what the test says."""

import threading
from dataclasses import dataclass

import pytest
from fakes import FakeGenerator
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import optimize
from agents.prompts import Example
from agents.tune import AnswerMetric, Budget, Feedback, Program
from agents.tune.edits import split
from agents.tune.guards import Guards
from rag.errors import EngineError, GenerationCancelledError, UsageError

PROMPT = (
    "You answer questions of travellers about the trains of a small railway company in the north of the country.\n"
    "- Be polite.\n- Name the platform.\n- Keep to the timetable."
)
CASES = [f"When does train {n} leave?" for n in range(20)]


@dataclass
class Wants:
    """A metric: 1 where a phrase stands in the prompt, else 0; counts its calls."""

    phrase: str
    calls: int = 0

    def __call__(self, program: Program, case: str, /) -> Feedback:
        self.calls += 1
        is_there = self.phrase in program.prompt
        return Feedback(float(is_there), "" if is_there else f"Say: {self.phrase}")


def test_an_edit_that_scores_better_is_kept_and_shown_on_held_out_cases() -> None:
    metric = Wants("Think step by step")
    tuned = optimize(PROMPT, CASES, metric, Budget(metric_calls=200))
    assert tuned.changed
    assert "Think step by step" in tuned.program.prompt
    assert tuned.validation == (0.0, 1.0)
    assert tuned.test is not None
    assert (tuned.test.before, tuned.test.after, tuned.test.low, tuned.test.n) == (0.0, 1.0, 1.0, 6)
    assert [trial.origin for trial in tuned.trials if not trial.refused] == ["think first"]
    assert tuned.metric_calls == metric.calls <= 200


def test_nothing_better_leaves_the_prompt_as_it_was_and_stops_early() -> None:
    tuned = optimize(PROMPT, CASES, lambda program, case: Feedback(0.5), Budget(patience=3))
    assert (tuned.program, tuned.changed, tuned.test) == (Program(PROMPT), False, None)
    assert len([trial for trial in tuned.trials if trial.minibatch is not None]) == 3
    assert "3 versions in a row" in tuned.stopped


def test_a_better_order_of_rules_is_found() -> None:
    def first_is_platform(program: Program, case: str, /) -> Feedback:
        return Feedback(float(program.prompt.split("\n")[1] == "- Name the platform."))

    tuned = optimize(PROMPT, CASES, first_is_platform, Budget(metric_calls=300, patience=20))
    assert tuned.program.prompt.split("\n")[1:] == ["- Name the platform.", "- Be polite.", "- Keep to the timetable."]


def test_the_demo_that_scores_best_is_tried_first() -> None:
    pool = [Example("a?", "no"), Example("b?", "yes"), Example("c?", "no")]

    def has_yes(program: Program, case: str, /) -> Feedback:
        return Feedback(float(any(e.assistant == "yes" for e in program.examples)))

    tuned = optimize(PROMPT, CASES, has_yes, Budget(metric_calls=300, patience=30), pool=pool)
    assert tuned.program.examples == (pool[1],)
    added = [trial for trial in tuned.trials if trial.origin == "a demo more"]
    assert not added[0].refused


def test_a_reflection_reads_the_feedback_and_is_kept_when_it_helps() -> None:
    better = PROMPT + "\n- Give the time in minutes."
    generator = FakeGenerator(better)
    metric = Wants("Give the time in minutes.")
    tuned = optimize(PROMPT, CASES, metric, Budget(metric_calls=400, patience=40), generator=generator)
    assert tuned.program.prompt == better
    assert "Say: Give the time in minutes." in generator.prompts[0]


@pytest.mark.parametrize(
    ("version", "why"),
    [
        (PROMPT + "\nWhen does train seven leave the main station of the old town?", "words in a row"),
        (PROMPT * 2, "times as long"),
        (PROMPT + "\n- Never forget the", "breaks off"),
        (PROMPT + "\n- Be rude and sarcastic.", "contradicts itself"),
        ("", "empty"),
    ],
)
def test_guards_refuse_a_version_before_it_costs_anything(version: str, why: str) -> None:
    cases = [*CASES, "When does train seven leave the main station of the old town?"]
    assert why in Guards(Program(PROMPT), cases).refusal(Program(version))
    calls = []

    def metric(program: Program, case: str, /) -> Feedback:
        calls.append(program)
        return Feedback(float(program.prompt == version))

    tuned = optimize(PROMPT, cases, metric, Budget(), versions=lambda program: [("given", Program(version))])
    assert not tuned.changed
    assert Program(version) not in calls


def test_a_repair_by_the_solver_is_the_first_version() -> None:
    clash = PROMPT + "\n- Answer in one sentence.\n- Write at least 300 words."
    tuned = optimize(clash, CASES, lambda program, case: Feedback(float("300 words" not in program.prompt)))
    assert [trial.origin for trial in tuned.trials if not trial.refused] == ["repair"]
    assert "300 words" not in tuned.program.prompt


def test_the_budget_is_kept_and_the_test_is_paid_from_it() -> None:
    metric = Wants("Think step by step")
    tuned = optimize(PROMPT, CASES, metric, Budget(metric_calls=31, patience=50))
    assert metric.calls <= 31
    assert "metric calls are spent" in tuned.stopped
    with pytest.raises(UsageError, match="at least"):
        optimize(PROMPT, CASES, metric, Budget(metric_calls=20))


def test_a_failing_run_counts_as_zero_and_says_why() -> None:
    def metric(program: Program, case: str, /) -> Feedback:
        if "step by step" in program.prompt:
            return Feedback(1.0)
        raise EngineError("out of memory")

    tuned = optimize(PROMPT, CASES, metric)
    assert tuned.validation == (0.0, 1.0)


def test_cancelled() -> None:
    cancel = threading.Event()
    with pytest.raises(GenerationCancelledError):
        optimize(PROMPT, CASES, Wants("x"), progress=lambda _: cancel.set(), cancel=cancel)


@pytest.mark.parametrize("score", [-0.1, 1.5])
def test_a_score_outside_its_range_is_a_usage_error(score: float) -> None:
    with pytest.raises(UsageError):
        Feedback(score)


def test_too_few_cases_and_wrong_budgets() -> None:
    with pytest.raises(UsageError, match="at least 10 cases"):
        optimize(PROMPT, CASES[:9], Wants("x"))
    with pytest.raises(UsageError):
        Budget(patience=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 200), st.integers(0, 5))
def test_the_split_is_a_partition_and_follows_the_seed(n: int, seed: int) -> None:
    parts = split(range(n), seed)
    assert sorted(i for part in parts for i in part) == list(range(n))
    assert min(len(part) for part in parts) >= 3
    assert parts == split(range(n), seed)


def test_the_answer_metric_asks_the_program_and_judges_its_answer() -> None:
    generator = FakeGenerator("At 9.")
    metric = AnswerMetric(generator, lambda wanted, answer: Feedback(float(wanted in answer)))
    program = Program("Be brief.", (Example("When?", "At 8."),))
    assert metric(program, ("And now?", "9")).score == 1
    assert metric(program, ("And now?", "10")).score == 0
    assert generator.prompts[0] == "Be brief.\nWhen?\nAt 8.\nAnd now?"
