"""Serves the app on this machine for a browser: in an empty home, with fake or real models, over some notes."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
PATIENCE = 180.0


@contextmanager
def served(home: Path, notes: Sequence[Path], model: str = "") -> Iterator[str]:
    """The address of the app over an index of ``notes`` (none when there are none), until the block ends.

    With fake models, or with the real embedder and the generator ``model``, from the user's cache; real ones read the
    sample notes.
    """
    from rag.settings import load
    from ui.launch import APP, INDEX_VARIABLE, command

    # Real embedding takes minutes: that index is kept, and is the one of the evaluations.
    index = ROOT / ".mingbai" / "eval-index" if model else home / "index"
    # The quick evaluation looks for the sample notes where the program was started.
    (home / "data").symlink_to(ROOT / "data")
    if notes:
        _ingest(notes, index, is_real=bool(model))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = APP if model else TESTS / "browser" / "fake_app.py"
    arguments = [str(app) if part == str(APP) else part for part in command(load(), port)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(TESTS), str(ROOT))),
        INDEX_VARIABLE: str(index),
        "XDG_DATA_HOME": str(home / "kept"),
        "MINGBAI_CONFIG": "",
        **(_real(model) if model else _none(home)),
    }
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(arguments, env=environment, cwd=home, stdout=log, stderr=subprocess.STDOUT)
        (home / "server.pid").write_text(str(server.pid), encoding="ascii")
        try:
            _await(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _none(home: Path) -> dict[str, str]:
    return {"MINGBAI_MODELS_DIR": str(home / "models"), "MINGBAI_CATALOGUE": str(home / "models.toml")}


def _real(model: str) -> dict[str, str]:
    return {"MINGBAI_MODELS__GENERATOR": model}


def _ingest(notes: Sequence[Path], index: Path, *, is_real: bool) -> None:
    sys.path.insert(0, str(TESTS))
    from fakes import FakeEmbedder

    from ingest import ingest
    from rag.build import make_embedder
    from rag.settings import Settings

    settings = Settings()
    ingest(list(notes), index, settings=settings, embedder=make_embedder(settings) if is_real else FakeEmbedder())


def _await(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the app ended with {server.returncode}; see server.log in its home")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{url} did not answer within {PATIENCE:.0f} s")
