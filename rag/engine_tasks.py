"""What the engine's worker owns, and two of the things it can be asked: choose between first tokens, score a text."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import chain
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.chat_format import Segment, render
from rag.decoding import Logits, shares
from rag.engine_streams import Streams
from rag.errors import EngineError, GenerationCancelledError
from rag.fair_queue import Urgency
from rag.passage_cache import PassageCache
from rag.passages import PromptTokens, cut_prompt
from rag.protocols import TokenScore
from rag.types import Message
from rag.worker import ENDED, Task

if TYPE_CHECKING:
    from rag.llama_adapter import LlamaModel


class Engine:
    """What the worker owns: the model, what its KV cache holds, and the answers that run in it."""

    def __init__(self, model: "LlamaModel", cache: PassageCache, streams: Streams) -> None:
        self.model = model
        self.cache = cache
        self.streams = streams

    @property
    def is_busy(self) -> bool:
        """Whether ``step`` has something to do."""
        return self.streams.is_busy

    def admits(self, task: Task["Engine"]) -> bool:
        """Whether a task can be begun now."""
        return self.streams.admits(task.cells, is_stream=task.is_stream)

    def step(self) -> None:
        """Give each running answer its next token."""
        self.streams.step()

    def cancel(self) -> None:
        """End the running answers as cancelled."""
        self.streams.cancel()

    def prompt(self, messages: Sequence[Message], *, is_cut: bool = False) -> PromptTokens:
        """The tokens of a chat; with the places of its passages where they are asked for. Safe from any thread."""
        segments = render(messages, self.model.template, self.model.end_text)
        if is_cut or self.cache.reuses_passages:
            return cut_prompt(segments, self.model.begin, self._tokens)
        return PromptTokens([*self.model.begin, *chain.from_iterable(map(self._tokens, segments))])

    def _tokens(self, segment: Segment) -> list[int]:
        return self.model.tokenize(segment.text, special=segment.is_frame)

    def close(self) -> None:
        """Store what is still in the context, then free the model. What still runs gets an error."""
        self.streams.fail(EngineError(ENDED))
        self.cache.retire()
        self.model.close()


Outcome = TypeVar("Outcome")


class Reading(Generic[Outcome]):
    """A task that reads a prompt and looks at scores instead of drawing tokens."""

    urgency = Urgency.BEGUN
    is_stream = False

    def __init__(self, tokens: list[int]) -> None:
        self.outcome: Future[Outcome] = Future()
        self.cells = len(tokens)
        self._tokens = tokens
        self._cancelled = False

    def run(self, model: Engine) -> None:
        """Evaluate the prompt, then look."""
        model.streams.prepare()
        look = model.streams.between(lambda: self._cancelled)
        if self._cancelled or model.cache.prefill(self._tokens, look) is None:
            raise GenerationCancelledError("The reading was cancelled.")
        self.outcome.set_result(self.look(model.model, look))

    def look(self, model: "LlamaModel", is_cancelled: Callable[[], bool]) -> Outcome:
        """The outcome; the model has just read the prompt."""
        raise NotImplementedError

    def fail(self, error: EngineError) -> None:
        """Hand the error to whoever waits for the outcome."""
        if not self.outcome.done():
            self.outcome.set_exception(error)

    def cancel(self) -> None:
        """Stop between two batches."""
        self._cancelled = True


class Choose(Reading[list[float]]):
    """Probabilities of the first tokens of given options, without sampling."""

    def __init__(self, tokens: list[int], options: list[int]) -> None:
        super().__init__(tokens)
        self._options = options

    def look(self, model: "LlamaModel", is_cancelled: Callable[[], bool]) -> list[float]:
        """One probability for each option, summing to 1."""
        return shares(model.logits(), self._options)


class Score(Reading[list[TokenScore]]):
    """Log-probabilities of a given text after a prompt, token by token (teacher forcing)."""

    def __init__(self, tokens: list[int], continuation: list[int]) -> None:
        super().__init__(tokens)
        self.cells = len(tokens) + len(continuation)
        self._continuation = continuation

    def look(self, model: "LlamaModel", is_cancelled: Callable[[], bool]) -> list[TokenScore]:
        """One score for each token of the text."""
        given, step = self._continuation, model.scored_rows
        scores = [log_probability(model.logits(), given[0])] if given else []
        for start in range(0, len(given) - 1, step):
            if is_cancelled():
                raise GenerationCancelledError("The reading was cancelled.")
            read = given[start : min(start + step, len(given) - 1)]
            model.decode(read, len(self._tokens) + start, scored=True)
            scores += [log_probability(model.logits(row), given[start + 1 + row]) for row in range(len(read))]
        return [TokenScore(model.piece(token), score) for token, score in zip(given, scores, strict=True)]


def log_probability(logits: Logits, token: int) -> float:
    """The natural log of the softmax probability of a token."""
    shifted: NDArray[np.float64] = logits.astype(np.float64) - float(logits.max())
    return float(shifted[token] - np.log(np.exp(shifted).sum()))
