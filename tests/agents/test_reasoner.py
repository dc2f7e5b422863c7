"""Chains of thought: the answer apart from the reasoning, checked arithmetic, votes, limits."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.reason.answers import conclusion, normal_form, same_answer, wrong_equations
from agents.reason.chain import ENOUGH_VOTES, Method, Reasoner
from agents.run import Limits, Outcome
from rag.errors import GenerationCancelledError, QuestionError, UsageError

GOOD = "1. 3 × 4 = 12\n2. 12 + 5 = 17\n答案：17"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (GOOD, "17"),
        ("So it is 5.\nAnswer: **5 apples**", "5 apples"),
        ("Answer: 3\nWait.\nAnswer: 4.", "4"),
        ("所以答案是 \\(\\boxed{12}\\)。", "12"),
        ("没有结论", ""),
    ],
)
def test_the_conclusion_stands_behind_the_last_marker(text, answer):
    assert conclusion(text) == answer


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("17", "17 个", True),
        ("１７", "$17", True),
        ("1,200 元", "1200", True),
        ("0.5", "0.50", True),
        ("是的，可以", "Yes", True),
        ("不能", "否", True),
        ("不能", "能", False),
        ("绿盒子", "绿盒子。", True),
        ("红盒子", "绿盒子", False),
        ("-3", "3", False),
        ("", "", False),
    ],
)
def test_same_answers(left, right, same):
    assert same_answer(left, right) is same
    assert same_answer(right, left) is same


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=60))
def test_any_text_is_read_without_error(text):
    conclusion(text)
    normal_form(text)
    wrong_equations(text)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("12 × 4 = 48，48 ÷ 6 = 8", []),
        ("所以 12 × 4 = 46 瓶", ["48"]),
        ("100 ÷ 3 ≈ 33.33", []),
        ("(3 + 4) * 5 = 36", ["35"]),
        ("200 × 15% = 30", []),
        ("第 3 步：x = 5", []),
        ("7 + 8 = 15 + 1 = 16", []),
        ("\\( 6 \\times 7 = 41 \\)", ["42"]),
        ("2024-01-01 = 今天", []),
    ],
)
def test_wrong_equations_are_found_and_right_ones_are_not(text, wrong):
    assert [w.correct for w in wrong_equations(text)] == wrong


def test_reasoning_and_answer_are_kept_apart(fake_generator):
    result = Reasoner(fake_generator(GOOD)).solve("一共几个？")
    assert (result.outcome, result.answer, result.reasoning) == (Outcome.DONE, "17", GOOD)
    assert [s.name for s in result.steps] == ["think"]


def test_direct_has_no_reasoning(fake_generator):
    result = Reasoner(fake_generator("答案：17")).solve("一共几个？", Method.DIRECT)
    assert (result.answer, result.reasoning) == ("17", "")


@pytest.mark.parametrize(
    ("question", "method", "words"),
    [
        ("一共几个？", Method.ZERO_SHOT, "一步一步地想"),
        ("How many are left?", Method.ZERO_SHOT, "Let's think step by step"),
        ("一共几个？", Method.FEW_SHOT, "红盒子"),
        ("How many are left?", Method.PLAN, "carry the plan out"),
    ],
)
def test_every_method_has_its_own_prompt_in_the_language_of_the_question(fake_generator, question, method, words):
    generator = fake_generator("Answer: 1")
    Reasoner(generator).solve(question, method)
    prompt = "\n".join(m.text for m in generator.requests[0].messages)
    assert words in prompt
    assert question in prompt


def test_a_wrong_equation_is_shown_once_and_corrected(fake_generator):
    generator = fake_generator(["3 × 4 = 13\n答案：13", GOOD])
    result = Reasoner(generator).solve("一共几个？")
    assert (result.outcome, result.answer) == (Outcome.DONE, "17")
    assert "3 × 4 = 13 → 12" in generator.requests[1].messages[-1].text


def test_a_wrong_equation_that_stays_is_a_degraded_result(fake_generator):
    result = Reasoner(fake_generator("3 × 4 = 13\n答案：13")).solve("一共几个？")
    assert result.outcome is Outcome.DEGRADED
    assert "3 × 4 = 13" in result.reason


def test_an_answer_that_is_not_marked_is_asked_for(fake_generator):
    result = Reasoner(fake_generator(["三四十二，加五得十七。", "答案：17"])).solve("一共几个？")
    assert (result.answer, [s.name for s in result.steps]) == ("17", ["think", "extract"])


def test_cut_reasoning_is_a_degraded_result(fake_generator):
    result = Reasoner(fake_generator(["想" * 900, "答案：17"])).solve("一共几个？")
    assert (result.outcome, result.answer) == (Outcome.DEGRADED, "17")
    assert "cut" in result.reason


def test_voting_stops_when_enough_agree(fake_generator):
    generator = fake_generator(["答案：17", "答案：18", "答案：17", "答案：17 个", "答案：19"])
    result = Reasoner(generator).solve("一共几个？", "deep")
    assert (result.outcome, result.answer, result.votes) == (Outcome.DONE, "17", (("17", 3), ("18", 1)))
    assert len(generator.requests) == 4
    assert [r.seed for r in generator.requests] == [0, 1, 2, 3]
    assert [r.temperature > 0 for r in generator.requests] == [False, True, True, True]


def test_unanimous_votes_need_only_so_many_samples(fake_generator):
    generator = fake_generator("答案：17")
    Reasoner(generator).solve("一共几个？", "deep")
    assert len(generator.requests) == ENOUGH_VOTES


def test_no_agreement_is_a_degraded_result(fake_generator):
    result = Reasoner(fake_generator([f"答案：{n}" for n in range(5)])).solve("一共几个？", "deep")
    assert (result.outcome, result.reason) == (Outcome.DEGRADED, "no two samples agree")


def test_a_miscalculated_sample_has_no_vote_beside_a_sound_one(fake_generator):
    replies = ["2 + 2 = 5\n答案：5", "2 + 2 = 5\n答案：5", "2 + 2 = 4\n答案：4"]
    result = Reasoner(fake_generator(replies), samples=2).solve("二加二？", "deep")
    assert result.answer == "4"


def test_limits_give_a_degraded_result_with_what_was_found(fake_generator):
    result = Reasoner(fake_generator("答案：17"), limits=Limits(steps=2)).solve("一共几个？", "deep")
    assert (result.outcome, result.answer, result.cost.calls) == (Outcome.DEGRADED, "17", 2)
    assert "2 steps" in result.reason
    tokens = Reasoner(fake_generator("想" * 50), limits=Limits(tokens=20)).solve("一共几个？")
    assert tokens.outcome is Outcome.DEGRADED
    assert tokens.cost.completion_tokens <= 20


def test_a_late_run_ends_in_time(fake_generator):
    generator = fake_generator("答案：17")
    result = Reasoner(generator, limits=Limits(seconds=1e-9)).solve("一共几个？")
    assert (result.outcome, generator.requests) == (Outcome.DEGRADED, [])
    assert "seconds" in result.reason


def test_cancelling_while_it_thinks(fake_generator):
    cancel = threading.Event()
    with pytest.raises(GenerationCancelledError):
        Reasoner(fake_generator("答案：17")).solve("一共几个？", "deep", cancel=cancel, progress=lambda _: cancel.set())


def test_usage_errors(fake_generator):
    with pytest.raises(QuestionError):
        Reasoner(fake_generator("")).solve("？")
    with pytest.raises(UsageError):
        Reasoner(fake_generator(""), samples=6)
    with pytest.raises(UsageError):
        Limits(steps=0)
    with pytest.raises(ValueError, match="method"):
        Reasoner(fake_generator("")).solve("一共几个？", "method")


@pytest.mark.model
def test_what_a_real_model_concludes_is_what_it_wrote_and_was_checked(small_engine):
    """Which number a 0.5B model reaches differs between processors; that its answer follows from its text does not."""
    agent = Reasoner(small_engine, limits=Limits(seconds=120))
    question = "小明有 3 个苹果，又买了 5 个，一共有几个？"
    result = agent.solve(question)
    written = {step.name: step for step in result.steps}
    thought = written.get("rethink", written["think"])
    is_cut = thought.notes["finish"] != "stop"
    assert result.reasoning == thought.text
    if concluded := "" if is_cut else conclusion(thought.text):
        assert (result.answer, "extract" in written) == (concluded, False)
    else:
        assert result.answer in written["extract"].text
    is_sound = bool(normal_form(result.answer)) and not is_cut and not wrong_equations(thought.text)
    assert (result.outcome is Outcome.DONE) is is_sound
    assert bool(result.reason) is not is_sound
    again = agent.solve(question)
    assert (again.reasoning, again.answer, again.outcome) == (result.reasoning, result.answer, result.outcome)
