import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_fakes import REFUSAL, make_answer, make_case, make_passage, sentence

from evals.metrics import answers as a
from evals.metrics.cost import cost_scores
from evals.types import CaseType
from rag.types import State

TEXTS = st.text("层十二12 ab。", max_size=20)


def values(case, answer):
    return {s.metric: s.value for s in a.answer_scores(case, answer)}


def test_key_facts_by_hand():
    case = make_case(facts=(("12 层", "十二层"), ("编码器", "encoder")))
    assert a.key_fact_recall(case, "它有十二層[1]。").value == 0.5
    assert a.key_fact_recall(case, "Encoder 共１２層").value == 1.0
    assert a.key_fact_recall(case, "112 层").value == 0.0
    assert a.key_fact_recall(make_case(facts=()), "x").value is None


def test_a_marker_is_not_a_fact():
    assert a.key_fact_recall(make_case(), "不知道[12]").value == 0.0


@pytest.mark.parametrize(
    ("kind", "answer", "outcome", "right"),
    [
        (CaseType.DETAIL, make_answer(sentence("12 层")), "correct", True),
        (CaseType.DETAIL, make_answer(sentence("12 层"), state=State.CONFLICT), "correct", True),
        (CaseType.DETAIL, make_answer(sentence("8 层")), "wrong", False),
        (CaseType.DETAIL, REFUSAL, "refused", False),
        (CaseType.DETAIL, None, "wrong", False),
        (CaseType.FALSE_PREMISE, make_answer(sentence("不是 8 层，是 12 层")), "correct", True),
        (CaseType.FALSE_PREMISE, REFUSAL, "refused", False),
        (CaseType.UNANSWERABLE, make_answer(sentence("12 层")), "wrong", False),
        (CaseType.UNANSWERABLE, REFUSAL, "refused", True),
        (CaseType.UNANSWERABLE, None, "wrong", False),
    ],
)
def test_outcomes(kind, answer, outcome, right):
    case = make_case(kind)
    assert a.outcome(case, answer) == outcome
    assert a.is_right(case, answer) is right
    found = values(case, answer)
    assert [found[name] for name in a.OUTCOMES] == [float(name == outcome) for name in a.OUTCOMES]
    assert found["right"] == float(right)


def test_a_refusal_in_words_is_not_a_refusal():
    """The state decides, never a phrase."""
    assert a.outcome(make_case(CaseType.UNANSWERABLE), make_answer(sentence("笔记里没有写到。"))) == "wrong"


def test_labels_around_the_sentences_are_not_read():
    answer = make_answer(sentence("有 8 层"), text="（共 12 条说明）有 8 层")
    assert a.outcome(make_case(), answer) == "wrong"
    assert a.outcome(make_case(), make_answer(text="有 12 层")) == "correct"


def test_char_f1_by_hand():
    assert a.char_f1("共 12 层", "共十二層。").value == 1.0
    assert a.char_f1("八层", "十二层").value == pytest.approx(2 * 1 / (2 + 3))
    assert a.char_f1("", "十二层").value == 0.0
    assert a.char_f1("x", "").value is None
    assert a.char_f1("twelve layers", "共十二层").value is None
    assert a.char_f1("12", "共十二层").value is not None


@given(TEXTS, TEXTS)
def test_char_f1_is_symmetric_and_a_share(one, other):
    there, back = a.char_f1(one, other), a.char_f1(other, one)
    if there.value is not None and back.value is not None:
        assert there.value == pytest.approx(back.value) and 0 <= there.value <= 1


@given(st.text("层十二ab", min_size=1, max_size=20), st.randoms())
def test_char_f1_of_the_gold_itself_is_one(written, random):
    assert a.char_f1(written, written).value == pytest.approx(1.0)


@given(st.lists(st.sampled_from(["12", "8", "编码器"]), max_size=6))
def test_more_text_never_loses_a_fact(words):
    case = make_case(facts=(("12",), ("编码器",)))
    recalls = [a.key_fact_recall(case, "；".join(words[:i])).value for i in range(len(words) + 1)]
    assert recalls == sorted(recalls)


def test_unanswerable_has_no_facts_and_a_refusal_holds_none():
    assert values(make_case(CaseType.UNANSWERABLE), REFUSAL)["key_fact_recall"] is None
    assert values(make_case(), REFUSAL)["key_fact_recall"] == 0.0
    assert values(make_case(), None)["char_f1"] == 0.0


def test_shuffled_answers_fall_to_chance():
    cases = [make_case(facts=((f"{i}层",),), answer=f"{i}层") for i in range(100, 150)]
    said = [make_answer(sentence(f"一共{i}层")) for i in range(100, 150)]
    assert all(a.outcome(c, s) == "correct" for c, s in zip(cases, said, strict=True))
    moved = said[7:] + said[:7]
    assert not any(a.outcome(c, s) == "correct" for c, s in zip(cases, moved, strict=True))


def test_cost_by_hand():
    def timed(first, write, check, tokens):
        return make_answer(
            sentence("x"),
            passages=[make_passage("x")],
            timings={"first_token": first, "write": write, "check": check},
            tokens={"prompt": 100, "completion": tokens},
        )

    found = {s.metric: s.value for s in cost_scores([timed(1.0, 3.0, 0.5, 30), timed(2.0, 4.0, 0.0, 80), REFUSAL])}
    assert found["ttft_seconds_p50"] == 1.5 and found["ttft_seconds_p95"] == pytest.approx(1.95)
    assert found["tokens_per_second_p50"] == pytest.approx((20 + 40) / 2)
    assert found["prompt_tokens_p50"] == 100
    assert all(s.value is None and s.reason for s in cost_scores([REFUSAL]))
