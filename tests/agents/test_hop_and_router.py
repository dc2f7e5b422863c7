"""Several hops over the notes, and the choice among the agents."""

import pytest

from agents.reason import Method, MultiHop, Route, Router
from agents.reason.hop import MAX_HOPS
from agents.run import Limits, Outcome
from rag.errors import QuestionError, UsageError

THOUGHT = "云杉网络训练时用雪松损失。"


@pytest.fixture
def ask(open_with, fake_generator):
    def make(*, thought=THOUGHT, final="雪松损失的温度是 0.5。", enough=0.1, sure=0.97):
        def script(request):
            return thought if "下一句推理" in request.messages[-1].text else final

        def probabilities(messages, options):
            yes = enough if "已有的推理" in messages[-1].text else sure
            return [yes, *[(1 - yes) / (len(options) - 1)] * (len(options) - 1)]

        generator = fake_generator(script, probabilities=probabilities, context_size=20_000)
        return open_with(generator), generator

    return make


QUESTION = "云杉网络训练时用的损失，温度是多少？"


def test_a_thought_leads_to_the_next_retrieval_and_cites(ask):
    notebook, _ = ask()
    result = MultiHop(notebook).run(QUESTION)
    assert result.outcome is Outcome.DONE
    assert "0.5" in result.answer
    assert result.hops[1].thought == THOUGHT
    assert [c.quote for c in result.hops[1].citations] == ["训练时用雪松损失。"]
    assert len(result.hops) <= MAX_HOPS
    assert "雪松损失" in {c.entry for s in result.checked.sentences for c in s.citations}


def test_enough_evidence_ends_the_hops(ask):
    notebook, generator = ask(enough=0.95)
    result = MultiHop(notebook).run(QUESTION)
    assert len(result.hops) == 1
    assert not any("下一句推理" in r.messages[-1].text for r in generator.requests)


def test_an_unsupported_thought_steers_but_cites_nothing(ask):
    notebook, _ = ask(thought="云杉网络获得了最佳论文奖。")
    result = MultiHop(notebook).run(QUESTION)
    assert all(hop.citations == () for hop in result.hops)
    assert "最佳论文奖" not in result.answer


def test_the_final_answer_is_checked(ask):
    notebook, _ = ask(final="雪松损失的温度是 0.9。")
    result = MultiHop(notebook).run(QUESTION)
    assert "0.9" not in result.answer
    assert all(sentence.citations for sentence in result.checked.sentences)


def test_a_refusal_of_the_notes_is_a_refusal(ask):
    notebook, _ = ask(final="雪松损失的颜色是绿的。", sure=0.01)
    result = MultiHop(notebook).run("雪松损失的作者是哪国人？")
    assert (result.outcome, result.checked.sentences) == (Outcome.REFUSED, ())


def test_a_comparison_is_split_without_a_model(ask):
    notebook, generator = ask(final="云杉网络共有 48 层。")
    result = MultiHop(notebook).run("云杉网络和水杉池化有什么区别？")
    assert [hop.query for hop in result.hops[1:]] == ["云杉网络", "水杉池化"]
    assert {p.entry for p in result.evidence} >= {"云杉网络", "水杉池化"}
    assert len(generator.requests) == 1


def test_limits_leave_a_degraded_result(ask):
    notebook, _ = ask()
    result = MultiHop(notebook, limits=Limits(steps=2)).run(QUESTION)
    assert (result.outcome, "0.5" in result.answer) == (Outcome.DEGRADED, True)
    assert "2 steps" in result.reason


def test_evidence_is_ranked_and_distinct(ask):
    notebook, _ = ask()
    evidence = MultiHop(notebook).run(QUESTION).evidence
    assert [p.rank for p in evidence] == list(range(1, len(evidence) + 1))
    assert len({p.chunk_id for p in evidence}) == len(evidence)


def test_hops_out_of_range(ask):
    with pytest.raises(UsageError):
        MultiHop(ask()[0], hops=4)
    with pytest.raises(QuestionError):
        MultiHop(ask()[0]).run("？")


@pytest.mark.parametrize(
    ("question", "route"),
    [
        ("云杉网络有几层？", Route.DIRECT),
        ("How many layers does SpruceNet have?", Route.DIRECT),
        ("云杉网络和雪松损失有什么区别？", Route.HOP),
        ("48*17 等于多少？", Route.TOOLS),
        ("输入 32×32，卷积核 5，步长 1，填充 2，输出尺寸是多少？", Route.TOOLS),
        ("云杉网络的相关词条有哪些？", Route.TOOLS),
        ("小明有 12 个苹果，分给 3 个人，每人几个？", Route.COT),
        ("如果所有的甲都是乙，所有的乙都是丙，那么甲都是丙吗？", Route.COT),
        ("Tom is taller than Sam, Sam is taller than Jim. Who is the tallest?", Route.COT),
        ("明天北京的天气怎么样？", Route.REFUSE),
        ("给老板发一封邮件说我请假", Route.REFUSE),
        ("Delete all my notes", Route.REFUSE),
    ],
)
def test_rules_route_without_a_model(ask, question, route):
    notebook, generator = ask()
    choice = Router(notebook).choose(question)
    assert (choice.route, choice.probability) == (route, None)
    assert generator.choices == []


@pytest.mark.parametrize(("sure", "route"), [(0.9, Route.COT), (0.1, Route.DIRECT)])
def test_where_rules_are_silent_the_model_gives_one_verdict(ask, sure, route):
    notebook, generator = ask(sure=sure)
    choice = Router(notebook).choose("为什么天是蓝的？")
    assert (choice.route, choice.probability) == (route, sure)
    assert len(generator.choices) == 1


def test_the_router_runs_what_it_chose(ask):
    notebook, _ = ask(final="云杉网络共有 48 层。")
    router = Router(notebook)
    direct = router.run("云杉网络有几层？")
    assert (direct.outcome, direct.checked.state) == (Outcome.DONE, "answered")
    assert router.run("48*17 等于多少？").tools.answer == "48*17 = 816"
    refused = router.run("明天北京的天气怎么样？")
    assert (refused.outcome, refused.checked, refused.solution) == (Outcome.REFUSED, None, None)
    assert refused.cost.completion_tokens == 0
    hop = router.run("云杉网络和雪松损失有什么区别？")
    assert hop.hop.checked is hop.checked
    assert hop.cost.calls >= hop.hop.cost.calls


@pytest.mark.parametrize(
    ("question", "method"),
    [
        ("小明有 12 个苹果，分给 3 个人，每人几个？", Method.FEW_SHOT),
        ("Tom is taller than Sam, Sam is taller than Jim. Who is the tallest?", Method.DIRECT),
    ],
)
def test_word_problems_are_worked_out_and_puzzles_answered_at_once(ask, question, method):
    notebook, _ = ask(final="答案：4")
    assert Router(notebook).run(question).solution.method is method


def test_a_router_without_steps_is_degraded(ask):
    notebook, _ = ask()
    result = Router(notebook, limits=Limits(seconds=1e-9)).run("为什么天是蓝的？")
    assert result.outcome is Outcome.DEGRADED
