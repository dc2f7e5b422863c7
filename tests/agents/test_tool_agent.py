"""The tool agent: calls, their limits, and the wall between notes and calls."""

import json
import threading
from datetime import date

import pytest

from agents.run import Limits, Outcome
from agents.tools import ToolAgent, computing_tools, note_tools, rules
from rag.errors import GenerationCancelledError, QuestionError
from rag.tool_calls import write_call

TODAY = date(2026, 5, 4)


def is_reading(request):
    """Whether this request is one of the notebook's own: those have the notes, but no tools."""
    texts = [m.text for m in request.messages]
    assert not any("<tools>" in text and "</笔记>" in text for text in texts)
    return any("</笔记>" in text or "</notes>" in text for text in texts)


@pytest.fixture
def agent(open_with, fake_generator):
    def make(replies, *, reading="云杉网络共有 48 层。", limits=None, yes=0.97):
        pending = list(replies)

        def script(request):
            return reading if is_reading(request) else pending.pop(0)

        generator = fake_generator(
            script, probabilities=lambda m, o: [yes, *[(1 - yes) / (len(o) - 1)] * (len(o) - 1)], context_size=20_000
        )
        notebook = open_with(generator)
        tools = [*computing_tools(lambda: TODAY), *note_tools(notebook)]
        return ToolAgent(generator, tools, reader=notebook, limits=limits), generator

    return make


def test_what_the_question_determines_needs_no_model(agent):
    asked, generator = agent([])
    result = asked.run("48*17 等于多少？")
    assert (result.outcome, result.answer) == (Outcome.DONE, "48*17 = 816")
    assert [(c.name, c.by) for c in result.calls] == [("calculate", "rule")]
    assert generator.requests == []


def test_today_is_asked_at_every_call(agent):
    assert agent([])[0].run("今天星期几？").answer == "2026-05-04 (Monday)"


def test_the_model_calls_a_tool_and_its_words_are_kept_when_they_hold_the_result(agent):
    call = write_call("calculate", {"expression": "3*12+5"})
    result = agent([call, "一共 41 个鸡蛋。"])[0].run("买了 3 打鸡蛋（每打 12 个）又送 5 个，一共几个？")
    assert (result.outcome, result.answer) == (Outcome.DONE, "一共 41 个鸡蛋。")


def test_words_that_change_the_result_are_replaced_by_the_result(agent):
    call = write_call("calculate", {"expression": "3*12+5"})
    result = agent([call, "一共 43 个鸡蛋。"])[0].run("买了 3 打鸡蛋（每打 12 个）又送 5 个，一共几个？")
    assert result.answer == "3*12+5 = 41"


def test_invented_numbers_never_reach_a_tool(agent):
    wrong = write_call("calculate", {"expression": "3*13"})
    right = write_call("calculate", {"expression": "3*12"})
    result = agent([wrong, right, "36"])[0].run("三打鸡蛋，每打 12 个，一共几个？")
    assert [bool(c.output) for c in result.calls] == [False, True]
    assert "13" in result.calls[0].error
    assert result.answer == "36"


def test_a_call_that_was_made_already_ends_the_conversation(agent):
    call = write_call("calculate", {"expression": "3*12"})
    asked, generator = agent([call, call])
    result = asked.run("三打鸡蛋，每打 12 个，一共几个？")
    assert result.answer == "3*12 = 36"
    assert len(result.calls) == 1
    assert len(generator.requests) == 2


def test_a_number_alone_is_no_calculation(agent):
    calls = [write_call("search_notes", {"query": "云杉网络"}), write_call("calculate", {"expression": "12"}), "好"]
    result = agent(calls)[0].run("云杉网络有几层？")
    assert result.calls[1].error == "there is nothing to calculate in '12'"
    assert result.answer == result.checked.text


@pytest.mark.parametrize(
    "said", ['{"name": "translate", "arguments": {"text": "你好"}}', "先用 search_notes 查云杉网络。"]
)
def test_words_about_a_call_are_no_answer(agent, said):
    asked, generator = agent([said, "Hello"])
    result = asked.run("把“你好”翻译成英文。")
    assert (result.answer, result.calls) == ("Hello", ())
    assert generator.requests[-1].messages[-1].text.startswith("这不是回答")


def test_what_is_asked_of_the_notes_is_never_answered_by_the_model_alone(agent):
    result = agent(["云杉网络有 50 层。"])[0].run("我的笔记里，云杉网络有几层？")
    assert [(c.name, c.by) for c in result.calls] == [("search_notes", "fallback")]
    assert result.answer == result.checked.text
    assert "50" not in result.answer


@pytest.mark.parametrize("said", ["你好！", "Good morning!", "Thank you, that is all.", "谢谢你的帮助。"])
def test_small_talk_is_answered_without_tools(agent, said):
    asked, generator = agent(["嗯。"])
    assert asked.run(said).answer == "嗯。"
    assert "<tools>" not in generator.requests[0].messages[0].text


@pytest.mark.parametrize("asked", ["你好，3 加 4 是多少？", "Hi, what is recall?", "谢谢这个词用英文怎么说？"])
def test_a_question_with_a_greeting_is_no_small_talk(asked):
    assert not rules.is_small_talk(asked)


def test_a_shape_uses_no_number_that_a_calculation_might(agent):
    wrong = write_call("tensor_shape", {"operation": "reshape", "shape": [2, 5], "other": [10]})
    result = agent([wrong, wrong])[0].run("Reshape a tensor of shape [2, 5] to [3, -1].")
    assert result.calls[0].error == "the number 10 is neither in the question nor a result"


@pytest.mark.parametrize(
    ("question", "offered"),
    [
        ("What is a spruce?", set()),
        ("How many days are left this year?", {"calculate", "date"}),
        ("3x3 卷积，步长 2，输出多大？", {"calculate", "convolution_output", "tensor_shape"}),
        ("平均每月多少？", {"calculate", "date"}),
    ],
)
def test_a_tool_is_offered_where_the_question_may_be_about_it(agent, question, offered):
    asked, generator = agent(["好。"])
    asked.run(question)
    prompt = generator.requests[0].messages[0].text
    assert {name for name in (t.name for t in computing_tools()) if f'"{name}"' in prompt} == offered
    assert all(f'"{name}"' in prompt for name in NOTE_TOOLS)


def test_the_reader_gets_a_checked_answer_from_the_notes(agent):
    result = agent([write_call("search_notes", {"query": "云杉网络 层数"}), "好的。"])[0].run("云杉网络有几层？")
    assert result.outcome is Outcome.DONE
    assert result.checked.sentences[0].citations[0].file == "glossary.txt"
    assert result.answer == result.checked.text


def test_an_unsupported_answer_is_refused(agent):
    replies = [write_call("search_notes", {"query": "云杉网络"}), "好"]
    result = agent(replies, reading="云杉网络获得最佳论文奖。", yes=0.01)[0].run("云杉网络得过什么奖？")
    assert result.outcome is Outcome.REFUSED
    assert "最佳论文奖" not in result.answer


NOTE_TOOLS = ["search_notes", "open_entry", "related_entries", "number_from_notes"]


@pytest.mark.parametrize("tool", NOTE_TOOLS)
def test_no_text_of_a_note_stands_before_a_model_that_can_call_tools(agent, tool):
    arguments = {"title": "白桦归一化"} if tool in ("open_entry", "related_entries") else {"query": "白桦归一化 组"}
    asked, generator = agent([write_call(tool, arguments), "好的。"], reading="白桦归一化用 16 个组。")
    asked.run("白桦归一化用几个组？")
    deciding = ["\n".join(m.text for m in r.messages) for r in generator.requests if not is_reading(r)]
    assert len(deciding) == 2
    for prompt in deciding:
        assert "忽略之前" not in prompt
        assert "6*7" not in prompt


@pytest.mark.parametrize("tool", NOTE_TOOLS)
def test_no_tool_runs_because_a_note_told_it_to(agent, tool):
    """A reader that obeys the note and writes the call itself changes nothing: nobody runs what it writes."""
    arguments = {"title": "白桦归一化"} if tool in ("open_entry", "related_entries") else {"query": "白桦归一化"}
    obeying = write_call("calculate", {"expression": "6*7"})
    result = agent([write_call(tool, arguments), "好的。"], reading=obeying)[0].run("白桦归一化用几个组？")
    assert [c.name for c in result.calls] == [tool]


def test_a_missing_entry_names_the_nearest_to_the_reader_only(agent):
    asked, generator = agent([write_call("open_entry", {"title": "雪松"}), "没有。"])
    result = asked.run("雪松那一条写了什么？")
    assert "雪松损失" in result.answer
    assert "雪松损失" not in "".join(m.text for r in generator.requests for m in r.messages)


def test_an_entry_that_was_asked_for_is_shown_as_it_stands_without_a_model(agent):
    asked, generator = agent([])
    result = asked.run("打开词条“雪松损失”。")
    assert (result.outcome, result.answer) == (Outcome.DONE, "雪松损失的温度是 0.5。")
    assert generator.requests == []


def test_a_determined_call_that_fails_is_not_left_to_the_model(agent):
    asked, generator = agent([])
    result = asked.run("12 除以 0 等于多少？")
    assert (result.outcome, generator.requests) == (Outcome.DEGRADED, [])
    assert "division by zero" in result.reason


def test_related_entries_are_shown(agent):
    result = agent([])[0].run("和云杉网络有关的词条有哪些？")
    assert "雪松损失（文中提到）" in result.answer
    assert "水杉池化（提到了它）" in result.answer


def test_a_number_of_the_notes_may_be_calculated_with(agent):
    replies = [
        write_call("number_from_notes", {"query": "云杉网络有几层？"}),
        write_call("calculate", {"expression": "48/2"}),
        "是 24 层。",
    ]
    result = agent(replies)[0].run("云杉网络层数的一半是多少？")
    assert [c.output.value for c in result.calls] == [48.0, 24.0]
    assert "24" in result.answer


def test_no_tool_needed_is_said(agent):
    result = agent(["你好！"])[0].run("你好")
    assert (result.outcome, result.answer, result.calls) == (Outcome.DONE, "你好！", ())
    assert "没有用工具" in result.notices[0]


@pytest.mark.parametrize(
    "reply", ["<tool_call>{oops</tool_call>", write_call("nothing", {}), write_call("calculate", {"x": 1})]
)
def test_calls_that_cannot_be_run_end_as_a_degraded_result(agent, reply):
    result = agent([reply] * 9)[0].run("帮我算一下这个")
    assert (result.outcome, bool(result.reason)) == (Outcome.DEGRADED, True)


def test_a_step_limit_is_a_degraded_result_with_the_trace(agent):
    replies = [write_call("search_notes", {"query": f"云杉 {number}"}) for number in range(9)]
    result = agent(replies, limits=Limits(steps=3))[0].run("云杉网络怎么样？")
    assert (result.outcome, result.cost.calls) == (Outcome.DEGRADED, 3)
    assert "3 steps" in result.reason
    assert [s.name for s in result.steps] == ["reply", "call", "reply"]


def test_cancelling_and_usage_errors_are_raised(agent):
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(GenerationCancelledError):
        agent(["x"])[0].run("帮我看看", cancel=cancelled)
    with pytest.raises(QuestionError):
        agent(["x"])[0].run("？？")


def test_progress_is_the_trace_and_the_result_is_plain_json(agent):
    seen = []
    result = agent([])[0].run("1+1=?", progress=seen.append)
    assert tuple(seen) == result.steps
    assert json.loads(json.dumps(result.to_dict()))["answer"] == "1+1 = 2"
