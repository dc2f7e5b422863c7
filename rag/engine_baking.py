"""Computing the state of a passage before anybody asks, so that the first question over it is fast, too."""

from concurrent.futures import Future
from typing import TYPE_CHECKING

from rag.errors import EngineError, GenerationCancelledError
from rag.fair_queue import Urgency
from rag.passages import PromptTokens

if TYPE_CHECKING:
    from rag.engine_tasks import Engine


class Bake:
    """Computes and stores what is missing of the passages of a prompt; with ``is_trial`` it only counts that."""

    urgency = Urgency.BACKGROUND
    is_stream = False

    def __init__(self, tokens: PromptTokens, *, is_trial: bool) -> None:
        self.outcome: Future[int] = Future()
        self.cells = len(tokens)
        self._tokens = tokens
        self._is_trial = is_trial
        self._cancelled = False

    def run(self, model: "Engine") -> None:
        """Do it; the outcome is the number of tokens."""
        if not self._tokens.places:
            raise EngineError("The prompt holds no passage. Give one with numbered passages.")
        model.streams.prepare()
        look = model.streams.between(lambda: self._cancelled)
        missing = model.cache.unbaked(self._tokens)
        if missing and not self._is_trial and model.cache.bake(self._tokens, look) is None:
            raise GenerationCancelledError("The reading was cancelled.")
        self.outcome.set_result(missing)

    def fail(self, error: EngineError) -> None:
        """Hand the error to whoever waits for the outcome."""
        if not self.outcome.done():
            self.outcome.set_exception(error)

    def cancel(self) -> None:
        """Stop between two batches."""
        self._cancelled = True
