"""Vectors for the chunks of a snapshot: reused where nothing changed, computed where something did."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.journal import FILE, Journal, embedding_key
from rag import build, catalogue
from rag.index import VECTORS
from rag.protocols import Embedder, Vectors
from rag.settings import Settings
from rag.types import Chunk

VECTOR_KEYS = "vector_keys.txt"
# Work that is lost at most when an ingest is killed: a second or two on two cores.
EMBED_BATCH = 32
# (stage, done, total): stages are "read", "index" and "embed".
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Embedding:
    """Vectors in chunk order, shape (n, dimension), and how many of them were computed now."""

    vectors: Vectors
    computed: int


def embed_chunks(
    folder: Path,
    chunks: Sequence[Chunk],
    *,
    settings: Settings,
    embedder: Callable[[], Embedder],
    old: Path | None,
    progress: Progress,
) -> Embedding:
    """Write ``vectors.npy`` and its keys into ``folder``.

    A vector is taken from the ``old`` snapshot or from the journal of a killed ingest when model, title
    and text are the same; the model is loaded only when something is left to compute.
    """
    card = catalogue.find(settings.models.embedder)
    keys = [embedding_key(card.sha256, chunk.breadcrumb, chunk.text) for chunk in chunks]
    journal = Journal(folder.parent.parent / FILE)
    known = _stored(old) | journal.get(keys, build.dimension(settings))
    missing = [i for i, key in enumerate(keys) if key not in known]
    try:
        for done in range(0, len(missing), EMBED_BATCH):
            progress("embed", done, len(missing))
            part = [chunks[i] for i in missing[done : done + EMBED_BATCH]]
            vectors = embedder().embed_documents([c.breadcrumb for c in part], [c.text for c in part])
            fresh = {keys[i]: v for i, v in zip(missing[done : done + EMBED_BATCH], vectors, strict=True)}
            journal.put(fresh)
            known |= fresh
        progress("embed", len(missing), len(missing))
    finally:
        journal.close()
    matrix = np.array([known[key] for key in keys], dtype=np.float32).reshape(len(keys), build.dimension(settings))
    np.save(folder / VECTORS, matrix, allow_pickle=False)
    (folder / VECTOR_KEYS).write_text("\n".join(keys), encoding="ascii")
    return Embedding(matrix, len(missing))


def _stored(old: Path | None) -> dict[str, Vectors]:
    if old is None:
        return {}
    keys = (old / VECTOR_KEYS).read_text(encoding="ascii").split()
    return dict(zip(keys, np.load(old / VECTORS, allow_pickle=False), strict=True))
