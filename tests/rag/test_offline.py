"""After the models are there, nothing opens a connection: the whole spine runs without a network."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rag import model_store
from rag.errors import ModelMissingError

SMALL = "qwen2.5-coder-0.5b-instruct-q4_k_m"
NOTE = (
    "### 云杉网络(SpruceNet)\n    云杉网络共有 48 层，由林望提出。\n\n"
    "### 雪松损失(CedarLoss)\n    雪松损失的温度是 0.5。\n"
)
SCRIPT = """
import json, sys
attempts = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        attempts.append(f"{event} {arguments[1:]}")
sys.addaudithook(watch)
import rag
from ingest import ingest
from rag.settings import load
notes, index = sys.argv[1:]
settings = load({"models.generator": "%s", "generation.max_tokens": 40, "generation.answer_threshold": 0.0})
report = ingest([notes], index, settings=settings)
with rag.open(index, settings) as notebook:
    found = notebook.search("云杉网络有几层？", 1)
    answer = notebook.ask("云杉网络有几层？", mode="rag")
print(json.dumps({"chunks": report.chunks, "best": found[0].text, "state": answer.state, "attempts": attempts}))
"""


@pytest.mark.model
@pytest.mark.slow
def test_ingest_search_and_ask_work_without_a_network(tmp_path: Path):
    try:
        model_store.locate(SMALL)
    except ModelMissingError as error:
        pytest.fail(f"make test pulls this model first: {error}")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text(NOTE, encoding="utf-8")
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT % SMALL), str(tmp_path / "notes"), str(tmp_path / "index")]
    if _can_unshare():
        # A network namespace without any interface: native code cannot connect either.
        command = ["unshare", "-rn", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["attempts"] == []
    assert result["chunks"] == 2
    assert "48" in result["best"]
    assert result["state"] == "answered"


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0
