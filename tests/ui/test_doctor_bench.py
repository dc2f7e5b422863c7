"""``mingbai doctor --bench``: what was measured, beside the limit, and that it is kept for the engine."""

import pytest

from evals.bench import engine_rows
from rag import calibration, catalogue
from rag.settings import Settings
from ui import doctor


@pytest.fixture
def settings(tiny_model_path, tmp_path, monkeypatch):
    monkeypatch.setenv("MINGBAI_CATALOGUE", str(tmp_path / "models.toml"))
    monkeypatch.setenv("MINGBAI_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache"))
    monkeypatch.setattr(engine_rows, "_BANDWIDTH_BYTES", 1_000_000)
    monkeypatch.setattr(calibration, "candidates", lambda *_, **__: iter([{"threads": 1, "repack": False}]))
    catalogue.add(tiny_model_path, model_id="tiny")
    return Settings.model_validate({"models": {"generator": "tiny"}, "engine": {"context_size": 2048}})


def test_the_settings_are_measured_shown_and_kept(settings):
    said = []
    (finding,) = doctor.bench(settings, said.append)
    assert finding.healthy
    assert "decoding cannot exceed" in finding.message
    assert "threads=1, repack=False: prefill " in finding.message
    assert "of the limit)" in finding.message
    assert said == ["engine.threads = 1, engine.repack = false", "memory bandwidth"]
    kept = calibration.remembered(catalogue.find("tiny").sha256)
    assert kept is not None
    assert kept.best.settings == {"threads": 1, "repack": False}


def test_a_model_that_is_not_there_is_a_finding(settings, tmp_path):
    (tmp_path / "tiny.gguf").unlink(missing_ok=True)
    missing = Settings.model_validate({"models": {"generator": "qwen2.5-coder-0.5b-instruct-q4_k_m"}})
    (finding,) = doctor.bench(missing, lambda line: None)
    assert not finding.healthy
    assert "mingbai models pull" in finding.message
