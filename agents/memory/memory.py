"""One conversation's memory: what was said is stored, what a question needs is recalled."""

from collections.abc import Callable

from agents.memory.policies import Policy, Recall
from agents.memory.store import Turn, TurnStore

# Leaves most of a 4,096-token context to the notes and the answer.
DEFAULT_BUDGET = 600


class Memory:
    """The memory of one conversation.

    Args:
        store: keeps all turns.
        policy: chooses among them.
        count_tokens: of a text, such as ``Generator.count_tokens``.
        conversation: which one.
        budget: tokens that recalled turns may cost together.
    """

    def __init__(
        self,
        store: TurnStore,
        policy: Policy,
        count_tokens: Callable[[str], int],
        *,
        conversation: str = "default",
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        self._store = store
        self._policy = policy
        self._count = count_tokens
        self._conversation = conversation
        self._budget = budget

    def remember(self, question: str, answer: str) -> Turn:
        """Store a turn. Raises UsageError when the question is empty."""
        return self._store.add(self._conversation, question, answer)

    def recall(self, question: str) -> Recall:
        """The turns that a question needs, within the budget. The whole conversation stays stored."""
        return self._policy.recall(self._store.turns(self._conversation), question, self._budget, self._count)
