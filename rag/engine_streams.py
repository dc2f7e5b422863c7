"""Continuous batching: answers that run at the same time share decode steps, one row of a pass for each.

Every running answer has sequences of its own in one context. A new prompt is read in short batches, and between two of
them the running answers take a step, so none of them stands still. A request is let in when a place is free and its
prompt and longest answer fit into the cells that the others have not claimed; until then it waits in the queue.
Sources: iteration-level scheduling (Orca, Yu et al., 2022), chunked prefill (Sarathi, Agrawal et al., 2023).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from rag.decoding import Logits
from rag.errors import EngineError
from rag.prompt_cache import PromptCache

if TYPE_CHECKING:
    from rag.llama_adapter import LlamaModel

Row = tuple[int, int, int]


class Stream(Protocol):
    """An answer that is written token by token."""

    is_running: bool

    @property
    def cells(self) -> int:
        """The most tokens that it will ever have in the context."""

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody wants it any more."""

    @property
    def prompt(self) -> Sequence[int]:
        """The tokens that its sequence begins with."""

    @property
    def evaluated(self) -> Sequence[int]:
        """The tokens of prompt and answer that its sequence holds."""

    def begin(self, streams: "Streams", sequence: int) -> None:
        """Read the prompt and draw the first token; ``sequence`` and the next one are its own."""

    def rows(self) -> Sequence[Row]:
        """What has to be evaluated next: token, position and sequence of each row."""

    def advance(self, model: "LlamaModel", scores: Sequence[Logits]) -> None:
        """Draw the next token; one array of scores for each row."""

    def stop(self) -> None:
        """End a cancelled answer."""

    def cancel(self) -> None:
        """Ask it to stop. Safe from any thread."""

    def fail(self, error: EngineError) -> None:
        """End it with an error."""

    def close(self) -> None:
        """Free what it holds besides its sequences."""


class Streams:
    """The running answers of one model; owned by the worker's thread.

    Args:
        model: evaluates rows.
        cache: knows what was read before.
        limit: how many answers may run at once. With one, nothing else is read beside it.
        cells: tokens that all of them may have in the context together.
        first: the first of the ``2 * limit`` sequences that they may use.
    """

    def __init__(self, model: "LlamaModel", cache: PromptCache, *, limit: int, cells: int, first: int) -> None:
        self.model = model
        self._cache = cache
        self._limit = limit
        self._cells = cells
        self._free = [first + 2 * place for place in range(limit)]
        self._sequences: dict[Stream, int] = {}
        self._was_shared = False

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being written."""
        return bool(self._sequences)

    @property
    def free_cells(self) -> int:
        """Cells that no running answer claims."""
        return self._cells - sum(stream.cells for stream in self._sequences)

    def admits(self, cells: int, *, is_stream: bool) -> bool:
        """Whether something of this size can begin now. Always, when nothing runs."""
        if not self._sequences:
            return True
        if self._limit == 1 or (is_stream and not self._free):
            return False
        return cells <= self.free_cells

    def start(self, stream: Stream) -> None:
        """Let an answer begin; ``step`` continues it. Raises what its beginning raises; then it is forgotten."""
        self.prepare()
        self._sequences[stream] = sequence = self._free.pop(0)
        try:
            stream.begin(self, sequence)
        finally:
            if not stream.is_running:
                self._release(stream)

    def read(self, stream: Stream, is_cancelled: Callable[[], bool]) -> int | None:
        """Read the prompt of a beginning answer into its sequence, as PromptCache.prefill."""
        look = self.between(is_cancelled)
        sequence = self._sequences[stream]
        others = [(number, other.prompt) for other, number in self._sequences.items() if other.is_running]
        if others:
            return self._cache.join(stream.prompt, sequence, others, look)
        # Alone: from the first cell on, and into sequence 0, where the cache remembers it. So bits are the same each
        # time. The answer then runs in a sequence that shares these cells, and 0 is free for other prompts.
        reused = self._cache.prefill(stream.prompt, look)
        if reused is not None:
            self.model.share(0, sequence)
        return reused

    def prepare(self) -> None:
        """Tell the cache whether a prompt is read alone. After common use of the context, begin at its first cell."""
        self._cache.is_alone = not self._sequences
        if self._cache.is_alone and self._was_shared:
            self._cache.retire()
        self._was_shared = not self._cache.is_alone

    def between(self, is_cancelled: Callable[[], bool]) -> Callable[[], bool]:
        """A check between two batches of a prompt that lets the running answers take a step first."""

        def look() -> bool:
            self.step()
            return is_cancelled()

        return look

    def step(self) -> None:
        """One pass for all running answers: each gets its next token, or ends."""
        running = [stream for stream in self._sequences if stream.is_running]
        for stream in running:
            if stream.is_cancelled:
                stream.stop()
        if live := [stream for stream in running if stream.is_running]:
            self._evaluate(live)
        for stream in running:
            if not stream.is_running:
                self._release(stream)

    def cancel(self) -> None:
        """End all of them as cancelled."""
        for stream in list(self._sequences):
            stream.cancel()
        self.step()

    def fail(self, error: EngineError) -> None:
        """End all of them with an error."""
        for stream in list(self._sequences):
            stream.fail(error)
            self._release(stream)

    def _evaluate(self, live: Sequence[Stream]) -> None:
        rows = [stream.rows() for stream in live]
        tokens, places, sequences = zip(*(row for own in rows for row in own), strict=True)
        try:
            self.model.decode_rows(tokens, places, sequences, range(len(tokens)))
        except EngineError as error:
            for stream in live:
                stream.fail(error)
            return
        first = 0
        for stream, own in zip(live, rows, strict=True):
            scores = [self.model.logits(row) for row in range(first, first + len(own))]
            first += len(own)
            try:
                stream.advance(self.model, scores)
            except EngineError as error:
                stream.fail(error)

    def _release(self, stream: Stream) -> None:
        sequence = self._sequences.pop(stream)
        self._free.append(sequence)
        self._cache.keep(stream.evaluated, sequence)
        for own in (sequence, sequence + 1):
            self.model.forget(0, own)
        stream.close()
