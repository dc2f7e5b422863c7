"""Rerank with a cross-encoder (bge-reranker-v2-m3 and its like) through sentence-transformers; wants a GPU."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rag.errors import ModelError
from rag.types import Leg, Passage

Scorer = Callable[[list[tuple[str, str]]], Sequence[float]]


class CrossEncoderReranker:
    """Scores question and passage together.

    Args:
        folder: the model's files; nothing is downloaded.
        scorer: used instead of the model in the folder, as tests do.

    Raises:
        ModelError: the folder holds no model that can be loaded.
    """

    def __init__(self, folder: Path, *, scorer: Scorer | None = None) -> None:
        self._score = scorer or _load(folder)

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """See ``rag.protocols.Reranker``; ties keep the order they came in."""
        if not passages:
            return []
        scores = self._score([(question, passage.text) for passage in passages])
        order = sorted(range(len(passages)), key=lambda i: -scores[i])
        return [
            replace(passages[i], rank=rank, score=float(scores[i]), found_by={**passages[i].found_by, Leg.RERANK: rank})
            for rank, i in enumerate(order, 1)
        ]


def _load(folder: Path) -> Scorer:
    from sentence_transformers import CrossEncoder

    try:
        model = CrossEncoder(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"The reranker in {folder} cannot be loaded ({error}). Run: mingbai models verify") from error

    def score(pairs: list[tuple[str, str]]) -> Sequence[float]:
        scores: Sequence[float] = model.predict(pairs, show_progress_bar=False).tolist()
        return scores

    return score
