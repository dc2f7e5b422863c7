import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_fakes import REFUSAL, TableJudge, cite, make_answer, make_passage, sentence

from evals.judges.lexical import LexicalJudge
from evals.metrics import faithfulness as f
from evals.metrics.citations import citation_scores
from rag.types import State, Support

NOTE = make_passage("ResNet 有 152 层，由何恺明提出。它用残差连接。")


def value(score):
    return score.value


def test_claims_come_from_the_sentences_and_know_what_was_shown():
    answer = make_answer(
        sentence("甲一；甲二。", cite(NOTE)), sentence("乙。乙二", support=Support.OWN), passages=[NOTE]
    )
    assert f.answer_claims(answer) == [("甲一；", True), ("甲二。", True), ("乙二", False)]
    assert f.answer_claims(REFUSAL) == []
    assert f.answer_claims(make_answer(text="甲一。[1]\n1. 乙二")) == [("甲一。", False), ("乙二", False)]


def test_judged_by_hand():
    answer = make_answer(
        sentence("有152层。", cite(NOTE)),
        sentence("有残差。", support=Support.OWN),
        sentence("很贵。", cite(NOTE)),
        passages=[NOTE],
    )
    judged = f.judge_claims(answer, TableJudge(**{"有152层。": ["152"], "有残差。": ["残差"]}))
    found = {s.metric: s.value for s in f.judged_scores(answer, judged)}
    assert found == pytest.approx({"faithfulness": 2 / 3, "hallucination": 1.0, "false_support": 1.0})


def test_an_own_sentence_is_no_false_support():
    answer = make_answer(sentence("有152层。", cite(NOTE)), sentence("很贵的。", support=Support.OWN), passages=[NOTE])
    judged = f.judge_claims(answer, TableJudge(**{"有152层。": ["152"]}))
    assert [s.value for s in f.judged_scores(answer, judged)] == [0.5, 1.0, 0.0]


def test_the_judge_sees_the_outline_path():
    judge = TableJudge()
    f.judge_claims(make_answer(sentence("有152层"), passages=[NOTE]), judge)
    assert judge.asked == [("有152层", (f"笔记 > 层\n{NOTE.text}",))]


def test_undefined_has_a_reason():
    for answer in (REFUSAL, make_answer(sentence("有层")), make_answer(text="", passages=[NOTE])):
        scores = f.judged_scores(answer, f.judge_claims(answer, TableJudge()))
        assert all(s.value is None and s.reason for s in scores)
        for score in f.model_free_scores(answer):
            assert score.value is not None or score.reason
            assert score.metric in ("repetition", "answer_language") or score.value is None


@given(st.lists(st.booleans(), min_size=1, max_size=10), st.randoms())
def test_faithfulness_is_the_share_of_supported_claims(supported, random):
    texts = [f"第{i}条内容。" for i in range(len(supported))]
    judge = TableJudge(**{t: [] for t, ok in zip(texts, supported, strict=True) if ok})
    for order in (texts, random.sample(texts, len(texts))):
        answer = make_answer(*(sentence(t, cite(NOTE)) for t in order), passages=[NOTE])
        faithfulness, hallucination, _ = map(value, f.judged_scores(answer, f.judge_claims(answer, judge)))
        assert faithfulness == pytest.approx(sum(supported) / len(supported))
        assert hallucination == float(not all(supported))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("它有一百五十二层。", 0.0),
        ("它有 153 层。", 1.0),
        ("它有 152 层和 8 个头。", 0.5),
        ("共 99 步吗？有 152 层[1]。", 0.0),  # 99 stands in the question
        ("它很深。", None),
    ],
)
def test_new_numbers(said, expected):
    assert f.new_numbers(make_answer(sentence(said), passages=[NOTE], question="走 99 步？")).value == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [("ResNet 用残差", 0.0), ("resnet152 用残差", 1.0), ("Res-Net 与 VGG 不同", 0.5), ("它用残差", None)],
)
def test_new_terms(said, expected):
    assert f.new_terms(make_answer(sentence(said), passages=[NOTE])).value == expected


def test_bigram_novelty():
    copied = make_answer(sentence("由何恺明提出"), passages=[NOTE])
    half = make_answer(sentence("由何恺明的"), passages=[NOTE])
    assert f.bigram_novelty(copied).value == 0.0
    assert f.bigram_novelty(half).value == pytest.approx(1 / 4)
    english = make_answer(sentence("It was proposed by He."), passages=[NOTE])
    assert f.bigram_novelty(english).value is None


def test_quotes_must_stand_where_they_say():
    shifted = make_passage(NOTE.text, 2, start=40)
    good, moved = cite(shifted, "残差连接"), cite(NOTE, "没有写")
    other_file = cite(make_passage(NOTE.text, 2, file="b.md", start=40), "残差连接")
    unknown = cite(make_passage("别处", 9), "别处")
    answer = make_answer(sentence("甲", good, moved, other_file, unknown), passages=[NOTE, shifted])
    assert f.quote_validity(answer).value == 0.25
    assert f.quote_validity(make_answer(sentence("甲"), passages=[NOTE])).value is None


@pytest.mark.parametrize(
    ("said", "low", "high"),
    [
        ("它有 152 层。它用残差连接。", 0.0, 0.0),
        ("它有 152 层。它有152层！", 0.5, 0.5),
        ("我们认为很好" + "很好" * 20, 0.8, 1.0),
        ("the cat " * 12, 0.8, 1.0),
        ("0 0 0 0 0 0", 0.0, 0.0),
    ],
)
def test_repetition(said, low, high):
    assert low <= f.repetition(make_answer(sentence(said))).value <= high


@given(st.text("层有残差ab1。 ", min_size=1, max_size=40))
def test_saying_it_all_again_is_repetition(said):
    once = f.repetition(make_answer(text=said)).value
    often = f.repetition(make_answer(text="\n".join([said] * 5))).value
    assert once is None if often is None else often >= 0.5


@pytest.mark.parametrize(
    ("question", "said", "expected"),
    [("有几层？", "它有 12 层", 1.0), ("How many layers?", "它有 12 层", 0.0), ("How many?", "12", None)],
)
def test_answer_language(question, said, expected):
    assert f.answer_language(make_answer(sentence(said), question=question)).value == expected


@given(st.text(max_size=80), st.text(max_size=80))
def test_model_free_scores_are_shares(said, noted):
    answer = make_answer(text=said, passages=[make_passage(noted)], state=State.ANSWERED)
    for score in f.model_free_scores(answer):
        assert score.value is None or 0 <= score.value <= 1


def test_a_thousand_answers_are_scored_in_time():
    """Without an LLM judge: 19 s on two slow, busy cores. As in a real run, four answers share their passages."""
    started = time.process_time()
    judge = LexicalJudge()
    for i in range(1000):
        passages = [make_passage(_long_note(i // 4, j), j, start=1000 * j) for j in range(1, 6)]
        texts = [p.text.split("。")[i % 4 + 2] + "。" for p in passages[:3]]
        cited = [sentence(t, cite(p)) for t, p in zip(texts, passages[:3], strict=True)]
        answer = make_answer(*cited, passages=passages)
        assert value(f.judged_scores(answer, f.judge_claims(answer, judge))[0]) == 1.0
        f.model_free_scores(answer)
        citation_scores(answer, judge)
    assert time.process_time() - started < 60


def _long_note(i, j):
    words = ["残差", "卷积", "注意力", "梯度", "归一化", "采样", "编码器", "损失"]
    said = (
        f"第{i * 7 + j}号{words[(i + n) % 8]}把{words[(i * j + n) % 8]}的宽度设为{i + n * 31}，"
        f"并用 Model{i}-{j} 训练{n + 2}轮，比{words[(j + n) % 8]}快"
        for n in range(8)
    )
    return "。".join(said) + "。"
