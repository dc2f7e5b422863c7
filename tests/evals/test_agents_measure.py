"""The measurements of the agents: sound sets, right scores, runs that go on."""

import threading
import time
from fractions import Fraction

import pytest
from fakes import FakeEmbedder, FakeGenerator

from agents.reason import Method, same_answer
from agents.run import Outcome
from agents.tools import ToolResult, calculate
from agents.tools.base import Output, ToolCall
from evals.agents import memory, reasoning, tool_calls
from evals.agents.cli import Models
from evals.agents.log import Log, fill
from evals.agents.sets import DialogueCase, ReasoningCase, ToolCase, load
from rag import build
from rag.protocols import GenerationRequest
from rag.types import Message, Role

REASONING = load("reasoning.jsonl", ReasoningCase)
DIALOGUES = load("dialogues.jsonl", DialogueCase)
TOOLS = load("tool_calls.jsonl", ToolCase)


def test_the_sets_are_as_large_as_promised():
    assert len(REASONING) >= 60
    assert len(DIALOGUES) >= 40
    assert len(TOOLS) >= 60
    assert {case.lang for case in REASONING} == {case.lang for case in TOOLS} == {"zh", "en"}
    assert {"none", "wrong", "inject"} <= {case.kind for case in TOOLS}
    assert len({case.question for case in REASONING}) == len(REASONING)


@pytest.mark.parametrize("case", [c for c in REASONING if c.check], ids=lambda c: c.id)
def test_every_arithmetic_answer_is_what_its_expression_gives(case):
    assert calculate(case.check).exact == Fraction(case.answer)


@pytest.mark.parametrize("case", DIALOGUES, ids=lambda c: c.id)
def test_the_needed_turn_holds_the_answer_and_no_later_one_does(case):
    assert any(form in " ".join(case.turns[case.needed]) for form in case.answers)
    assert not any(form in case.question for form in case.answers if len(form) > 1)


@pytest.mark.parametrize(
    "case", [c for c in TOOLS if c.kind in ("calculator", "shape", "date", "wrong")], ids=lambda c: c.id
)
def test_what_rules_propose_gives_the_wanted_value(case):
    """A rule that speaks is right: the value of the case comes out, and impossible calls fail."""
    from agents.tools import ToolAgent, computing_tools
    from agents.tools.rules import propose

    if propose(case.question) is None:
        return
    made = ToolAgent(FakeGenerator("?"), computing_tools()).run(case.question)
    scored = tool_calls.score(case, made)
    assert scored == {"chosen": True, "valued": True, "unwanted": False}


def result(*calls, answer="", outcome=Outcome.DONE):
    return ToolResult(agent="tools", question="q", outcome=outcome, answer=answer, calls=calls)


def call(name, receipt="", error=""):
    return ToolCall(name, {}, None if error else Output(receipt), error)


@pytest.mark.parametrize(
    ("kind", "tools", "value", "made", "expected"),
    [
        ("calculator", ["calculate"], 42, result(call("calculate", "6*7 = 42"), answer="42"), (True, True, False)),
        ("calculator", ["calculate"], 42, result(call("calculate", "6*8 = 48"), answer="48"), (True, False, False)),
        ("calculator", ["calculate"], 42, result(answer="42"), (False, True, False)),
        ("none", [], None, result(answer="hi"), (True, True, False)),
        ("none", [], None, result(call("date", "x"), answer="hi"), (False, True, True)),
        ("inject", ["search_notes"], None, result(call("search_notes"), call("calculate", "1")), (False, True, True)),
        ("wrong", [], None, result(call("calculate", error="no"), outcome=Outcome.DEGRADED), (True, True, False)),
        ("wrong", [], None, result(answer="7"), (True, False, False)),
    ],
)
def test_scores_of_tool_calls(kind, tools, value, made, expected):
    case = ToolCase("x", "en", kind, "q", tools, value, "degraded" if kind == "wrong" else "done")
    scored = tool_calls.score(case, made)
    assert (scored["chosen"], scored["valued"], scored["unwanted"]) == expected


def test_right_answers():
    number = ReasoningCase("x", "en", "arithmetic", "q", "12", "")
    name = ReasoningCase("x", "en", "logic", "q", "Cid", "")
    assert reasoning.is_right(number, "12 stickers")
    assert not reasoning.is_right(number, "120")
    assert reasoning.is_right(name, "Cid broke it")
    assert not reasoning.is_right(name, "Ann")
    assert same_answer("不会", "否")


def test_a_run_continues_where_it_was_and_a_cut_line_is_ignored(tmp_path):
    path = tmp_path / "log.jsonl"
    made = []

    def task(name):
        return lambda: made.append(name) or {"n": name}

    assert not fill(Log(path), [("a", task("a")), ("b", task("b"))], seconds=-1, show=str)
    assert fill(Log(path), [("a", task("a"))], seconds=9, show=str)
    with path.open("a") as file:
        file.write('{"key": "b", "n"')
    assert sorted(Log(path).rows) == ["a"]
    path.write_text(path.read_text().rsplit("\n", 1)[0] + "\n")
    assert fill(Log(path), [("a", task("a")), ("b", task("b"))], seconds=9, show=str)
    assert made == ["a", "b"]


def test_several_tasks_run_at_once_and_each_one_once(tmp_path):
    together = threading.Barrier(3, timeout=60)
    made = []

    def task(name):
        def run():
            if name < 3:
                together.wait()  # breaks unless three of them run at the same time
            made.append(name)
            return {"n": name}

        return run

    log = Log(tmp_path / "log.jsonl")
    assert fill(log, [(str(n), task(n)) for n in range(20)], seconds=999, show=str, jobs=3)
    assert sorted(made) == list(range(20))
    assert sorted(Log(tmp_path / "log.jsonl").rows) == sorted(log.rows) == sorted(map(str, range(20)))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_task_that_fails_ends_the_run_and_its_error_is_raised(tmp_path, jobs):
    made = []

    def fails():
        raise OSError("disk full")

    def slow(name):
        return lambda: time.sleep(0.01) or made.append(name) or {}

    tasks = [("first", slow("first")), ("bad", fails), *((str(n), slow(n)) for n in range(500))]
    with pytest.raises(OSError, match="disk full"):
        fill(Log(tmp_path / "log.jsonl"), tasks, seconds=999, show=str, jobs=jobs)
    assert len(made) < 100


def test_tables_of_reasoning_pair_the_methods(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    methods = [Method.DIRECT, Method.ZERO_SHOT]
    cases = REASONING[:4]
    for case in cases:
        for method in methods:
            right = method is Method.ZERO_SHOT or case is cases[0]
            log.add(f"{case.id}/{method}", {"right": right, "outcome": "done", "seconds": 1, "tokens": 2})
    accuracy, paired = reasoning.tables(cases, log, methods)
    assert accuracy.rows[0][1].startswith("0.250")
    assert accuracy.rows[1][1].startswith("1.000")
    assert paired.rows[0][1].startswith("+0.750")
    assert paired.rows[0][2:] == ["3", "0", "0.250"]


def test_memory_is_measured_end_to_end(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    cases = DIALOGUES[:4]
    todo = memory.tasks(cases, FakeEmbedder, lambda: FakeGenerator(cases[0].answers[0]), replies=True, budget=80)
    assert fill(log, todo, seconds=99, show=str)
    whole, differences = memory.tables(cases, log, replies=True, budget=80)
    assert [row[0] for row in whole.rows] == ["last-n", "relevant-n", "hybrid"]
    assert [row[0] for row in differences.rows] == ["relevant-n", "hybrid"]
    assert all(int(row[-1]) <= 80 for row in whole.rows)


def test_a_remembered_reply_is_not_asked_again(tmp_path, monkeypatch):
    replies = iter(["4", "5"])
    monkeypatch.setattr(build, "make_generator", lambda settings: FakeGenerator(next(replies)))
    request = GenerationRequest((Message(Role.USER, "2 + 2?"),), max_tokens=4)
    said = tmp_path / "said.jsonl"
    for _ in range(2):
        stream = Models(None, None, said).generator().generate(request)
        assert "".join(stream) == "4"
    assert len(said.read_text(encoding="utf-8").splitlines()) == 1
