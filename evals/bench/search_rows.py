"""The legs of search at 100,000 chunks, and embedding, against what one would use instead."""

import statistics
from collections.abc import Sequence
from functools import partial

import numpy as np

from evals.bench.child import Child
from evals.bench.figures import Figure, alternate, cpu_seconds_of, seconds_of, spread
from evals.bench.scene import Scene
from rag import build, model_store
from rag.dense_cells import questions
from rag.dense_faiss import FaissIndex
from rag.fusion import convex
from rag.lexical import PostingsIndex
from rag.lexical_rank_bm25 import RankBM25Index
from rag.protocols import Vectors
from rag.retrieval import VECTORS_PER_CHUNK

CHUNKS = 100_000
VOCABULARY = 50_000
TOKENS = 100
QUERY_TOKENS = 12
CANDIDATES = 50
# Vectors that a chunk of real notes has (docs/decisions/0003): its own and those of its windows.
WINDOWED = 3.8
SEARCHES = 60
EMBEDDED = 12
EMBEDDED_CHARS = 400
_SEED = 0
_AT_ONCE = 10_000


def lexical(scene: Scene) -> list[Figure]:
    """BM25 with our postings against rank_bm25: the same scores, in less time."""
    rng = np.random.default_rng(_SEED)
    corpus = _corpus(rng, CHUNKS)
    scene.say("building both lexical indexes")
    ours, theirs = PostingsIndex.build(corpus), RankBM25Index.build(corpus)
    queries = iter([_words(rng, QUERY_TOKENS) for _ in range(100)])
    _check_equal(ours, theirs, _words(rng, QUERY_TOKENS))
    pair = alternate(
        lambda: cpu_seconds_of(partial(ours.search, next(queries), CANDIDATES)),
        lambda: cpu_seconds_of(partial(_library_search, theirs, next(queries))),
        7,
    )
    return [
        Figure(
            f"lexical search at {CHUNKS:,} chunks ÷ rank_bm25",
            f"{pair.ratio:.0f} × faster: {spread(pair.ours, '{:.5f}')} against {spread(pair.theirs)} s",
            f"{QUERY_TOKENS} tokens a query, {TOKENS} a chunk (Zipf's law); equal scores (checked); processor time",
            "≥ 100 ×",
            pair.ratio >= 100,
            pair.samples,
        )
    ]


def large_search(scene: Scene) -> list[Figure]:
    """Both legs and their fusion over 100,000 chunks, once with one vector a chunk and once with windows."""
    rng = np.random.default_rng(_SEED)
    own = np.array(scene.notebook.index.vectors)
    scene.say("building the indexes of 100,000 chunks")
    postings = PostingsIndex.build(_corpus(rng, CHUNKS))
    figures = []
    for vectors, name in ((CHUNKS, "one vector a chunk"), (int(CHUNKS * WINDOWED), "with windows")):
        table = _like(rng, own, vectors)
        asked = questions(table, SEARCHES, rng)
        index = FaissIndex.build(table, "cosine")
        recall = statistics.fmean(_recall(index, table, query) for query in asked)
        del table
        seconds = [_search(rng, index, postings, query) for query in asked]
        p95 = statistics.quantiles(seconds, n=20)[18]
        figures.append(
            Figure(
                f"search p95 at {CHUNKS:,} chunks beyond the embedding, {name}",
                f"{p95 * 1000:.1f} ms, {spread([s * 1000 for s in seconds], '{:.1f}')} ms",
                f"{SEARCHES} queries; cells over {vectors:,} × 768 (mixtures of the notes' own vectors, and noise; "
                f"recall of the {CANDIDATES} nearest {recall:.3f}), postings, fusion, no passages read; processor time",
                "≤ 20 ms",
                p95 <= 0.02,
                {"ours": seconds},
            )
        )
    return figures


def embedding(scene: Scene) -> list[Figure]:
    """Texts a second of our embedder against sentence-transformers with its defaults, over the same model."""
    embedder = build.make_embedder(scene.settings)
    folder = model_store.locate(scene.settings.models.embedder)

    def texts() -> list[str]:
        return [scene.fresh(EMBEDDED_CHARS) for _ in range(EMBEDDED)]

    def ours() -> float:
        chosen = texts()
        return EMBEDDED / seconds_of(lambda: embedder.embed_documents([""] * len(chosen), chosen))

    ours()
    with Child("bare_embedder.py", str(folder)) as child:
        pair = alternate(ours, lambda: EMBEDDED / float(child.ask(texts())["seconds"]), 3)
    ratio = 1 / pair.ratio
    return [
        Figure(
            "embedding, chunks/s ÷ sentence-transformers defaults",
            f"{ratio:.1f} × as many: {spread(pair.ours)} against {spread(pair.theirs)}",
            f"3 times {EMBEDDED} chunks of {EMBEDDED_CHARS} characters, in turn",
            "≥ 4 ×",
            ratio >= 4,
            pair.samples,
        )
    ]


def _corpus(rng: np.random.Generator, chunks: int) -> list[list[str]]:
    return [_words(rng, TOKENS) for _ in range(chunks)]


def _words(rng: np.random.Generator, count: int) -> list[str]:
    """Words by Zipf's law."""
    return [f"w{rank}" for rank in np.minimum(rng.zipf(1.3, count), VOCABULARY).tolist()]


def _library_search(index: RankBM25Index, query: Sequence[str]) -> object:
    """As one uses the library: all scores, then the best."""
    scores = index.scores(query)
    return np.argsort(-scores)[:CANDIDATES]


def _check_equal(ours: PostingsIndex, theirs: RankBM25Index, query: Sequence[str]) -> None:
    scores = theirs.scores(query)
    for row, score in ours.search(query, CANDIDATES):
        if abs(score - scores[row]) > 1e-9 * max(1.0, abs(score)):
            raise AssertionError(f"row {row}: {score} here, {scores[row]} in rank_bm25")


def _like(rng: np.random.Generator, own: Vectors, count: int) -> Vectors:
    """So many vectors, each a mixture of two of ``own`` with noise of half its length; of length 1."""
    made = np.empty((count, own.shape[1]), dtype=np.float32)
    for start in range(0, count, _AT_ONCE):
        rows = min(_AT_ONCE, count - start)
        one, other = rng.integers(0, len(own), (2, rows))
        share = rng.random((rows, 1), dtype=np.float32)
        noise = rng.standard_normal((rows, own.shape[1]), dtype=np.float32)
        noise *= 0.5 / np.linalg.norm(noise, axis=1, keepdims=True)
        mixed = share * own[one] + (1 - share) * own[other] + noise
        made[start : start + rows] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return made


def _recall(index: FaissIndex, table: Vectors, query: Vectors) -> float:
    """The share of the nearest that the index finds."""
    nearest = np.argpartition(-(table @ query), CANDIDATES)[:CANDIDATES]
    return len({row for row, _ in index.search(query, CANDIDATES)} & set(nearest.tolist())) / CANDIDATES


def _search(rng: np.random.Generator, index: FaissIndex, postings: PostingsIndex, query: Vectors) -> float:
    words = _words(rng, QUERY_TOKENS)

    def both() -> None:
        # As deep as rag.retrieval looks: several vectors may stand for one chunk.
        dense = index.search(query, CANDIDATES * VECTORS_PER_CHUNK)
        convex([dense, postings.search(words, CANDIDATES)], [0.6, 0.4])

    return cpu_seconds_of(both)
