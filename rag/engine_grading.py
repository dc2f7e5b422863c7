"""Many short readings in one pass: the same one-token question put to several prompts side by side.

Every prompt has a sequence of its own; what the store holds of them is loaded, and only their ends are evaluated, in
mixed batches. So a verdict over a passage that was read before costs a few rows (the question), not the passage.
The probabilities are those of single readings up to rounding: the rows of a mixed batch are added up in another order.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from rag.decoding import shares
from rag.errors import EngineError, GenerationCancelledError
from rag.fair_queue import Urgency
from rag.prompt_cache import batch_sizes

if TYPE_CHECKING:
    from rag.engine_tasks import Engine

Prompts = Sequence[Sequence[int]]


class ChooseEach:
    """Probabilities of the first tokens of given options after each prompt."""

    urgency = Urgency.BEGUN
    is_stream = False

    def __init__(self, prompts: Prompts, options: list[int]) -> None:
        self.outcome: Future[list[list[float]]] = Future()
        self._prompts = prompts
        self._options = options
        # At least one prompt must fit; more are read in as many groups as it takes.
        self.cells = max(map(len, prompts), default=0)
        self._cancelled = False

    def run(self, model: "Engine") -> None:
        """Read the prompts in groups that fit the context."""
        model.streams.prepare()
        found: list[list[float]] = []
        for group in groups(self._prompts, most=model.cache.sequences, cells=model.streams.free_cells):
            found += self._read(model, group)
        self.outcome.set_result(found)

    def fail(self, error: EngineError) -> None:
        """Hand the error to whoever waits for the outcome."""
        if not self.outcome.done():
            self.outcome.set_exception(error)

    def cancel(self) -> None:
        """Stop between two batches."""
        self._cancelled = True

    def _read(self, engine: "Engine", prompts: Prompts) -> list[list[float]]:
        look = engine.streams.between(lambda: self._cancelled)
        begun = engine.cache.spread(prompts, look)
        try:
            if begun is None:
                raise GenerationCancelledError("The reading was cancelled.")
            return self._finish(engine, prompts, begun, look)
        finally:
            engine.cache.clear()

    def _finish(
        self, engine: "Engine", prompts: Prompts, begun: Sequence[int], is_cancelled: Callable[[], bool]
    ) -> list[list[float]]:
        """Evaluate what is missing of each prompt, and look behind its last token."""
        rows = [
            (tokens[place], place, sequence, place == len(tokens) - 1)
            for sequence, (tokens, start) in enumerate(zip(prompts, begun, strict=True))
            for place in range(start, len(tokens))
        ]
        found, start = [], 0
        # Batches of like size, so that none is small enough for the other attention kernel (rag.prompt_cache).
        for size in batch_sizes(len(rows), engine.cache.rows):
            if is_cancelled():
                raise GenerationCancelledError("The reading was cancelled.")
            tokens, places, sequences, is_last = zip(*rows[start : start + size], strict=True)
            start += size
            ends = [row for row, last in enumerate(is_last) if last]
            engine.model.decode_rows(tokens, places, sequences, ends)
            found += [shares(engine.model.logits(row), self._options) for row in ends]
        return found


def groups(prompts: Prompts, *, most: int, cells: int) -> Iterator[Prompts]:
    """Cut a list of prompts, in order, where one more would exceed ``most`` prompts or ``cells`` tokens together."""
    start, used = 0, 0
    for number, tokens in enumerate(prompts):
        if number > start and (number - start == most or used + len(tokens) > cells):
            yield prompts[start:number]
            start, used = number, 0
        used += len(tokens)
    if prompts:
        yield prompts[start:]
