"""``mingbai agent cot | hop | tools | auto | workflow``."""

import json

import pytest


def test_reasoning_goes_to_the_side_and_the_answer_to_the_output(mingbai):
    code, out, err = mingbai("agent", "cot", "一共几层？", "--method", "plan")
    assert (code, out.strip()) == (0, "48")
    assert "云杉网络共有 48 层。" in err


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (["cot", "一共几层？", "--method", "deep"], "votes"),
        (["hop", "云杉网络有几层？", "--index", "INDEX"], "hops"),
        (["tools", "3*4等于多少？", "--index", "INDEX"], "calls"),
        (["auto", "云杉网络有几层？", "--index", "INDEX"], "choice"),
        (["workflow", "mind_map", "term=云杉网络", "--index", "INDEX"], "path"),
    ],
)
def test_json_is_one_value_with_outcome_steps_and_cost(mingbai, spruce, command, key):
    filled = [str(spruce) if part == "INDEX" else part for part in command]
    code, out, _ = mingbai("agent", *filled, "--json")
    tree = json.loads(out)
    assert (code, tree["outcome"]) == (0, "done")
    assert {"answer", "reason", "reasoning", "steps", "cost", "model", "seed", key} <= tree.keys()


def test_tools_without_an_index_still_calculate(mingbai, tmp_path):
    code, out, err = mingbai("agent", "tools", "3*4等于多少？", "--index", tmp_path / "none")
    assert (code, out.strip()) == (0, "3*4 = 12")
    assert "left out" in err


def test_a_refusal_exits_with_three_and_a_limit_with_one(mingbai, spruce):
    assert mingbai("agent", "auto", "明天的天气怎么样？", "--index", spruce)[0] == 3
    code, _, err = mingbai("agent", "cot", "一共几层？", "--method", "deep", "--steps", "1")
    assert code == 1
    assert "1 steps" in err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["cot", "一共几层？", "--method", "magic"], "zero-shot"),
        (["cot", "？？"], "question"),
        (["cot", "一共几层？", "--steps", "0"], "steps"),
        (["workflow", "nothing.yaml"], "nothing.yaml"),
        (["workflow", "mind_map", "oops"], "NAME=VALUE"),
    ],
)
def test_usage_errors_exit_with_two(mingbai, spruce, arguments, word):
    with_index = [*arguments, "--index", spruce] if arguments[0] == "workflow" else arguments
    code, _, err = mingbai("agent", *with_index)
    assert code == 2
    assert word in err


def test_a_workflow_file_is_checked_and_run(mingbai, spruce, tmp_path):
    file = tmp_path / "w.yaml"
    file.write_text(
        "name: hello\nnodes:\n"
        "  - {id: start, kind: start, inputs: {who: a name}, next: end}\n"
        '  - {id: end, kind: answer, text: "Hello {{ who }}"}\n'
    )
    code, out, _ = mingbai("agent", "workflow", file, "--check")
    assert (code, json.loads(out)["nodes"]) == (0, ["start", "end"])
    code, out, _ = mingbai("agent", "workflow", file, "who=云杉", "--index", spruce, "--trace")
    assert (code, out.strip()) == (0, "Hello 云杉")
