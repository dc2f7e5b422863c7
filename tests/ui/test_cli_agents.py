"""``mingbai agent optimize``: the JSON contract over standard input, what a person sees, and usage errors."""

import json
from functools import partial

import pytest

PROMPT = "You are a helper.\n- Answer in at most two sentences.\n- Never use emoji.\n- Write at least 300 words."
EXAMPLES = [{"user": "b? 😀", "assistant": "Good 😀."}, {"user": "c?", "assistant": "Fine."}]


@pytest.fixture
def optimize(mingbai):
    """Runs ``mingbai agent optimize``."""
    return partial(mingbai, "agent", "optimize")


def test_the_json_contract(optimize):
    given = {"prompt": PROMPT, "examples": EXAMPLES}
    code, out, _ = optimize("--json", "-", stdin=json.dumps(given, ensure_ascii=False))
    made = json.loads(out)
    assert code == 0
    assert made["prompt"] == PROMPT.removesuffix("\n- Write at least 300 words.")
    assert [example["user"] for example in made["examples"]] == [example["user"] for example in EXAMPLES]
    assert made["examples"][0]["assistant"] == "Good."
    assert (made["changed"], made["accepted"], made["degraded"]) == (True, True, None)
    assert "-- Write at least 300 words." in made["diff"]
    assert made["after"] == {"findings": []}
    assert {finding["type"] for finding in made["before"]["findings"]} == {"contradiction", "fewshot"}
    for finding in made["before"]["findings"]:
        assert {"type", "severity", "rule_ids", "quotes", "example_index", "source"} <= set(finding)
    assert {"calls", "seconds"} <= set(made["cost"])


def test_a_sound_prompt_comes_back_byte_for_byte(optimize):
    prompt = "Answer in English.\r\n  \n"
    made = json.loads(optimize("-", "--json", "--no-model", stdin=json.dumps({"prompt": prompt}))[1])
    assert (made["prompt"], made["examples"], made["changed"], made["diff"]) == (prompt, [], False, "")


def test_a_person_sees_what_was_found_and_the_diff(optimize, tmp_path):
    file = tmp_path / "prompt.md"
    file.write_text(PROMPT, encoding="utf-8")
    code, out, err = optimize(str(file), "--no-model")
    assert code == 0
    assert "contradiction: " in out
    assert "-- Write at least 300 words." in out
    assert "mended" in out
    assert "0 model calls" in err


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["-", "--json"], '{"prompt": 3}'),
        (["-", "--json"], '{"prompt": "x", "examples": [{"user": "u"}]}'),
        (["-", "--json"], ""),
        (["-", "--ask"], "x"),
        (["no-such-file.md"], ""),
    ],
)
def test_usage_errors(optimize, arguments, stdin):
    code, out, err = optimize(*arguments, "--no-model", stdin=stdin)
    assert code == 2
    assert out == ""
    assert err
