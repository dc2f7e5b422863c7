import hashlib
import json

import pytest
from typer.testing import CliRunner

from rag import catalogue, model_store
from rag.errors import DownloadError, LicenceError, ModelHashError, ModelMissingError, UnknownModelError, UsageError
from rag.fetch import Downloads
from ui.cli_models import app

WEIGHTS = b"GGUF weights"
ENTRY = f"""[models.tiny]
kind = "generator"
layout = "gguf"
licence = "Tiny Terms"
licence_url = "https://tiny.example/terms"
licence_summary = "Be kind."
files = [{{ name = "tiny.gguf", size = {len(WEIGHTS)}, sha256 = "{hashlib.sha256(WEIGHTS).hexdigest()}" }}]
sources = [{{ type = "hub", repo = "org/tiny", revision = "{"c" * 40}", file = "Tiny.gguf" }}]
"""


def hub(_source, names, folder, tick):
    (folder / names[0]).write_bytes(WEIGHTS)
    tick(len(WEIGHTS))


def no_index(*_):
    raise DownloadError("there is no index here")


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINGBAI_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv(catalogue.CATALOGUE_VARIABLE, str(tmp_path / "models.toml"))
    monkeypatch.setenv(model_store.MODELS_VARIABLE, str(tmp_path / "store"))
    monkeypatch.setattr(model_store, "Downloads", lambda: Downloads(no_index, hub))
    (tmp_path / "config.toml").write_text('[models]\ngenerator = "tiny"\nembedder = "tiny"\n')
    (tmp_path / "models.toml").write_text(ENTRY)
    return tmp_path / "store"


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_the_list_shows_every_model_and_what_is_here():
    run("pull", "--yes", "tiny")
    shown = run("list").stdout
    assert {card.id for card in catalogue.all_models()} <= set(shown.split())
    (line,) = [line for line in shown.splitlines() if line.startswith("tiny ")]
    assert line.split()[:5] == ["tiny", "*", "generator", "0", "yes"]


def test_the_list_as_json():
    rows = {row["id"]: row for row in json.loads(run("list", "--json").stdout)}
    assert rows["tiny"]["state"] == "missing"
    assert rows["tiny"]["default"] is True
    assert rows["tiny"]["size"] == len(WEIGHTS)
    assert rows["tiny"]["sources"] == ["hub org/tiny"]
    assert rows["bge-m3"]["default"] is False
    assert len(rows["bge-m3"]["sha256"]) == 64


def test_pull_shows_the_licence_and_prints_where_the_model_lies(store):
    result = run("pull", "--yes", "tiny")
    assert result.exception is None
    assert result.stdout == f"tiny: {store / 'tiny' / 'tiny.gguf'}\n"
    assert "Tiny Terms https://tiny.example/terms" in result.stderr
    assert "Be kind." in result.stderr
    assert "tiny: downloading" in result.stderr
    again = run("pull", "tiny")
    assert again.stdout == result.stdout
    assert "Tiny Terms" not in again.stderr


def test_pull_without_anybody_to_ask_needs_yes(store):
    result = run("pull", "tiny")
    assert isinstance(result.exception, LicenceError)
    assert "pull --yes tiny" in str(result.exception)
    assert not (store / "tiny").exists()


@pytest.mark.parametrize(("reply", "accepted"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_pull_asks_a_person(monkeypatch, store, reply, accepted):
    monkeypatch.setattr("ui.cli_models.sys", type("Terminal", (), {"stdin": type("In", (), {"isatty": lambda: True})}))
    result = CliRunner().invoke(app, ["pull", "tiny"], input=reply)
    assert (store / "tiny" / "tiny.gguf").exists() is accepted
    assert isinstance(result.exception, LicenceError) is not accepted


def test_pull_of_the_defaults_pulls_each_once(store):
    assert run("pull", "--yes", "--defaults", "tiny").stdout == f"tiny: {store / 'tiny' / 'tiny.gguf'}\n"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["pull"], UsageError, "--defaults"),
        (["pull", "--yes", "tinny"], UnknownModelError, "nearest is 'tiny'"),
        (["pull", "--yes", "--source", "moon", "tiny"], UsageError, "no source 'moon'"),
        (["pull", "--yes", "--source", "index", "tiny"], DownloadError, "no source 'index'"),
        (["path", "tiny"], ModelMissingError, "models pull tiny"),
        (["verify", "tiny"], ModelMissingError, "models pull tiny"),
        (["add", "nowhere.gguf"], UsageError, "nowhere.gguf cannot be read"),
    ],
)
def test_errors_reach_the_top_with_the_next_step(arguments, error, message):
    result = run(*arguments)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_verify_checks_all_that_is_here_and_reports_each(store):
    run("pull", "--yes", "tiny")
    assert run("verify").stdout == "tiny: ok\n"
    assert run("path", "tiny").stdout == f"{store / 'tiny' / 'tiny.gguf'}\n"
    (store / "tiny" / "tiny.gguf").write_bytes(b"GGUF WEIGHTS")
    result = run("verify")
    assert isinstance(result.exception, ModelHashError)
    assert result.stdout == ""
    assert "tiny: " in result.stderr


def test_add_registers_a_file_that_can_then_be_located(tmp_path):
    file = tmp_path / "Own.gguf"
    file.write_bytes(b"GGUF own")
    result = run("add", str(file), "--id", "own", "--licence", "CC0", "--kind", "reranker")
    assert result.stdout.startswith(f"own: {file} (sha256 {hashlib.sha256(b'GGUF own').hexdigest()})")
    assert run("path", "own").stdout == f"{file}\n"
    assert catalogue.find("own").licence == "CC0"
