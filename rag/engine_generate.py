"""One streamed generation: reads its prompt, then draws a token each time the model has evaluated the one before."""

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from rag.decoding import AnswerText, Logits, pick
from rag.engine_streams import Row, Streams
from rag.errors import EngineError
from rag.fair_queue import Urgency
from rag.protocols import Generation, GenerationRequest
from rag.streaming import Channel, Finish

if TYPE_CHECKING:
    from rag.engine_tasks import Engine
    from rag.llama_adapter import Grammar, LlamaModel


class Generate:
    """One streamed generation; a Stream (rag.engine_streams) once the worker has taken it."""

    urgency = Urgency.ANSWER
    is_stream = True

    def __init__(
        self,
        request: GenerationRequest,
        tokens: list[int],
        channel: Channel,
        *,
        grammar: str | None = None,
        contrast: list[int] | None = None,
    ) -> None:
        self.is_running = False
        self.prompt: Sequence[int] = tokens
        self._request = request
        self._rules = grammar
        self._grammar: Grammar | None = None
        self._contrast = Contrast(contrast, request.contrast_weight) if contrast else None
        self._channel = channel
        self._rng = np.random.default_rng(request.seed % 2**64)
        self._text = AnswerText(request.stop)
        self._sequence = 0
        self._drawn: list[int] = []
        # None until the prompt was read.
        self._reused: int | None = None
        # When it was asked, when the worker took it, when the first token was there.
        self._times = [perf_counter()]

    @property
    def cells(self) -> int:
        """The most tokens that it will ever have in the context."""
        bare = 0 if self._contrast is None else self._contrast.read + self._request.max_tokens
        return len(self.prompt) + self._request.max_tokens + bare

    @property
    def is_cancelled(self) -> bool:
        """Whether the reader wants no more."""
        return self._channel.is_cancelled

    @property
    def evaluated(self) -> Sequence[int]:
        """What its sequence holds: the prompt once it was read, and all drawn tokens but the last."""
        return [] if self._reused is None else [*self.prompt, *self._drawn[:-1]]

    def run(self, model: "Engine") -> None:
        """Read the prompt; from then on it is one of the running answers."""
        model.streams.start(self)

    def begin(self, streams: Streams, sequence: int) -> None:
        """Read the prompt and draw the first token. Raises EngineError."""
        self._times.append(perf_counter())
        self._sequence = sequence
        model = streams.model
        self._grammar = None if self._rules is None else model.grammar(self._rules)
        self._reused = streams.read(self, lambda: self.is_cancelled)
        if self._reused is None:
            self.stop()
            return
        scores = model.logits()
        if self._contrast is not None:
            look = streams.between(lambda: self.is_cancelled)
            scores = self._contrast.begin(model, sequence + 1, scores.copy(), look)
        self.is_running = True
        self._draw(model, scores)

    def rows(self) -> Sequence[Row]:
        """The token that was drawn last, in each of its sequences."""
        token, behind = self._drawn[-1], len(self._drawn) - 1
        row = (token, len(self.prompt) + behind, self._sequence)
        return [row] if self._contrast is None else [row, (token, self._contrast.read + behind, self._sequence + 1)]

    def advance(self, model: "LlamaModel", scores: Sequence[Logits]) -> None:
        """Draw the next token. Raises EngineError."""
        self._draw(model, scores[0] if self._contrast is None else self._contrast.combine(scores[0], scores[1]))

    def fail(self, error: EngineError) -> None:
        """Hand the error to the reader."""
        self.is_running = False
        self._channel.finish(error)

    def cancel(self) -> None:
        """Stop at the next token."""
        self._channel.cancel()

    def stop(self) -> None:
        """End it as cancelled; also a request that never ran."""
        self._finish("cancelled")

    def close(self) -> None:
        """Free the grammar. Idempotent."""
        if self._grammar is not None:
            self._grammar.close()

    def _draw(self, model: "LlamaModel", scores: Logits) -> None:
        """Draw a token and show what can be shown; ``is_running`` is False after the last one."""
        if self.is_cancelled:
            self.stop()
            return
        token = self._next_token(model, scores)
        if not self._drawn:
            self._times.append(perf_counter())
        if model.is_end(token):
            self._channel.put(self._text.close())
            self._finish("stop")
            return
        self._drawn.append(token)
        self._channel.put(self._text.push(token, model.piece(token)))
        if self._text.finish is not None:
            self._finish(self._text.finish)
        elif len(self._drawn) == self._request.max_tokens:
            self._channel.put(self._text.close())
            self._finish("length")

    def _next_token(self, model: "LlamaModel", scores: Logits) -> int:
        """Draw freely first and mask only when the grammar refuses: the same distribution, far cheaper."""
        draw = partial(pick, temperature=self._request.temperature, top_p=self._request.top_p, rng=self._rng)
        token = draw(scores)
        if self._grammar is not None:
            if not self._grammar.allows(token):
                token = draw(self._grammar.mask(scores))
            if not model.is_end(token):
                self._grammar.accept(token)
        return token

    def _finish(self, finish: Finish) -> None:
        self.is_running = False
        now = perf_counter()
        asked, taken, first = (self._times + [now] * 2)[:3]
        self._channel.finish(
            Generation(
                text=self._channel.text,
                finish=finish,
                prompt_tokens=len(self.prompt),
                completion_tokens=len(self._drawn),
                reused_tokens=self._reused or 0,
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

    @property
    def read(self) -> int:
        """How many tokens the bare request has."""
        return len(self._tokens)

    def begin(self, model: "LlamaModel", sequence: int, with_evidence: Logits, look: Callable[[], bool]) -> Logits:
        """Read the bare request, beside the prompt that was just read; the scores of the first token."""
        for start in range(0, len(self._tokens), model.rows):
            if look():
                return with_evidence
            model.decode(self._tokens[start : start + model.rows], start, sequence=sequence)
        return self.combine(with_evidence, model.logits())

    def combine(self, with_evidence: Logits, without: Logits) -> Logits:
        """Scores of both, weighted."""
        return (1 + self._weight) * with_evidence - self._weight * without
