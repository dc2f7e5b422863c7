"""Search all legs, fuse what they found, and say of every passage who found it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rag.fusion import convex, ordered, rrf
from rag.index import Index
from rag.protocols import Embedder, Reranker, Vectors
from rag.reranker import DEPTH
from rag.settings import RetrievalSettings
from rag.types import Chunk, Focus, Leg, Passage
from rag.windows import windows

Ranking = list[tuple[int, float]]
# Vectors to ask for per chunk wanted, since a chunk and its windows may all be near.
VECTORS_PER_CHUNK = 4
# Names are followed from so many of the best passages, when they are rare enough to mean their entry, and what
# they lead to comes after so many passages (docs/decisions/0004-linked-entries.md).
LINK_FROM = 3
LINK_PLACE = 3
LINK_MIN_RARITY = 0.7
LINKS_READ = 40


@dataclass(slots=True)
class Found:
    """What was found for one query: each leg's (row, score) best first, and the query's vector once it was needed."""

    legs: dict[Leg, Ranking] = field(default_factory=dict)
    vector: Vectors | None = None

    def ranks(self) -> dict[int, dict[Leg, int]]:
        """For each row, its rank in every leg that found it."""
        ranks: dict[int, dict[Leg, int]] = {}
        for leg, ranking in self.legs.items():
            for rank, (row, _) in enumerate(ranking, 1):
                ranks.setdefault(row, {})[leg] = rank
        return ranks


class Retrieval:
    """Hybrid search over one opened index, reranked when a reranker is set. Holds no state between queries."""

    def __init__(
        self, index: Index, embedder: Embedder, settings: RetrievalSettings, reranker: Reranker | None = None
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._settings = settings
        self._reranker = reranker

    def search(
        self, query: str, k: int, *, leg: Leg = Leg.HYBRID, check: Callable[[], None] = lambda: None
    ) -> list[Passage]:
        """The best ``k`` passages, best first; fewer when fewer match. Empty for k = 0. ``check`` is the reranker's."""
        if k == 0:
            return []
        if leg is Leg.HYBRID and self._reranker is not None:
            return self._reranker.rerank(query, self._fused(query, max(k, DEPTH), leg), check)[:k]
        return self._fused(query, k, leg)

    def focused(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """Passages that no search found, with the parts of them that meet the question."""
        return [passage if passage.focus else self._met(question, passage) for passage in passages]

    def _met(self, question: str, passage: Passage) -> Passage:
        spans = windows(passage.text) or [(0, len(passage.text))]
        titles = [" > ".join(passage.path)] * len(spans)
        vectors = self._embedder.embed_documents(titles, [passage.text[start:end] for start, end in spans])
        similar = vectors @ self._embedder.embed_query(question)
        near = [
            Focus(passage.start + start, passage.start + end, float(score))
            for (start, end), score in zip(spans, similar, strict=True)
        ]
        return replace(passage, focus=tuple(sorted(near, key=lambda part: (-part.score, part.start))))

    def _fused(self, query: str, k: int, leg: Leg) -> list[Passage]:
        depth = max(k, self._settings.candidates)
        legs = (Leg.TERM, Leg.DENSE, Leg.LEXICAL) if leg is Leg.HYBRID else (leg,)
        found = Found()
        for one in legs:
            found.legs[one] = self._search_leg(one, query, depth, found)
        ranking = self._link(self._fuse(found), found) if leg is Leg.HYBRID else found.legs[leg]
        best = ranking[:k]
        ranks = found.ranks()
        chunks = self._index.store.chunk_rows([row for row, _ in best])
        return [
            Passage.of(
                chunk,
                rank=rank,
                score=float(score),
                found_by=ranks[row],
                focus=self._focus(chunk, row, found),
            )
            for rank, (chunk, (row, score)) in enumerate(zip(chunks, best, strict=True), 1)
        ]

    def _search_leg(self, leg: Leg, query: str, depth: int, found: Found) -> Ranking:
        if leg is Leg.DENSE:
            return self._dense(query, depth, found)
        if leg is Leg.LEXICAL:
            return self._index.lexical.search(self._index.tokenizer.tokens(query), depth)
        return self._term(query, depth)

    def _dense(self, query: str, depth: int, found: Found) -> Ranking:
        """Several vectors may stand for one chunk; the nearest counts."""
        found.vector = self._embedder.embed_query(query)
        best: dict[int, float] = {}
        for vector, score in self._index.dense.search(found.vector, depth * VECTORS_PER_CHUNK):
            row = int(self._index.vector_rows[vector])
            best[row] = max(score, best.get(row, score))
        return ordered(best)[:depth]

    def _similar(self, row: int, query: Vectors) -> list[float]:
        """The cosines of the query with the vectors of a chunk: its own, then those of its windows."""
        first, last = np.searchsorted(self._index.vector_rows, [row, row + 1])
        return list((self._index.vectors[first:last] @ query).tolist())

    def _focus(self, chunk: Chunk, row: int, found: Found) -> tuple[Focus, ...]:
        """The windows of a chunk, or all of a short one, nearest first; none where the query was not embedded."""
        if found.vector is None:
            return ()
        spans = windows(chunk.text)
        similar = self._similar(row, found.vector)[1 if spans else 0 :]
        near = [
            Focus(chunk.start + start, chunk.start + end, score)
            for (start, end), score in zip(spans or [(0, len(chunk.text))], similar, strict=True)
        ]
        return tuple(sorted(near, key=lambda part: (-part.score, part.start)))

    def _term(self, query: str, depth: int) -> Ranking:
        best: dict[int, float] = {}
        for hit in self._index.terms.lookup(query, limit=depth):
            for row in self._index.terms.rows(hit):
                best[row] = max(hit.score, best.get(row, 0.0))
        return ordered(best)[:depth]

    def _link(self, ranking: Ranking, found: Found) -> Ranking:
        """Follow names in the best passages to their own entries: the second step of a two-step question.

        The linked chunks most similar to the query take the places from LINK_PLACE on. An entry that has a passage
        among the first already is nowhere new.
        """
        first = [row for row, _ in ranking[:LINK_FROM]]
        near = {row for row, _ in ranking[:LINK_PLACE]}
        terms = self._index.terms
        named: set[int] = set()
        for chunk in self._index.store.chunk_rows(first):
            for hit in terms.lookup(chunk.text, limit=LINKS_READ):
                rows = terms.rows(hit)
                if hit.exact and hit.score >= LINK_MIN_RARITY and near.isdisjoint(rows):
                    named.update(rows)
        if not named or found.vector is None:
            return ranking
        best = ordered({row: max(self._similar(row, found.vector)) for row in named})[: self._settings.links]
        found.legs[Leg.LINK] = best
        chosen = {row for row, _ in best}
        rest = [pair for pair in ranking if pair[0] not in chosen]
        ceiling = rest[LINK_PLACE - 1][1] if len(rest) >= LINK_PLACE else 0.0
        return [*rest[:LINK_PLACE], *((row, ceiling) for row, _ in best), *rest[LINK_PLACE:]]

    def _fuse(self, found: Found) -> Ranking:
        settings = self._settings
        dense, lexical = found.legs[Leg.DENSE], found.legs[Leg.LEXICAL]
        if settings.fusion == "rrf":
            fused = dict(rrf([dense, lexical], constant=settings.rrf_constant))
        else:
            fused = dict(convex([dense, lexical], [settings.dense_weight, 1 - settings.dense_weight]))
        for row, score in found.legs[Leg.TERM]:
            fused[row] = fused.get(row, 0.0) + settings.term_boost * score
        return ordered(fused)
