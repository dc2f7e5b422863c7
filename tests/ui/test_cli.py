import json
import tomllib
from pathlib import Path
from typing import ClassVar

import pytest
from fakes import FakeGenerator

from rag import build
from rag.settings import Settings
from ui.launch import command

ROOT = Path(__file__).parents[2]


def test_an_answer_is_printed_once_with_its_source(mingbai, spruce):
    code, out, _ = mingbai("ask", "云杉网络有几层？", "--index", spruce)
    assert code == 0
    assert out.count("云杉网络共有 48 层。[1]") == 1
    assert "a.txt:2 云杉网络" in out


def test_json_is_the_one_schema_and_nothing_else(mingbai, spruce):
    code, out, _ = mingbai("ask", "云杉网络有几层？", "--index", spruce, "--json")
    assert (code, json.loads(out)["state"]) == (0, "answered")


def test_a_refusal_exits_with_three(mingbai, spruce, monkeypatch):
    monkeypatch.setattr(build, "make_generator", lambda settings: FakeGenerator("它获得了最佳论文奖。", yes=0.01))
    code, out, _ = mingbai("ask", "云杉网络获过什么奖？", "--index", spruce)
    assert code == 3
    assert "云杉网络" in out


def test_own_knowledge_says_so(mingbai, spruce):
    code, out, _ = mingbai("ask", "云杉网络有几层？", "--index", spruce, "--mode", "rog")
    assert code == 0
    assert out.startswith("（未查阅笔记")


def test_search_prints_passages(mingbai, spruce):
    code, out, _ = mingbai("search", "云杉网络", "--index", spruce, "-k", "1", "--json")
    (passage,) = json.loads(out)["passages"]
    assert code == 0
    assert (passage["file"], passage["found_by"]["dense"]) == ("a.txt", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ask", "？！"], 2, "holds no word"),
        (["ask", "云杉", "--mode", "xyz"], 2, "--mode is one of"),
        (["search", "云杉", "--leg", "sideways"], 2, "--leg is one of"),
        (["search", "云杉", "--set", "retrieval.kk=3"], 2, "nearest known one"),
        (["search", "云杉", "--set", "retrieval.k"], 2, "KEY=VALUE"),
        (["search", "云杉", "-k", "-1"], 2, "must be 0 or more"),
    ],
    ids=str,
)
def test_usage_errors_exit_with_two_and_say_what_to_do(mingbai, spruce, arguments, code, message):
    got, _, err = mingbai(*arguments, "--index", spruce)
    assert got == code
    assert message in err


def test_a_missing_index_exits_with_one_and_names_the_command(mingbai, tmp_path):
    code, _, err = mingbai("ask", "云杉", "--index", tmp_path / "none")
    assert code == 1
    assert "make ingest" in err


def test_nothing_to_ingest_is_an_error(mingbai, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = mingbai("ingest", tmp_path / "empty", "--index", tmp_path / "index")
    assert code == 1
    assert "No notes could be read" in err


def test_an_ingest_reports_every_file(mingbai, tmp_path):
    notes = tmp_path / "mixed"
    notes.mkdir()
    (notes / "good.md").write_text("# 甲\n乙。\n", encoding="utf-8")
    (notes / "bad.md").write_bytes(b"")
    code, out, _ = mingbai("ingest", notes, "--index", tmp_path / "index", "--json")
    report = json.loads(out)
    assert code == 0
    assert {f["file"]: f["status"] for f in report["files"]} == {"good.md": "added", "bad.md": "failed"}


def test_doctor_finds_a_missing_index(mingbai, tmp_path):
    code, out, _ = mingbai("doctor", "--index", tmp_path / "none", "--json")
    findings = {f["name"]: f for f in json.loads(out)}
    assert code == 1
    assert not findings[f"index {tmp_path / 'none'}"]["healthy"]
    assert "gpu_layers" in findings["acceleration"]["message"]


def test_config_prints_what_is_in_force(mingbai):
    code, out, _ = mingbai("config", "--set", "retrieval.k=9")
    assert (code, json.loads(out)["retrieval"]["k"]) == (0, 9)


def test_the_page_listens_on_loopback_only_and_sends_nothing_home():
    flags = command(Settings())
    assert "--server.address=127.0.0.1" in flags
    assert "--browser.gatherUsageStats=false" in flags
    assert "--server.enableXsrfProtection=true" in flags


def test_every_make_target_of_the_readme_exists_and_is_listed():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in ("help", "install", "models", "ingest", "ask", "chat", "test", "check", "eval", "bench", "clean"):
        assert f"\n{target}:" in makefile
    assert "make ask" in readme
    assert "make test" in readme


def test_constraints_pin_every_direct_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *extras["cpu"], *extras["chroma"], *extras["dev"]]:
        name = requirement.split(">")[0].split("=")[0].lower()
        assert name in pinned, requirement


def test_ctrl_c_during_an_answer_cancels_it_and_says_so(mingbai, spruce, monkeypatch):
    cancelled = []

    class Interrupted(FakeGenerator):
        def generate(self, request, cancel=None):
            cancelled.append(cancel)
            stream = super().generate(request, cancel)

            class Stopping:
                result = stream.result

                def __iter__(self):
                    yield "云杉"
                    raise KeyboardInterrupt

                def cancel(self):
                    stream.cancel()

            return Stopping()

    monkeypatch.setattr(build, "make_generator", lambda settings: Interrupted())
    code, out, _ = mingbai("ask", "云杉网络有几层？", "--index", spruce)
    assert code == 130
    assert "云杉" not in out
    assert cancelled[0].is_set()


def test_warming_reads_the_passages_ahead_once(mingbai, index, tmp_path, tiny_model_path, monkeypatch):
    from rag.engine import LlamaEngine
    from rag.settings import EngineSettings

    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache"))
    monkeypatch.setattr("rag.model_store.locate", lambda model_id: tiny_model_path)
    settings = EngineSettings(disk_cache_mb=100, threads=1)
    monkeypatch.setattr(
        build,
        "make_engine",
        lambda given: LlamaEngine(tiny_model_path, model_id="m", model_hash="h", settings=settings),
    )
    notes, where = tmp_path / "notes", ("--index", index)
    code, _, err = mingbai("ingest", notes, *where, "--warm")
    assert code == 2
    assert "engine.disk_cache_mb=4000" in err
    allowed = ("--warm", "--set", "engine.disk_cache_mb=100")
    code, _, err = mingbai("ingest", notes, *where, *allowed)
    assert code == 0, err
    assert "1 passages" in err
    assert "1 of them read in 0:0" in err
    code, _, err = mingbai("ingest", notes, *where, *allowed)
    assert "1 are known, 0 (0 tokens)" in err
    assert code == 0
    code, out, err = mingbai("ingest", notes, *where, *allowed, "--json")
    assert json.loads(out)["chunks"] == 1
    assert "warm" not in err


def test_ctrl_c_while_warming_keeps_what_is_done(mingbai, index, tmp_path, tiny_model_path, monkeypatch):
    class Baker:
        known: ClassVar[list] = []
        stops_after = 1

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def count_tokens(self, text):
            return len(text)

        def bake(self, messages, *, is_trial=False):
            if messages in self.known:
                return 0
            if not is_trial:
                if len(self.known) == self.stops_after:
                    raise KeyboardInterrupt
                self.known.append(messages)
            return 10

    monkeypatch.setattr("rag.model_store.locate", lambda model_id: tiny_model_path)
    monkeypatch.setattr(build, "make_engine", lambda given: Baker())
    notes = tmp_path / "notes"
    (notes / "b.txt").write_text("### 红杉\n    红杉很高。\n\n### 水杉\n    水杉喜水。\n", encoding="utf-8")
    command = ("ingest", notes, "--index", index, "--warm", "--set", "engine.disk_cache_mb=100")
    code, _, err = mingbai(*command)
    assert code == 130
    assert "stopped, 2 are left" in err
    Baker.stops_after = 9
    code, _, err = mingbai(*command)
    assert code == 0
    assert "1 are known, 2 (20 tokens)" in err
