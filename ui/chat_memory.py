"""Which earlier turns of a chat a new question is asked with."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from rag.followup import CHAIN
from rag.types import Mode
from ui.conversations import Status, Turn

if TYPE_CHECKING:
    from agents.memory import KeptVectors
    from rag.notebook import Notebook

# Older turns are not looked through: each is embedded once, which takes up to a second on a slow laptop.
REMEMBERED_TURNS = 40

Pairs = tuple[tuple[str, str], ...]


class ChatMemory:
    """The memory of all chats of a server: the vector of a turn is computed once.

    What it stands on is imported when a chat first needs it, so that the first paint waits for nothing.
    """

    @cached_property
    def _vectors(self) -> "KeptVectors":
        from agents.memory import KeptVectors

        return KeptVectors()

    def recall(self, question: str, mode: Mode, turns: Sequence[Turn], notebook: "Notebook") -> Pairs:
        """The (question, answer) pairs that a question needs, oldest first; only finished answers count.

        With notes, earlier questions only say what a question points back to, and it means the newest of them.
        Without notes the model is told what the policy recalls: the last turns if the question goes on, then related
        ones.
        """
        said = [turn for turn in turns if turn.status is Status.DONE and turn.answer is not None]
        if said and mode is Mode.ROG:
            return self._related(question, said[-REMEMBERED_TURNS:], notebook)
        return tuple((turn.question, turn.answer.text) for turn in said[-CHAIN:] if turn.answer)

    def _related(self, question: str, said: Sequence[Turn], notebook: "Notebook") -> Pairs:
        from agents.memory import Hybrid, RelevantN
        from agents.memory import Turn as Remembered
        from rag.notebook import TOLD_TOKENS

        turns = [
            Remembered(turn.turn_id, turn.conversation_id, turn.question, turn.answer.text, turn.asked)
            for turn in said
            if turn.answer
        ]
        policy = Hybrid(RelevantN(notebook.embedder, self._vectors))
        return tuple(policy.recall(turns, question, TOLD_TOKENS, notebook.generator.count_tokens).history)
