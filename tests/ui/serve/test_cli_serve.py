"""``mingbai serve`` on the command line."""

import importlib.util

import httpx
import pytest
from fakes import FakeGenerator

from rag import build
from rag.errors import ModelMissingError


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    """Whatever the environment of the tests says."""
    monkeypatch.delenv("MINGBAI_API_KEY", raising=False)


@pytest.fixture
def served(monkeypatch):
    """What would have been served."""
    servers = []
    monkeypatch.setattr("ui.serve.launch.Server.run", lambda self: servers.append(self))
    return servers


def test_it_says_where_it_listens(mingbai, served, index):
    code, _, err = mingbai("serve", "--index", index, "--port", 9123)
    assert code == 0, err
    assert "http://127.0.0.1:9123/v1" in err
    assert (served[0].config.host, served[0].config.port, served[0].config.proxy_headers) == ("127.0.0.1", 9123, False)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])  # noqa: S104 - must be refused
def test_other_addresses_need_a_key(mingbai, served, index, monkeypatch, host):
    code, _, err = mingbai("serve", "--index", index, "--host", host)
    assert (code, served) == (2, [])
    assert "MINGBAI_API_KEY" in err
    monkeypatch.setenv("MINGBAI_API_KEY", "short")
    assert mingbai("serve", "--index", index, "--host", host)[0] == 2
    key = "a-long-and-random-key-for-tests"
    monkeypatch.setenv("MINGBAI_API_KEY", key)
    code, out, err = mingbai("serve", "--index", index, "--host", host, "--allow-host", "notes.lan")
    assert code == 0, err
    assert key not in out + err
    assert served[0].config.host == host


def test_a_model_that_is_not_there_ends_the_command(mingbai, served, index, monkeypatch):
    def missing(settings):
        raise ModelMissingError("Run: mingbai models pull")

    monkeypatch.setattr(build, "make_generator", missing)
    code, _, err = mingbai("serve", "--index", index)
    assert (code, served) == (1, [])
    assert "mingbai models pull" in err


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_a_missing_index_names_the_command(mingbai, served, tmp_path, command):
    code, _, err = mingbai(command, "--index", tmp_path / "none")
    assert code == 1
    assert "make ingest" in err


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_a_missing_extra_is_named(mingbai, served, index, monkeypatch, command):
    find = importlib.util.find_spec
    monkeypatch.setattr("ui.cli_serve.find_spec", lambda name: None if name == "mcp" else find(name))
    code, _, err = mingbai(command, "--index", index)
    assert code == 2
    assert "mingbai[serve]" in err


def test_a_busy_port_is_an_error(live_of, mingbai, index):
    live = live_of(FakeGenerator())
    assert httpx.get(f"{live.url}/healthz").status_code == 200
    code, _, err = mingbai("serve", "--index", index, "--port", live.port)
    assert code == 2
    assert f"port {live.port}" in err
