"""Vectors for the units of a snapshot: reused where nothing changed, computed where something did."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.journal import FILE, Journal, embedding_key
from ingest.units import Unit
from rag import build, catalogue
from rag.index import VECTOR_ROWS, VECTORS
from rag.protocols import Embedder, Vectors
from rag.settings import Settings

VECTOR_KEYS = "vector_keys.txt"
# Work that is lost at most when an ingest is killed: a second or two on two cores.
EMBED_BATCH = 32
# (stage, done, total): stages are "read", "index" and "embed".
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Embedding:
    """Vectors in the order of the units, shape (n, dimension), and how many of them were computed now."""

    vectors: Vectors
    computed: int


def embed(
    folder: Path,
    units: Sequence[Unit],
    *,
    settings: Settings,
    embedder: Callable[[], Embedder],
    old: Path | None,
    progress: Progress,
) -> Embedding:
    """Write the vectors of ``units`` with their keys and rows into ``folder``.

    A vector is taken from the ``old`` snapshot or from the journal of a killed ingest when model, title
    and text are the same; the model is loaded only when something is left to compute.
    """
    card = catalogue.find(settings.models.embedder)
    keys = [embedding_key(card.sha256, unit.title, unit.text) for unit in units]
    journal = Journal(folder.parent.parent / FILE)
    known = _stored(old) | journal.get(keys, build.dimension(settings))
    missing = list({key: unit for key, unit in zip(keys, units, strict=True) if key not in known}.items())
    # Units of like length share a batch, over the whole ingest: padding costs, and the estimate stays honest.
    missing.sort(key=lambda pair: len(pair[1].text))
    try:
        for done in range(0, len(missing), EMBED_BATCH):
            progress("embed", done, len(missing))
            part = missing[done : done + EMBED_BATCH]
            vectors = embedder().embed_documents([unit.title for _, unit in part], [unit.text for _, unit in part])
            fresh = {key: vector for (key, _), vector in zip(part, vectors, strict=True)}
            journal.put(fresh)
            known |= fresh
        progress("embed", len(missing), len(missing))
    finally:
        journal.close()
    matrix = np.array([known[key] for key in keys], dtype=np.float32).reshape(len(keys), build.dimension(settings))
    np.save(folder / VECTORS, matrix, allow_pickle=False)
    np.save(folder / VECTOR_ROWS, np.array([unit.row for unit in units], dtype=np.int64), allow_pickle=False)
    (folder / VECTOR_KEYS).write_text("\n".join(keys), encoding="ascii")
    return Embedding(matrix, len(missing))


def _stored(old: Path | None) -> dict[str, Vectors]:
    if old is None:
        return {}
    keys = (old / VECTOR_KEYS).read_text(encoding="ascii").split()
    return dict(zip(keys, np.load(old / VECTORS, allow_pickle=False), strict=True))
