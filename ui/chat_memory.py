"""Which earlier turns of a chat a new question is asked with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agents.memory import Hybrid, KeptVectors, RelevantN
from agents.memory import Turn as Remembered
from rag.followup import CHAIN
from rag.notebook import TOLD_TOKENS
from rag.types import Mode
from ui.conversations import Status, Turn

if TYPE_CHECKING:
    from rag.notebook import Notebook

# Older turns are not looked through: each is embedded once, which takes up to a second on a slow laptop.
REMEMBERED_TURNS = 40

Pairs = tuple[tuple[str, str], ...]


class ChatMemory:
    """The memory of all chats of a server: the vector of a turn is computed once."""

    def __init__(self) -> None:
        self._vectors = KeptVectors()

    def recall(self, question: str, mode: Mode, turns: Sequence[Turn], notebook: "Notebook") -> Pairs:
        """The (question, answer) pairs that a question needs, oldest first; only finished answers count.

        With notes, earlier questions only say what a question points back to, and it means the newest of them.
        Without notes the model is told what the policy recalls: the last turns if the question goes on, then related
        ones.
        """
        said = [
            Remembered(turn.turn_id, turn.conversation_id, turn.question, turn.answer.text, turn.asked)
            for turn in turns
            if turn.status is Status.DONE and turn.answer is not None
        ]
        if not said or mode is not Mode.ROG:
            return tuple((turn.question, turn.answer) for turn in said[-CHAIN:])
        policy = Hybrid(RelevantN(notebook.embedder, self._vectors))
        recalled = policy.recall(said[-REMEMBERED_TURNS:], question, TOLD_TOKENS, notebook.generator.count_tokens)
        return tuple(recalled.history)
