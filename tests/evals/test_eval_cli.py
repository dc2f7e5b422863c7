import json
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
from eval_fakes import FakeSubject, make_cases, make_run
from typer.testing import CliRunner

from evals import cli, session
from evals.records import to_plain
from evals.report import BEGIN, END
from evals.run import QUICK_ANSWERS, QUICK_REPEATS, Plan
from rag.errors import UsageError

runner = CliRunner()


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "runs" / "r.jsonl"
    make_run(path, FakeSubject(), Plan.quick())
    return path


def invoke(*arguments):
    return runner.invoke(cli.app, [str(argument) for argument in arguments])


def test_every_command_explains_itself():
    text = invoke("--help").output
    for command in ("run", "score", "compare", "judge-check", "report", "gate", "baseline", "quick", "full"):
        assert command in text
        assert invoke(command, "--help").exit_code == 0


def test_score_prints_the_figures(run):
    result = invoke("score", run)
    assert result.exit_code == 0
    assert "| rcg_score | 20 |" in result.output
    assert "lexical floor" in result.output


def test_report_writes_three_files_and_the_readme(run, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}{END}", encoding="utf-8")
    result = invoke("report", run, "--out", tmp_path / "out", "--readme", readme)
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["r.html", "r.json", "r.md"]
    assert "rcg_score" in readme.read_text(encoding="utf-8")


def test_compare_shows_wins_and_losses(run, tmp_path):
    other = tmp_path / "other.jsonl"
    make_run(other, FakeSubject(reverse_fusion=True), Plan.quick())
    result = invoke("compare", run, other)
    assert result.exit_code == 0
    assert "Declared family" in result.output and "d-00" in result.output


def test_a_run_passes_against_its_own_baseline_and_a_worse_one_does_not(run, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "MUST_REFUSE", tmp_path / "none.txt")
    baseline, other = tmp_path / "baseline.json", tmp_path / "other.jsonl"
    assert invoke("baseline", run, "--baseline", baseline).exit_code == 0
    assert invoke("gate", run, "--baseline", baseline).exit_code == 0
    make_run(other, FakeSubject(reverse_fusion=True), Plan.quick())
    result = invoke("gate", other, "--baseline", baseline)
    assert result.exit_code == cli.EXIT_ERROR
    assert "FAIL hybrid ndcg@10" in result.output


def test_the_judge_is_checked():
    result = invoke("judge-check")
    assert result.exit_code == 0
    assert "balanced_accuracy" in result.output and "auroc" in result.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["score", "absent.jsonl"], cli.EXIT_USAGE),
        (["score", "absent.jsonl", "--set", "nothing"], cli.EXIT_USAGE),
        (["run", "--cases", "absent.jsonl"], cli.EXIT_USAGE),
        (["run", "--notes", "absent"], cli.EXIT_USAGE),
        (["run", "--modes", "magic"], cli.EXIT_USAGE),
        (["gate", "--no-such-option"], cli.EXIT_USAGE),
    ],
)
def test_wrong_usage_has_exit_code_two_and_a_message(arguments, code, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["evals", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == code
    shown = capsys.readouterr().err
    assert shown and "Traceback" not in shown


def test_settings_are_overridden():
    assert session.settings_with(["retrieval.k=8"]).retrieval.k == 8
    with pytest.raises(UsageError, match="KEY=VALUE"):
        session.settings_with(["retrieval.k"])


def test_output_settings_are_part_of_the_fingerprint():
    plain = session.settings_with([])
    assert session.settings_hash(plain) == session.settings_hash(session.settings_with(["ui.port=9999"]))
    assert session.settings_hash(plain) != session.settings_hash(session.settings_with(["retrieval.k=8"]))


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The made-up cases on disk, with the fake subject in the place of an index and its models."""
    asked = []

    @contextmanager
    def opened(index, settings):
        subject = FakeSubject()
        yield subject
        asked.append(len(subject.asked))

    monkeypatch.setattr(session.rag, "open", opened)
    monkeypatch.setattr(session, "ingest", lambda *_, **__: None)
    monkeypatch.setattr(session, "RUNS", tmp_path / "runs")
    cases = tmp_path / "fake.jsonl"
    rows = (json.dumps(to_plain(case), ensure_ascii=False) for case in make_cases())
    cases.write_text("\n".join(rows), encoding="utf-8")
    return session.Work(cases, tmp_path, tmp_path / "index"), asked


def test_generating_finds_its_own_file_and_continues(work):
    asked_for, asked = work
    first = session.generate(asked_for, Plan.quick(), limit=24)
    assert session.generate(asked_for, Plan.quick(), limit=24) == first
    wider = session.generate(asked_for, Plan.quick())
    fresh = session.generate(asked_for, Plan.quick(), fresh=True)
    assert first == wider == fresh
    assert asked[0] > 0 and asked[1] == 0
    assert 0 < asked[2] < asked[3] == QUICK_ANSWERS + QUICK_REPEATS
    scored, notes = session.score_file(fresh, "lexical")
    assert scored.figure("rcg", "rcg_score").value == 1.0
    assert "lexical floor" in notes[0]


def test_other_settings_are_another_run(work):
    asked_for, _ = work
    plain = session.generate(asked_for, Plan.retrieval_only())
    changed = session.generate(replace(asked_for, overrides=("retrieval.k=8",)), Plan.retrieval_only())
    assert plain != changed
    with pytest.raises(UsageError, match="belongs to another run"):
        session.generate(replace(asked_for, overrides=("retrieval.k=8",), out=plain), Plan.retrieval_only())
