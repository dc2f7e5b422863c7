"""An opened snapshot: everything that search needs, checked against its manifest."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag import build, manifest
from rag.errors import DamagedIndexError, StaleIndexError
from rag.manifest import REBUILD, Manifest
from rag.protocols import Closeable, DenseIndex, LexicalIndex, Vectors
from rag.settings import Settings
from rag.store import FILE, Store
from rag.terms import TermIndex
from rag.tokens import Tokenizer

VECTORS = "vectors.npy"
VECTOR_ROWS = "vector_rows.npy"
DENSE = "dense"
LEXICAL = "lexical"
TERMS = "terms.json"


@dataclass(frozen=True, slots=True)
class Index:
    """A snapshot that was opened for search. Rows number the chunks; ``vector_rows[i]`` is the row of ``vectors[i]``.

    The vectors of a chunk lie side by side, in the order of the rows: its own first, then those of its windows.
    """

    folder: Path
    manifest: Manifest
    store: Store
    dense: DenseIndex
    vectors: Vectors
    vector_rows: NDArray[np.int64]
    lexical: LexicalIndex
    terms: TermIndex
    tokenizer: Tokenizer

    def close(self) -> None:
        """Close the files. Idempotent."""
        self.store.close()
        if isinstance(self.dense, Closeable):
            self.dense.close()


def open_index(index_dir: Path, settings: Settings) -> Index:
    """Open the current snapshot of ``index_dir`` after checking that it is whole and fits the settings.

    Raises:
        IndexMissingError: nothing was ingested yet.
        StaleIndexError: other models, chunking or backends than the settings ask for.
        DamagedIndexError: a file is missing, cut short or changed.
    """
    snapshot = manifest.current(index_dir)
    made = manifest.read(snapshot)
    check_fresh(made, settings)
    manifest.verify(snapshot, made)
    try:
        terms = TermIndex.load(snapshot / TERMS)
        return Index(
            folder=snapshot,
            manifest=made,
            store=Store(snapshot / FILE),
            dense=build.load_dense(snapshot / DENSE, settings.dense, made.dimension),
            vectors=np.load(snapshot / VECTORS, mmap_mode="r", allow_pickle=False),
            vector_rows=np.load(snapshot / VECTOR_ROWS, allow_pickle=False),
            lexical=build.load_lexical(snapshot / LEXICAL, settings.lexical),
            terms=terms,
            tokenizer=Tokenizer(terms.names()),
        )
    except (OSError, ValueError, KeyError) as error:
        raise DamagedIndexError(f"The index in {snapshot} cannot be read ({error}). {REBUILD}") from error


def check_fresh(made: Manifest, settings: Settings) -> None:
    """Compare what the index was built with to what the settings ask for.

    Raises:
        StaleIndexError: names the first difference and the command that rebuilds.
    """
    wanted = build.fingerprint(settings)
    built = {
        "embedding model": f"{made.embedder} ({made.embedder_hash[:12]})",
        "chunker": made.chunker,
        "tokenizer": made.tokenizer,
        "dense index": f"{made.dense_backend}/{made.dense_metric}",
        "lexical index": f"{made.lexical_backend} k1={made.lexical_k1} b={made.lexical_b}",
    }
    for what, value in built.items():
        if value != wanted[what]:
            raise StaleIndexError(
                f"The index was built with {what} '{value}', but the settings ask for '{wanted[what]}'. {REBUILD}"
            )
