"""How much memory a model will need, before it is loaded."""

from dataclasses import dataclass

from rag import model_store
from rag.errors import EngineError
from rag.gguf import available_memory, estimate_memory
from rag.model_card import ModelCard
from rag.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes that a model needs. ``is_exact`` is False where only its weights are known; then it is the least."""

    size: int
    is_exact: bool


def memory_need(card: ModelCard, settings: EngineSettings) -> MemoryNeed:
    """Weights, cache and buffers of a GGUF that is here; else the size of its files. Nothing is loaded."""
    place = model_store.place_of(card)
    if card.layout == "gguf" and place.is_file():
        try:
            return MemoryNeed(estimate_memory(place, settings.context_size, settings.kv_type), is_exact=True)
        except EngineError:
            # A damaged file is reported where it is checked, not where it is listed.
            return MemoryNeed(card.size, is_exact=False)
    return MemoryNeed(card.size, is_exact=False)


def free_memory() -> int | None:
    """Bytes that can be used without swapping; None where the system does not tell."""
    return available_memory()
