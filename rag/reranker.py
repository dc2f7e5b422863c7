"""Cross-encoder reranking: question and passage are read together (Nogueira and Cho, 2019)."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import ModelError, ModelMissingError
from rag.types import Leg, Passage

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

# So many passages of a search are reranked.
DEPTH = 20
# Few enough for a laptop with pairs of 500 tokens; the library sorts pairs by length.
BATCH = 8


class CrossEncoderReranker:
    """A Reranker over a local cross-encoder folder. Safe for use from several threads; loads at first use.

    Nothing is ever fetched and no code of the folder is run.

    Raises:
        ModelMissingError: the folder holds no model.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise ModelMissingError(
                f"{folder} holds no reranker. Run: mingbai models pull {folder.name}, or set models.reranker to ''."
            )
        self._folder = folder
        self._model: CrossEncoder | None = None
        self._lock = threading.Lock()

    def rerank(
        self, question: str, passages: Sequence[Passage], check: Callable[[], None] = lambda: None
    ) -> list[Passage]:
        """The same passages, best first; scores are what the model gives, for bge rerankers in 0..1.

        A passage is read with its breadcrumb: a section called "Notes" means little without it. All are read at once,
        so ``check`` is called, and may raise, only before.

        Raises:
            ModelError: the files cannot be read, or the model is no reranker.
        """
        if not passages:
            return []
        check()
        pairs = [(question, "\n".join([" > ".join(passage.path), passage.text]).strip()) for passage in passages]
        scores = self._loaded().predict(pairs, batch_size=BATCH, show_progress_bar=False)
        return reorder(passages, [float(score) for score in scores])

    def _loaded(self) -> "CrossEncoder":
        with self._lock:
            if self._model is None:
                self._model = _load(self._folder)
            return self._model


def reorder(passages: Sequence[Passage], scores: Sequence[float]) -> list[Passage]:
    """Passages by falling score, equal ones in the order given, with rank, score and RERANK leg rewritten."""
    return placed(sorted(zip(passages, scores, strict=True), key=lambda scored: -scored[1]))


def placed(scored: Iterable[tuple[Passage, float]]) -> list[Passage]:
    """Passages in the order given, with rank, score and RERANK leg rewritten."""
    return [
        replace(passage, rank=rank, score=score, found_by={**passage.found_by, Leg.RERANK: rank})
        for rank, (passage, score) in enumerate(scored, 1)
    ]


def _load(folder: Path) -> "CrossEncoder":
    from rag.torch_runtime import compute_type, pick_device, quiet_loading

    device = pick_device()
    try:
        with quiet_loading():
            from sentence_transformers import CrossEncoder

            model: CrossEncoder = CrossEncoder(
                str(folder),
                device=str(device),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": compute_type(device), "use_safetensors": True},
            )
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            f"The reranker in {folder} cannot be loaded: {error}. Run: mingbai models verify {folder.name}"
        ) from error
    if model.num_labels != 1:
        raise ModelError(
            f"The model in {folder} gives {model.num_labels} scores for a pair; a reranker gives one. "
            "Set models.reranker to another model."
        )
    return model
