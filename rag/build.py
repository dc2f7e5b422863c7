"""The composition root: the only module that names backends. Everything heavy is imported when it is used."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag import catalogue, model_store
from rag.model_card import ModelCard
from rag.protocols import DenseIndex, Embedder, Generator, LexicalIndex, Reranker, Vectors
from rag.settings import BY_GENERATOR, DenseSettings, EngineSettings, LexicalSettings, Settings
from rag.tokens import TOKENIZER_VERSION

if TYPE_CHECKING:
    from rag.engine import LlamaEngine
    from rag.lexical import PostingsIndex
    from rag.lexical_rank_bm25 import RankBM25Index


def make_embedder(settings: Settings) -> Embedder:
    """The embedding model that the settings name.

    Raises:
        ModelMissingError, ModelHashError: its files are not there or not the allowed ones.
    """
    from rag.embedder import SentenceTransformerEmbedder

    card = catalogue.find(settings.models.embedder)
    return SentenceTransformerEmbedder(
        model_store.locate(card.id),
        model_id=card.id,
        model_hash=card.sha256,
        query_prompt=card.prompts["query"],
        document_template=card.prompts["document"],
        missing_title=card.prompts.get("title", ""),
    )


def make_generator(settings: Settings) -> Generator:
    """The remote endpoint when one is set, else the in-process engine.

    Raises:
        ModelMissingError, ModelHashError: the model's file is not there or not the allowed one.
    """
    if settings.endpoint.url:
        from rag.endpoint import EndpointGenerator

        return EndpointGenerator(settings.endpoint)
    if settings.engine.isolated:
        from rag.isolated_engine import IsolatedEngine

        card, path, engine = _chosen_engine(settings)
        return IsolatedEngine(path, model_id=card.id, model_hash=card.sha256, settings=engine)
    return make_engine(settings)


def make_engine(settings: Settings) -> "LlamaEngine":
    """The engine in this process, whatever else the settings say.

    Raises:
        ModelMissingError, ModelHashError: the model's file is not there or not the allowed one.
    """
    from rag.engine import LlamaEngine

    card, path, engine = _chosen_engine(settings)
    return LlamaEngine(path, model_id=card.id, model_hash=card.sha256, settings=engine)


def _chosen_engine(settings: Settings) -> tuple[ModelCard, Path, EngineSettings]:
    """The model, its file, and the engine's settings, calibrated where they ask for it."""
    card = catalogue.find(settings.models.generator)
    path = model_store.locate(card.id)
    engine = settings.engine
    if engine.calibrate:
        from rag.calibration import calibrated

        engine = calibrated(path, card.sha256, engine, has_gpu=supports_gpu_offload())
    return card, path, engine


def make_reranker(settings: Settings, generator: Callable[[], Generator]) -> Reranker | None:
    """The cross-encoder that the settings name, or the generator itself; None when they name none.

    Raises:
        ModelMissingError, ModelHashError: its files are not there or not the allowed ones.
    """
    if settings.models.reranker == BY_GENERATOR:
        from rag.query_likelihood import QueryLikelihoodReranker

        return QueryLikelihoodReranker(generator)
    if not settings.models.reranker:
        return None
    from rag.reranker import CrossEncoderReranker

    return CrossEncoderReranker(model_store.locate(settings.models.reranker))


def write_dense(folder: Path, vectors: Vectors, settings: DenseSettings) -> None:
    """Build and save a dense index over ``vectors`` (n, dimension) in row order."""
    if settings.backend == "chroma":
        from rag.dense_chroma import ChromaIndex

        ChromaIndex.build(folder, vectors, settings.metric).close()
        return
    from rag.dense_faiss import FaissIndex

    folder.mkdir()
    FaissIndex.build(vectors, settings.metric).save(folder / "flat.faiss")


def load_dense(folder: Path, settings: DenseSettings, dimension: int) -> DenseIndex:
    """Open a saved dense index.

    Raises:
        DamagedIndexError: it cannot be read.
    """
    if settings.backend == "chroma":
        from rag.dense_chroma import ChromaIndex

        return ChromaIndex.load(folder, settings.metric, dimension)
    from rag.dense_faiss import FaissIndex

    return FaissIndex.load(folder / "flat.faiss", settings.metric, dimension).on_gpu()


def write_lexical(folder: Path, token_lists: Sequence[Sequence[str]], settings: LexicalSettings) -> None:
    """Build and save a lexical index over the chunks' tokens in row order."""
    _lexical(settings).build(token_lists, k1=settings.k1, b=settings.b).save(folder)


def load_lexical(folder: Path, settings: LexicalSettings) -> LexicalIndex:
    """Open a saved lexical index.

    Raises:
        DamagedIndexError: it cannot be read.
    """
    index: LexicalIndex = _lexical(settings).load(folder)
    return index


def _lexical(settings: LexicalSettings) -> "type[PostingsIndex | RankBM25Index]":
    if settings.backend == "rank_bm25":
        from rag.lexical_rank_bm25 import RankBM25Index

        return RankBM25Index
    from rag.lexical import PostingsIndex

    return PostingsIndex


def supports_gpu_offload() -> bool:
    """Whether this llama.cpp was built with a GPU backend."""
    from rag import llama_adapter

    return llama_adapter.supports_gpu_offload()


def dimension(settings: Settings) -> int:
    """The length of the embedder's vectors, without loading it."""
    return catalogue.find(settings.models.embedder).dimension or 0


def chunker_name(settings: Settings) -> str:
    """The chunk settings as one line."""
    chunk = settings.chunk
    return f"max={chunk.max_chars} target={chunk.target_chars} overlap={chunk.overlap_sentences}"


def fingerprint(settings: Settings) -> dict[str, str]:
    """What an index built with these settings is made of, by part."""
    card = catalogue.find(settings.models.embedder)
    return {
        "embedding model": f"{card.id} ({card.sha256[:12]})",
        "chunker": chunker_name(settings),
        "tokenizer": str(TOKENIZER_VERSION),
        "dense index": f"{settings.dense.backend}/{settings.dense.metric}",
        "lexical index": f"{settings.lexical.backend} k1={settings.lexical.k1} b={settings.lexical.b}",
    }
