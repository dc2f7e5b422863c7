"""``mingbai agent optimize``: the JSON contract over standard input, what a person sees, and usage errors."""

import io
import json
import sys

import pytest
from fakes import FakeGenerator

from rag import build
from ui import cli

PROMPT = "You are a helper.\n- Answer in at most two sentences.\n- Never use emoji.\n- Write at least 300 words."
EXAMPLES = [{"user": "b? 😀", "assistant": "Good 😀."}, {"user": "c?", "assistant": "Fine."}]


@pytest.fixture
def mingbai(monkeypatch, capsys):
    """Run the command line with a text on standard input; (exit code, standard output, standard error)."""
    monkeypatch.setattr(build, "make_generator", lambda settings: FakeGenerator("x", yes=0.5))

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["mingbai", "agent", "optimize", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = 0
        try:
            cli.main()
        except SystemExit as leaving:
            code = leaving.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_the_json_contract(mingbai):
    given = {"prompt": PROMPT, "examples": EXAMPLES}
    code, out, _ = mingbai("--json", "-", stdin=json.dumps(given, ensure_ascii=False))
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


def test_a_sound_prompt_comes_back_byte_for_byte(mingbai):
    prompt = "Answer in English.\r\n  \n"
    made = json.loads(mingbai("-", "--json", "--no-model", stdin=json.dumps({"prompt": prompt}))[1])
    assert (made["prompt"], made["examples"], made["changed"], made["diff"]) == (prompt, [], False, "")


def test_a_person_sees_what_was_found_and_the_diff(mingbai, tmp_path):
    file = tmp_path / "prompt.md"
    file.write_text(PROMPT, encoding="utf-8")
    code, out, err = mingbai(str(file), "--no-model")
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
def test_usage_errors(mingbai, arguments, stdin):
    code, out, err = mingbai(*arguments, "--no-model", stdin=stdin)
    assert code == 2
    assert out == ""
    assert err
