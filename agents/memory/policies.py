"""Which earlier turns a question needs, within a token budget. All policies return turns in the order of time.

LastN keeps the newest, RelevantN the most similar, Hybrid one or two of the newest and the most similar ones. Relevance
is the cosine of the question with the vector of a whole turn (question and answer).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.memory.store import Turn
from rag.errors import UsageError
from rag.followup import standalone
from rag.protocols import Embedder, Vectors

# The most recent turns that hybrid keeps when the question goes on with them.
RECENT = 2
# Turns less similar than this say nothing about the question (docs/agents-reasoning.md says what is measured).
MIN_SIMILARITY = 0.3
# Below this similarity with the last turn a question that does not point back has changed the topic.
SAME_TOPIC = 0.3

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Recall:
    """The chosen turns, oldest first, what they cost, how many were left out for the budget, and the topic verdict."""

    turns: tuple[Turn, ...]
    tokens: int
    left_out: int = 0
    is_new_topic: bool = False

    @property
    def history(self) -> list[tuple[str, str]]:
        """Pairs of question and answer, as ``Notebook.ask`` takes them."""
        return [(turn.question, turn.answer) for turn in self.turns]


class Policy(Protocol):
    """Chooses turns. One contract holds for all: order of time, no turn twice, never more tokens than the budget."""

    def recall(self, turns: Sequence[Turn], question: str, budget: int, count: CountTokens) -> Recall:
        """Choose among ``turns`` (oldest first) for ``question``, at most ``budget`` tokens by ``count``.

        Raises:
            UsageError: a negative budget.
        """


class VectorStore(Protocol):
    """Keeps the vector of a turn, so that a turn is embedded once: a ``TurnStore``, or ``KeptVectors``."""

    def vectors(self, turns: Sequence[Turn], model: str) -> dict[int, Vectors]:
        """The kept vectors of turns under one embedding model, by turn id; missing ones are left out."""

    def keep_vectors(self, vectors: dict[int, Vectors], model: str) -> None:
        """Keep vectors by turn id; existing ones are replaced."""


class KeptVectors:
    """A VectorStore that lives as long as the process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], Vectors] = {}

    def vectors(self, turns: Sequence[Turn], model: str) -> dict[int, Vectors]:
        """As VectorStore."""
        found = {turn.turn_id: self._kept.get((turn.turn_id, model)) for turn in turns}
        return {turn_id: vector for turn_id, vector in found.items() if vector is not None}

    def keep_vectors(self, vectors: dict[int, Vectors], model: str) -> None:
        """As VectorStore."""
        self._kept |= {(turn_id, model): vector for turn_id, vector in vectors.items()}


@dataclass(frozen=True, slots=True)
class LastN:
    """The newest ``n`` turns: last in, first out of the store."""

    n: int = 6

    def recall(self, turns: Sequence[Turn], question: str, budget: int, count: CountTokens) -> Recall:
        """The newest turns until ``n`` or the budget is reached; see Policy."""
        del question  # the newest turns are the same for every question
        wanted = list(reversed(turns))[: max(self.n, 0)]
        return fit(wanted, budget, count, stop_at_first=True)


class RelevantN:
    """The ``n`` turns that are most similar to the question, however old.

    Args:
        embedder: makes the vectors.
        store: keeps them, so that a turn is embedded once.
        n: at most so many turns.
        min_similarity: cosine below which a turn is not relevant.
    """

    def __init__(
        self, embedder: Embedder, store: VectorStore, n: int = 6, *, min_similarity: float = MIN_SIMILARITY
    ) -> None:
        self._embedder = embedder
        self._store = store
        self._n = n
        self._min_similarity = min_similarity

    def recall(self, turns: Sequence[Turn], question: str, budget: int, count: CountTokens) -> Recall:
        """The most similar turns until ``n`` or the budget is reached; see Policy."""
        return fit(self.ranked(turns, question)[: max(self._n, 0)], budget, count)

    def ranked(self, turns: Sequence[Turn], question: str) -> list[Turn]:
        """The relevant turns, most similar first; of equal ones the newer first."""
        scores = self.similarities(turns, question)
        relevant = [turn for turn in turns if scores[turn.turn_id] >= self._min_similarity]
        return sorted(relevant, key=lambda turn: (-scores[turn.turn_id], -turn.turn_id))

    def similarities(self, turns: Sequence[Turn], question: str) -> dict[int, float]:
        """The cosine of the question with each turn, by turn id. New turns are embedded and kept."""
        if not turns:
            return {}
        model = self._embedder.model_hash
        vectors = self._store.vectors(turns, model)
        new = [turn for turn in turns if turn.turn_id not in vectors]
        if new:
            made = self._embedder.embed_documents([""] * len(new), [turn.text for turn in new])
            fresh = {turn.turn_id: vector for turn, vector in zip(new, made, strict=True)}
            self._store.keep_vectors(fresh, model)
            vectors |= fresh
        query = self._embedder.embed_query(question)
        return {turn.turn_id: float(query @ vectors[turn.turn_id]) for turn in turns}


class Hybrid:
    """The last one or two turns when the question goes on with them, then the most similar ones.

    A question that neither points back nor resembles the last turn begins a new topic: then only relevant turns count.
    """

    def __init__(self, relevant: RelevantN, *, recent: int = RECENT, same_topic: float = SAME_TOPIC) -> None:
        self._relevant = relevant
        self._recent = recent
        self._same_topic = same_topic

    def recall(self, turns: Sequence[Turn], question: str, budget: int, count: CountTokens) -> Recall:
        """Recent turns first, relevant ones with what is left of the budget; see Policy."""
        if not turns:
            return fit([], budget, count)
        last = turns[-1]
        points_back = standalone(question, [(last.question, last.answer)]) != question
        similar = self._relevant.similarities(turns, question)
        is_new = not points_back and similar[last.turn_id] < self._same_topic
        recent = [] if is_new else list(reversed(turns[-self._recent :]))
        ranked = self._relevant.ranked(turns, question)
        wanted = [*recent[:1], *ranked[:1], *recent[1:], *ranked[1:]]
        return fit(list(dict.fromkeys(wanted)), budget, count, is_new_topic=is_new)


def fit(
    wanted: Sequence[Turn],
    budget: int,
    count: CountTokens,
    *,
    stop_at_first: bool = False,
    is_new_topic: bool = False,
) -> Recall:
    """Take turns in the given order while they fit, and put them back in the order of time.

    Args:
        wanted: most wanted first, none twice.
        budget: tokens.
        count: of a text.
        stop_at_first: end at the first turn that does not fit, instead of trying smaller ones.
        is_new_topic: passed on.

    Raises:
        UsageError: a negative budget.
    """
    if budget < 0:
        raise UsageError(f"A token budget of {budget} is negative.")
    chosen: list[Turn] = []
    used = 0
    for turn in wanted:
        cost = count(turn.text)
        if used + cost <= budget:
            chosen.append(turn)
            used += cost
        elif stop_at_first:
            break
    ordered = tuple(sorted(chosen, key=lambda turn: turn.turn_id))
    return Recall(ordered, used, len(wanted) - len(chosen), is_new_topic)
