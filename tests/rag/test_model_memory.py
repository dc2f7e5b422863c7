import pytest

from rag import catalogue, model_store
from rag.model_memory import free_memory, memory_need
from rag.settings import EngineSettings


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Registers a GGUF file of these bytes."""
    monkeypatch.setenv("MINGBAI_CATALOGUE", str(tmp_path / "models.toml"))
    monkeypatch.setenv("MINGBAI_MODELS_DIR", str(tmp_path / "models"))

    def add(content):
        file = tmp_path / "own.gguf"
        file.write_bytes(content)
        return catalogue.add(file, model_id="own")

    return add


def test_a_model_that_is_not_here_needs_at_least_its_files(own):
    card = catalogue.all_models()[0]

    need = memory_need(card, EngineSettings())

    assert (need.size, need.is_exact) == (card.size, False)


def test_a_damaged_file_is_estimated_by_its_size(own):
    card = own(b"GGUF" + b"\0" * 60)

    assert memory_need(card, EngineSettings()).size == 64
    assert not memory_need(card, EngineSettings()).is_exact


def test_free_memory_is_a_number_of_bytes_or_unknown():
    free = free_memory()

    assert free is None or free > 1_000_000


@pytest.mark.model
def test_a_longer_context_needs_more_memory(small_model_path):
    card = catalogue.find(small_model_path.parent.name)
    short = memory_need(card, EngineSettings(context_size=1024))
    long = memory_need(card, EngineSettings(context_size=8192))

    assert short.is_exact
    assert model_store.place_of(card).stat().st_size < short.size < long.size
