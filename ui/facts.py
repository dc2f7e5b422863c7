"""What the page says about the notes that are open."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.notebook import Notebook

SUGGESTIONS = 4
# Longer titles are sentences, not names that a person would ask for.
_SUGGESTION_CHARS = 24


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page says about the notes. ``suggestions`` are names of entries spread over the notes."""

    documents: int
    entries: int
    chunks: int
    created: str
    model: str
    suggestions: tuple[str, ...]


def facts_of(notebook: "Notebook") -> Facts:
    """What the page says about these notes."""
    made = notebook.index.manifest
    settings = notebook.settings
    names = [e.title for e in notebook.entries() if not e.is_empty and 1 < len(e.title) <= _SUGGESTION_CHARS]
    step = max(len(names) // SUGGESTIONS, 1)
    return Facts(
        documents=made.documents,
        entries=made.entries,
        chunks=made.chunks,
        created=made.created,
        model=settings.endpoint.model or settings.models.generator,
        suggestions=tuple(dict.fromkeys(names[::step]))[:SUGGESTIONS],
    )
