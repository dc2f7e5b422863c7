import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
from eval_fakes import FakeSubject, located_cases, make_run

from evals.run import Plan
from evals.runs import TEXTS_KEPT, RunFile, default_path, machine, new_header, read_run
from rag.errors import UsageError
from rag.types import Leg, Mode


@pytest.fixture
def header():
    return new_header("fake.jsonl", located_cases(), FakeSubject().fingerprint(), top=20)


def test_a_run_is_read_as_it_was_written(tmp_path):
    subject = FakeSubject()
    run = make_run(tmp_path / "r.jsonl", subject)
    assert list(run.cases.values()) == located_cases()
    header = new_header("fake.jsonl", located_cases(), subject.fingerprint(), top=20)
    assert run.header == replace(header, started=run.header.started)
    case = located_cases()[0].case
    assert run.answers[0].answer == subject.ask(case.question)
    hybrid = run.retrievals[0].legs[Leg.HYBRID]
    assert [p.text != "" for p in hybrid] == [p.rank <= TEXTS_KEPT for p in hybrid]
    assert [replace(p, text="") for p in hybrid] == [replace(p, text="") for p in subject.search(case.question, 20)]


def test_the_header_says_what_was_run(header):
    assert header.fingerprint == FakeSubject().fingerprint()
    assert header.commit and header.machine == machine() and int(header.machine["cores"]) > 0
    other = FakeSubject(own_knowledge=True).fingerprint()
    changed = new_header("fake.jsonl", located_cases(), other, top=20)
    fewer = new_header("fake.jsonl", located_cases()[1:], header.fingerprint, top=20)
    assert len({header.config_hash, changed.config_hash, fewer.config_hash}) == 3
    assert header.config_hash == new_header("fake.jsonl", located_cases(), header.fingerprint, top=20).config_hash


def test_the_same_work_finds_its_file_again(header, tmp_path):
    again = replace(header, started="later")
    assert default_path(tmp_path, header) == default_path(tmp_path, again)
    assert default_path(tmp_path, header) != default_path(tmp_path, replace(header, commit="other"))


def test_a_finished_run_is_not_run_again(tmp_path):
    path = tmp_path / "r.jsonl"
    make_run(path, FakeSubject())
    before = path.read_bytes()
    subject = FakeSubject()
    make_run(path, subject)
    assert subject.asked == []
    assert path.read_bytes() == before


def test_an_unfinished_last_line_costs_one_record(tmp_path):
    path = tmp_path / "r.jsonl"
    whole = make_run(path, FakeSubject())
    size = path.stat().st_size
    last = len(path.read_bytes().splitlines()[-1])
    os.truncate(path, size - last // 2)
    cut = read_run(path)
    assert len(cut.answers) == len(whole.answers) - 1
    subject = FakeSubject()
    again = make_run(path, subject)
    assert len(subject.asked) == 1
    assert [a.key for a in again.answers] == [a.key for a in whole.answers]


def test_a_file_that_was_killed_in_its_first_line_begins_again(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'{"kind": "run", "vers')
    assert len(make_run(path, FakeSubject()).retrievals) == len(located_cases())


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path):
    path = tmp_path / "r.jsonl"
    make_run(path, FakeSubject())
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5] = b'{"kind": "ca\n'
    path.write_bytes(b"".join(lines))
    with pytest.raises(UsageError, match=r"r\.jsonl:6 is damaged"):
        read_run(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"kind": "riddle"}, "unknown line kind"),
        ({"kind": "answer", "case_id": "d-00"}, "mode: Field required"),
        ([], "expected a JSON object"),
    ],
)
def test_a_line_of_another_make_is_an_error(tmp_path, line, message):
    path = tmp_path / "r.jsonl"
    make_run(path, FakeSubject())
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(UsageError, match=message):
        read_run(path)


@pytest.mark.parametrize("content", ["", "{}\n", '{"kind": "run", "version": 99}\n'])
def test_what_is_no_run_file(tmp_path, content):
    path = tmp_path / "r.jsonl"
    path.write_text(content)
    with pytest.raises(UsageError, match="not a run file"):
        read_run(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_run(tmp_path / "absent.jsonl")


def test_two_runs_never_share_a_file(tmp_path, header):
    path = tmp_path / "r.jsonl"
    make_run(path, FakeSubject())
    with pytest.raises(UsageError, match="its config_hash is"):
        make_run(path, FakeSubject(own_knowledge=True))
    stale = replace(header, commit="other")
    with pytest.raises(UsageError, match="its commit is"):
        RunFile(path, stale, located_cases())


def test_a_repeated_record_counts_once(tmp_path):
    path = tmp_path / "r.jsonl"
    whole = make_run(path, FakeSubject())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[-1]]))
    assert read_run(path).answers == whole.answers


def test_a_wider_plan_continues_a_narrow_one(tmp_path):
    path = tmp_path / "r.jsonl"
    narrow = make_run(path, FakeSubject(), Plan.retrieval_only())
    assert narrow.answers == ()
    wide = make_run(path, FakeSubject(), Plan(modes=(Mode.RCG,), repeats=0, ladder_cases=0))
    assert wide.retrievals == narrow.retrievals
    assert len(wide.answers) == len(located_cases())


def test_kill_loses_at_most_one_case(tmp_path):
    """A child that answers slowly is killed again and again; in the end nothing is lost and nothing is asked twice."""
    path = tmp_path / "r.jsonl"
    asked = tmp_path / "asked"
    program = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from eval_fakes import FakeSubject, make_run

        class Slow(FakeSubject):
            def answer_from(self, question, passages, mode="rcg"):
                with Path({str(asked)!r}).open("a") as file:
                    file.write(question + "\\n")
                time.sleep(0.01)
                return super().answer_from(question, passages, mode)

        make_run(Path({str(path)!r}), Slow())
    """)
    tests = str(Path(__file__).parents[1])
    kills = 0
    for _ in range(50):
        seen = path.stat().st_size if path.exists() else 0
        environment = os.environ | {"PYTHONPATH": tests}
        child = subprocess.Popen([sys.executable, "-c", program], env=environment)
        while child.poll() is None and (not path.exists() or path.stat().st_size < seen + 40_000):
            time.sleep(0.001)
        if child.poll() is not None:
            break
        child.send_signal(signal.SIGKILL)
        child.wait()
        kills += 1
    assert child.returncode == 0
    assert kills >= 3
    run = read_run(path)
    assert len(run.retrievals) == len(located_cases())
    assert len(run.answers) == len(located_cases()) + 3
    assert len(asked.read_text().splitlines()) <= len(run.answers) + kills
