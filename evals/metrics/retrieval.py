"""Retrieval: is the evidence among the first k passages?

Gold is a file and a character span, never a chunk id, so that re-chunking cannot zero a score. An evidence may stand
at several places: ``gold[i]`` lists the spans that are equally good for evidence ``i``. A passage holds an evidence
when it covers one of its spans whole (``evals.gold.holds``).

Every measure takes ``hits``: for each passage in rank order, the set of evidence indices that it holds.
"""

import math
from collections.abc import Sequence

from evals.gold import holds
from evals.types import Case, GoldSpan, Score
from rag.types import Passage

CUT_OFFS = (1, 3, 5, 10, 20)
RANKED_CUT_OFF = 10
"""MRR and nDCG look at the first ten passages."""
NO_GOLD = "no gold evidence"

Hits = Sequence[frozenset[int]]
Gold = Sequence[Sequence[GoldSpan]]


def evidence_hits(passages: Sequence[Passage], gold: Gold) -> list[frozenset[int]]:
    """Which evidences each passage holds, in the order of the passages."""
    return [
        frozenset(i for i, spans in enumerate(gold) if any(holds(passage, span) for span in spans))
        for passage in passages
    ]


def success_at(hits: Hits, k: int) -> float:
    """1 when any evidence is among the first k, else 0."""
    return float(bool(_found(hits, k)))


def recall_at(hits: Hits, evidences: int, k: int) -> float:
    """|evidences among the first k| / |evidences|."""
    return len(_found(hits, k)) / evidences


def precision_at(hits: Hits, k: int) -> float:
    """|passages among the first k that hold an evidence| / k; missing passages count as wrong."""
    return sum(bool(hit) for hit in hits[:k]) / k


def all_evidence_at(hits: Hits, evidences: int, k: int) -> float:
    """1 when every evidence is among the first k, else 0."""
    return float(len(_found(hits, k)) == evidences)


def reciprocal_rank(hits: Hits, k: int = RANKED_CUT_OFF) -> float:
    """1 / rank of the first passage that holds an evidence, 0 beyond k (Voorhees, 1999)."""
    return next((1 / rank for rank, hit in enumerate(hits[:k], start=1) if hit), 0.0)


def ndcg(hits: Hits, evidences: int, k: int = RANKED_CUT_OFF) -> float:
    """Discounted gain of the evidences over its ideal (Järvelin and Kekäläinen, 2002), in 0..1.

    An evidence counts once, where it is found first: Σ 1/log2(slot + 1). Its slot is the rank of its passage, or the
    next free slot when that passage holds several, so that one passage with both evidences at rank 1 is perfect.
    """
    found: set[int] = set()
    slot, gain = 0, 0.0
    for rank, hit in enumerate(hits[:k], start=1):
        for _ in hit - found:
            slot = max(slot + 1, rank)
            gain += 1 / math.log2(slot + 1)
        found |= hit
    return gain / sum(1 / math.log2(i + 1) for i in range(1, evidences + 1))


def recall_at_budget(hits: Hits, evidences: int, token_counts: Sequence[int], budget: int) -> float:
    """The recall of the passages that fit a prompt of ``budget`` tokens, taken in rank order until one does not fit."""
    used, k = 0, 0
    for count in token_counts[: len(hits)]:
        if used + count > budget:
            break
        used, k = used + count, k + 1
    return recall_at(hits, evidences, k)


def retrieval_scores(
    case: Case, passages: Sequence[Passage], gold: Gold, *, cut_offs: Sequence[int] = CUT_OFFS
) -> list[Score]:
    """All retrieval measures of one ranked list.

    ``evidence_recall@k`` is all-evidence for comparison and multi-hop questions, any-evidence for the others.
    All are undefined for a case without gold.
    """
    if not gold:
        return [Score(name, None, NO_GOLD) for name in metric_names(cut_offs)]
    hits, n = evidence_hits(passages, gold), len(gold)
    scores = []
    for k in cut_offs:
        complete = all_evidence_at(hits, n, k)
        scores += [
            Score(f"success@{k}", success_at(hits, k)),
            Score(f"recall@{k}", recall_at(hits, n, k)),
            Score(f"precision@{k}", precision_at(hits, k)),
            Score(f"all_evidence@{k}", complete),
            Score(f"evidence_recall@{k}", complete if case.needs_all_evidence else success_at(hits, k)),
        ]
    scores.append(Score(f"mrr@{RANKED_CUT_OFF}", reciprocal_rank(hits)))
    scores.append(Score(f"ndcg@{RANKED_CUT_OFF}", ndcg(hits, n)))
    return scores


def budget_scores(
    passages: Sequence[Passage], gold: Gold, token_counts: Sequence[int], budgets: Sequence[int]
) -> list[Score]:
    """``recall@{budget}tokens`` for each budget; ``token_counts`` belong to the passages in order."""
    if not gold:
        return [Score(f"recall@{budget}tokens", None, NO_GOLD) for budget in budgets]
    hits = evidence_hits(passages, gold)
    return [Score(f"recall@{b}tokens", recall_at_budget(hits, len(gold), token_counts, b)) for b in budgets]


def metric_names(cut_offs: Sequence[int] = CUT_OFFS) -> list[str]:
    """The names that ``retrieval_scores`` gives, in its order."""
    kinds = ("success", "recall", "precision", "all_evidence", "evidence_recall")
    return [f"{kind}@{k}" for k in cut_offs for kind in kinds] + [f"mrr@{RANKED_CUT_OFF}", f"ndcg@{RANKED_CUT_OFF}"]


def _found(hits: Hits, k: int) -> frozenset[int]:
    return frozenset().union(*hits[:k]) if k > 0 else frozenset()
