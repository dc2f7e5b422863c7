"""The reading half of Mingbai: models, indexes, retrieval, generation, grounding.

    import rag
    with rag.open(".mingbai/index") as notebook:
        answer = notebook.ask("RCG和RAG有什么区别？")

Nothing heavy is imported until a notebook is opened.
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from rag.settings import Settings
from rag.types import Answer, Citation, Mode, Passage, Sentence, State, Support

if TYPE_CHECKING:
    from rag.notebook import Notebook

__all__ = ["Answer", "Citation", "Mode", "Passage", "Sentence", "Settings", "State", "Support", "open"]


def open(index_dir: str | PathLike[str], settings: Settings | None = None) -> "Notebook":
    """Open the notes that were ingested into ``index_dir``.

    Args:
        index_dir: the folder that ``ingest.ingest`` wrote.
        settings: as loaded from file and environment when None.

    Raises:
        IndexMissingError, StaleIndexError, DamagedIndexError: see ``rag.notebook.Notebook``.
    """
    from rag.notebook import Notebook

    return Notebook(Path(index_dir), settings)
