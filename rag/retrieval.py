"""Search all legs, fuse what they found, and say of every passage who found it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.fusion import convex, rrf
from rag.index import Index
from rag.protocols import Embedder
from rag.settings import RetrievalSettings
from rag.types import Chunk, Leg, Passage

Ranking = list[tuple[int, float]]


@dataclass(slots=True)
class Found:
    """What each leg found for one query: (row, score) best first."""

    legs: dict[Leg, Ranking] = field(default_factory=dict)

    def ranks(self) -> dict[int, dict[Leg, int]]:
        """For each row, its rank in every leg that found it."""
        ranks: dict[int, dict[Leg, int]] = {}
        for leg, ranking in self.legs.items():
            for rank, (row, _) in enumerate(ranking, 1):
                ranks.setdefault(row, {})[leg] = rank
        return ranks


class Retrieval:
    """Hybrid search over one opened index. Holds no state between queries."""

    def __init__(self, index: Index, embedder: Embedder, settings: RetrievalSettings) -> None:
        self._index = index
        self._embedder = embedder
        self._settings = settings

    def search(self, query: str, k: int, *, leg: Leg = Leg.HYBRID) -> list[Passage]:
        """The best ``k`` passages, best first; fewer when fewer match. Empty for k = 0."""
        if k == 0:
            return []
        depth = max(k, self._settings.candidates)
        legs = (Leg.TERM, Leg.DENSE, Leg.LEXICAL) if leg is Leg.HYBRID else (leg,)
        found = Found({one: self._search_leg(one, query, depth) for one in legs})
        ranking = self._fuse(found) if leg is Leg.HYBRID else found.legs[leg]
        best = ranking[:k]
        ranks = found.ranks()
        chunks = self._index.store.chunk_rows([row for row, _ in best])
        return [
            _passage(chunk, rank, score, ranks[row])
            for rank, (chunk, (row, score)) in enumerate(zip(chunks, best, strict=True), 1)
        ]

    def _search_leg(self, leg: Leg, query: str, depth: int) -> Ranking:
        if leg is Leg.DENSE:
            return self._dense(query, depth)
        if leg is Leg.LEXICAL:
            return self._index.lexical.search(self._index.tokenizer.tokens(query), depth)
        return self._term(query, depth)

    def _dense(self, query: str, depth: int) -> Ranking:
        best: dict[int, float] = {}
        for vector, score in self._index.dense.search(self._embedder.embed_query(query), depth):
            row = int(self._index.vector_rows[vector])
            best[row] = max(score, best.get(row, score))
        return _ranked(best)

    def _term(self, query: str, depth: int) -> Ranking:
        best: dict[int, float] = {}
        for hit in self._index.terms.lookup(query, limit=depth):
            for row in self._index.terms.rows(hit):
                best[row] = max(hit.score, best.get(row, 0.0))
        return _ranked(best)[:depth]

    def _fuse(self, found: Found) -> Ranking:
        settings = self._settings
        dense, lexical = found.legs[Leg.DENSE], found.legs[Leg.LEXICAL]
        if settings.fusion == "rrf":
            fused = dict(rrf([dense, lexical], constant=settings.rrf_constant))
        else:
            fused = dict(convex([dense, lexical], [settings.dense_weight, 1 - settings.dense_weight]))
        for row, score in found.legs[Leg.TERM]:
            fused[row] = fused.get(row, 0.0) + settings.term_boost * score
        return _ranked(fused)


def _ranked(scores: dict[int, float]) -> Ranking:
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def _passage(chunk: Chunk, rank: int, score: float, found_by: dict[Leg, int]) -> Passage:
    return Passage(
        rank=rank,
        chunk_id=chunk.chunk_id,
        file=chunk.file,
        entry=chunk.entry,
        start=chunk.start,
        end=chunk.end,
        score=float(score),
        found_by=found_by,
        text=chunk.text,
        line_start=chunk.line_start,
        line_end=chunk.line_end,
        path=chunk.path,
        aliases=chunk.aliases,
        also_at=chunk.also_at,
    )


def interleave(rankings: Sequence[Ranking]) -> Ranking:
    """Take from each ranking in turn, so that every part of a question is served."""
    taken: dict[int, float] = {}
    for depth in range(max((len(r) for r in rankings), default=0)):
        for ranking in rankings:
            if depth < len(ranking) and ranking[depth][0] not in taken:
                taken[ranking[depth][0]] = ranking[depth][1]
    return list(taken.items())
