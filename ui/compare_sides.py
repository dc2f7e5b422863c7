"""What a comparison sets side by side: the three modes, two models, or two values of one setting."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag import catalogue, model_store
from rag.model_card import Kind, ModelCard
from rag.model_memory import MemoryNeed, free_memory, memory_need
from rag.settings import BY_GENERATOR, Settings
from rag.types import Mode

# What the notes say first, what the model says alone last.
ORDER = (Mode.RCG, Mode.RAG, Mode.ROG)
GENERATOR = "models.generator"
RERANKER = "models.reranker"


@dataclass(frozen=True, slots=True)
class Side:
    """One way to answer. ``settings`` is None for those in force; ``changed`` is the (setting, value) it stands for."""

    key: str
    mode: Mode
    settings: Settings | None = None
    changed: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Variation:
    """A setting that a reader may want to try, with its value now and another one."""

    setting: str
    now: object
    other: object


def three_modes() -> tuple[Side, ...]:
    """The same notes and model in every mode."""
    return tuple(Side(mode.value, mode) for mode in ORDER)


def two_models(settings: Settings, other: str, mode: Mode) -> tuple[Side, Side]:
    """The model in force, and another one."""
    return _pair(settings, Variation(GENERATOR, settings.models.generator, other), mode)


def two_settings(settings: Settings, variation: Variation, mode: Mode) -> tuple[Side, Side]:
    """A setting as it is, and with another value."""
    return _pair(settings, variation, mode)


def variations(settings: Settings) -> tuple[Variation, ...]:
    """The settings worth trying on one question, each with one other value; none needs another index."""
    retrieval, generation = settings.retrieval, settings.generation
    found = [
        Variation("retrieval.k", retrieval.k, min(2 * retrieval.k, 20) if retrieval.k < 20 else 5),
        Variation("retrieval.links", retrieval.links, 0 if retrieval.links else 2),
        Variation("retrieval.fusion", retrieval.fusion, "rrf" if retrieval.fusion == "convex" else "convex"),
        Variation("generation.context_weight", generation.context_weight, 0.0 if generation.context_weight else 0.5),
        Variation("generation.answer_threshold", generation.answer_threshold, generation.answer_threshold / 2),
        Variation("generation.quotes", generation.quotes, 0 if generation.quotes else 3),
    ]
    rerankers = [*(card.id for card in _here(Kind.RERANKER)), BY_GENERATOR]
    other = "" if settings.models.reranker else rerankers[0]
    found.append(Variation(RERANKER, settings.models.reranker, other))
    return tuple(found)


def other_models(settings: Settings) -> list[str]:
    """The generators on this machine but for the one in force; none where an endpoint answers."""
    if settings.endpoint.url:
        return []
    return [card.id for card in _here(Kind.GENERATOR) if card.id != settings.models.generator]


def fits_beside(settings: Settings) -> tuple[MemoryNeed, int | None, bool]:
    """What the model of these settings needs, what memory is free, and whether it fits beside the one in force."""
    need, free = memory_need(catalogue.find(settings.models.generator), settings.engine), free_memory()
    return need, free, free is not None and need.size < free


def _pair(settings: Settings, variation: Variation, mode: Mode) -> tuple[Side, Side]:
    now, other = str(variation.now), str(variation.other)
    wanted = _with(settings, variation.setting, variation.other)
    return (
        Side("now", mode, None, (variation.setting, now)),
        Side("other", mode, wanted, (variation.setting, other)),
    )


def _with(settings: Settings, dotted: str, value: object) -> Settings:
    section, key = dotted.split(".")
    changed = getattr(settings, section).model_copy(update={key: value})
    return settings.model_copy(update={section: changed})


def _here(kind: Kind) -> Sequence[ModelCard]:
    return [card for card in catalogue.all_models() if card.kind is kind and model_store.state_of(card) != "missing"]
