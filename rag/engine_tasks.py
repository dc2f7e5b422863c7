"""What the engine's worker can be asked to do: generate, choose between first tokens, score a given text."""

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.chat_format import Segment, render
from rag.decoding import AnswerText, Logits, pick, shares
from rag.errors import EngineError, GenerationCancelledError
from rag.fair_queue import Urgency
from rag.passage_cache import PassageCache
from rag.passages import PromptTokens, cut_prompt
from rag.protocols import Generation, GenerationRequest, TokenScore
from rag.streaming import Channel, Finish
from rag.types import Message

if TYPE_CHECKING:
    from rag.llama_adapter import Grammar, LlamaModel


class Engine:
    """What the worker owns: the model and what its KV cache holds."""

    def __init__(self, model: "LlamaModel", cache: PassageCache) -> None:
        self.model = model
        self.cache = cache

    def prompt(self, messages: Sequence[Message], *, is_cut: bool = False) -> PromptTokens:
        """The tokens of a chat; with the places of its passages where they are asked for. Safe from any thread."""
        segments = render(messages, self.model.template, self.model.end_text)
        if is_cut or self.cache.reuses_passages:
            return cut_prompt(segments, self.model.begin, self._tokens)
        return PromptTokens([*self.model.begin, *chain.from_iterable(map(self._tokens, segments))])

    def _tokens(self, segment: Segment) -> list[int]:
        return self.model.tokenize(segment.text, special=segment.is_frame)

    def close(self) -> None:
        """Store what is still in the context, then free the model."""
        self.cache.retire()
        self.model.close()


class Generate:
    """One streamed generation."""

    urgency = Urgency.ANSWER

    def __init__(
        self,
        request: GenerationRequest,
        tokens: list[int],
        channel: Channel,
        *,
        grammar: str | None = None,
        contrast: list[int] | None = None,
    ) -> None:
        self._request = request
        self._tokens = tokens
        self._grammar = grammar
        self._contrast = Contrast(contrast, request.contrast_weight) if contrast else None
        self._channel = channel
        self._rng = np.random.default_rng(request.seed % 2**64)
        self._completion = 0
        self._reused = 0
        # When it was asked, when the worker took it, when the first token was there.
        self._times = [perf_counter()]

    def run(self, model: Engine) -> None:
        """Read the prompt, then decode until an end, a limit or a cancellation."""
        self._times.append(perf_counter())
        grammar = None if self._grammar is None else model.model.grammar(self._grammar)
        try:
            reused = model.cache.prefill(self._tokens, lambda: self._channel.is_cancelled)
            self._reused = reused or 0
            if self._contrast is not None and reused is not None:
                self._contrast.begin(model.model)
            self._finish("cancelled" if reused is None else self._decode(model, grammar))
        finally:
            if self._contrast is not None:
                self._contrast.end(model.model)
            if grammar is not None:
                grammar.close()

    def fail(self, error: EngineError) -> None:
        """Hand the error to the reader."""
        self._channel.finish(error)

    def cancel(self) -> None:
        """Stop at the next token."""
        self._channel.cancel()

    def cancelled_while_waiting(self) -> None:
        """End a request that never ran."""
        self._finish("cancelled")

    def _decode(self, engine: Engine, grammar: "Grammar | None") -> Finish:
        model = engine.model
        text = AnswerText(self._request.stop)
        position = len(self._tokens)
        while not self._channel.is_cancelled:
            token = self._next_token(model, grammar)
            if not self._completion:
                self._times.append(perf_counter())
            if model.is_end(token):
                self._channel.put(text.close())
                return "stop"
            self._completion += 1
            self._channel.put(text.push(token, model.piece(token)))
            if text.finish is not None:
                return text.finish
            if self._completion == self._request.max_tokens:
                self._channel.put(text.close())
                return "length"
            if self._contrast is None:
                model.decode([token], position)
            else:
                self._contrast.step(model, token, position)
            engine.cache.extend(token)
            position += 1
        return "cancelled"

    def _next_token(self, model: "LlamaModel", grammar: "Grammar | None") -> int:
        """Draw freely first and mask only when the grammar refuses: the same distribution, far cheaper."""
        draw = partial(pick, temperature=self._request.temperature, top_p=self._request.top_p, rng=self._rng)
        scores = model.logits() if self._contrast is None else self._contrast.scores
        token = draw(scores)
        if grammar is not None:
            if not grammar.allows(token):
                token = draw(grammar.mask(scores))
            if not model.is_end(token):
                grammar.accept(token)
        return token

    def _finish(self, finish: Finish) -> None:
        now = perf_counter()
        asked, taken, first = (self._times + [now] * 2)[:3]
        self._channel.finish(
            Generation(
                text=self._channel.text,
                finish=finish,
                prompt_tokens=len(self._tokens),
                completion_tokens=self._completion,
                reused_tokens=self._reused,
                queued=taken - asked,
                prefill=first - taken,
                decode=now - first,
            )
        )


class Contrast:
    """The second sequence of context-aware decoding (Shi et al., 2023): the request without its evidence."""

    def __init__(self, tokens: list[int], weight: float) -> None:
        self._tokens = tokens
        self._weight = weight
        self._position = len(tokens)
        self.scores: Logits = np.empty(0, dtype=np.float32)

    def begin(self, model: "LlamaModel") -> None:
        """Read the bare request beside the prompt that was just read."""
        with_evidence = model.logits().copy()
        for start in range(0, len(self._tokens), model.rows):
            model.decode(self._tokens[start : start + model.rows], start, sequence=1)
        self._combine(with_evidence, model.logits())

    def step(self, model: "LlamaModel", token: int, position: int) -> None:
        """Append the drawn token to both sequences."""
        model.decode_rows([token] * 2, [position, self._position], [0, 1], [0, 1])
        self._position += 1
        self._combine(model.logits(0), model.logits(1))

    def end(self, model: "LlamaModel") -> None:
        """Forget the second sequence."""
        model.forget(0, sequence=1)

    def _combine(self, with_evidence: Logits, without: Logits) -> None:
        self.scores = (1 + self._weight) * with_evidence - self._weight * without


Outcome = TypeVar("Outcome")


class Reading(Generic[Outcome]):
    """A task that reads a prompt and looks at scores instead of drawing tokens."""

    urgency = Urgency.BEGUN

    def __init__(self, tokens: list[int]) -> None:
        self.outcome: Future[Outcome] = Future()
        self._tokens = tokens
        self._cancelled = False

    def run(self, model: Engine) -> None:
        """Evaluate the prompt, then look."""
        if self._cancelled or model.cache.prefill(self._tokens, lambda: self._cancelled) is None:
            raise GenerationCancelledError("The reading was cancelled.")
        self.outcome.set_result(self.look(model.model))

    def look(self, model: "LlamaModel") -> Outcome:
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

    def look(self, model: "LlamaModel") -> list[float]:
        """One probability for each option, summing to 1."""
        return shares(model.logits(), self._options)


class Score(Reading[list[TokenScore]]):
    """Log-probabilities of a given text after a prompt, token by token (teacher forcing)."""

    def __init__(self, tokens: list[int], continuation: list[int]) -> None:
        super().__init__(tokens)
        self._continuation = continuation

    def look(self, model: "LlamaModel") -> list[TokenScore]:
        """One score for each token of the text."""
        given, step = self._continuation, model.scored_rows
        scores = [log_probability(model.logits(), given[0])] if given else []
        for start in range(0, len(given) - 1, step):
            read = given[start : min(start + step, len(given) - 1)]
            model.decode(read, len(self._tokens) + start, scored=True)
            scores += [log_probability(model.logits(row), given[start + 1 + row]) for row in range(len(read))]
        return [TokenScore(model.piece(token), score) for token, score in zip(given, scores, strict=True)]


def log_probability(logits: Logits, token: int) -> float:
    """The natural log of the softmax probability of a token."""
    shifted: NDArray[np.float64] = logits.astype(np.float64) - float(logits.max())
    return float(shifted[token] - np.log(np.exp(shifted).sum()))
