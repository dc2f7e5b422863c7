"""Choosing engine settings by measurement, on the tiny model."""

import json
import math

import pytest

from rag import build, calibration, catalogue
from rag.calibration import Calibration, Trial
from rag.engine import LlamaEngine
from rag.errors import EngineError
from rag.processor import cores
from rag.settings import EngineSettings, Settings

SETTINGS = EngineSettings(context_size=2048)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache"))
    return tmp_path / "cache" / "calibration.json"


def test_the_fastest_candidate_wins_and_all_are_told(tiny_model_path):
    said = []
    found = calibration.measure(tiny_model_path, "h", SETTINGS, has_gpu=False, say=said.append)
    assert len(found.trials) == len(said) == len(list(calibration.candidates(cores(), has_gpu=False)))
    assert found.best.seconds == min(trial.seconds for trial in found.trials) < 60
    assert all("engine.threads" in line for line in said)


def test_a_candidate_that_crashes_only_loses(tiny_model_path, monkeypatch):
    monkeypatch.setattr(calibration, "candidates", lambda *_, **__: iter([{"threads": 1}, {"threads": 2}]))
    engine = calibration.IsolatedEngine

    def crashing(path, **options):
        return engine("/none.gguf" if options["settings"].threads == 2 else path, **options)

    monkeypatch.setattr(calibration, "IsolatedEngine", crashing)
    found = calibration.measure(tiny_model_path, "h", SETTINGS, has_gpu=False, say=lambda line: None)
    assert found.best.settings == {"threads": 1}
    assert (found.trials[1].prefill, math.isinf(found.trials[1].seconds)) == (None, True)
    assert "no model file" in found.trials[1].reason


def test_nothing_that_works_is_an_error(tmp_path):
    with pytest.raises(EngineError, match="No engine settings work here: There is no model file"):
        calibration.measure(tmp_path / "none", "h", SETTINGS, has_gpu=False, say=lambda line: None)


def test_a_gpu_is_tried_where_the_library_can_use_one():
    with_gpu = list(calibration.candidates(4, has_gpu=True))
    assert with_gpu[0]["gpu_layers"] == -1
    assert with_gpu[1:] == list(calibration.candidates(4, has_gpu=False))
    assert [chosen["threads"] for chosen in with_gpu[1:]] == [4, 4, 2, 2]
    assert list(calibration.candidates(1, has_gpu=False)) == [
        {"threads": 1, "repack": False},
        {"threads": 1, "repack": True},
    ]


def test_what_was_measured_is_remembered_by_model_and_machine(cache, monkeypatch):
    assert calibration.remembered("h") is None
    calibration.remember("h", Calibration((Trial({"threads": 3}, 10.0, 5.0), Trial({"threads": 1}, None, None, "no"))))
    calibration.remember("other", Calibration((Trial({"threads": 1}, 1.0, 1.0),)))
    assert calibration.remembered("h").best == Trial({"threads": 3}, 10.0, 5.0)
    assert calibration.remembered("unknown") is None
    monkeypatch.setattr("platform.node", lambda: "another machine")
    assert calibration.remembered("h") is None
    cache.write_text("{")
    assert calibration.remembered("h") is None


def test_the_engine_takes_it_only_when_it_is_asked_for(cache, tiny_model_path, tmp_path, monkeypatch):
    monkeypatch.setenv("MINGBAI_CATALOGUE", str(tmp_path / "models.toml"))
    monkeypatch.setenv("MINGBAI_MODELS_DIR", str(tmp_path / "models"))
    card = catalogue.add(tiny_model_path, model_id="tiny")
    calibration.remember(card.sha256, Calibration((Trial({"threads": 1, "repack": False}, 9.0, 9.0),)))
    used = []
    monkeypatch.setattr(LlamaEngine, "__init__", lambda self, path, **options: used.append(options["settings"]))
    for calibrate in (False, True):
        build.make_generator(
            Settings.model_validate({"models": {"generator": "tiny"}, "engine": {"calibrate": calibrate, "threads": 7}})
        )
    assert [settings.threads for settings in used] == [7, 1]
    assert json.loads(cache.read_text())
