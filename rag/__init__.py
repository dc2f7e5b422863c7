"""The reading half of Mingbai: models, indexes, retrieval, generation, grounding.

    import rag
    with rag.open(".mingbai/index") as notebook:
        answer = notebook.ask("RCG和RAG有什么区别？")

Nothing heavy is imported until a notebook is opened.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rag.settings import Settings
from rag.types import Answer, Citation, Mode, Passage, Sentence, State, Support

# torch and llama.cpp compute with OpenMP threads, which by default spin for long while they wait. Beside another busy
# program that made two threads 3 to 20 times slower (bf16 matrix products 8.0 ms against 1.3 ms); on a quiet machine a
# short spin is as fast as a long one, and none at all is 30 % slower in decoding (measured 2026-11-22 on two cores).
# OpenMP reads this when the first of these libraries is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from rag.notebook import Notebook

__all__ = ["Answer", "Citation", "Mode", "Passage", "Sentence", "Settings", "State", "Support", "open"]


def open(index_dir: str | os.PathLike[str], settings: Settings | None = None) -> "Notebook":
    """Open the notes that were ingested into ``index_dir``.

    Args:
        index_dir: the folder that ``ingest.ingest`` wrote.
        settings: as loaded from file and environment when None.

    Raises:
        IndexMissingError, StaleIndexError, DamagedIndexError: see ``rag.notebook.Notebook``.
    """
    from rag.notebook import Notebook

    return Notebook(Path(index_dir), settings)
