"""Reranking by the generator: how likely is the question, read behind each passage?

Query likelihood (Ponte and Croft, 1998) with a language model as it is (UPR, Sachan et al., 2022): the mean
log-probability of the question's tokens as the reply to "write a question that this note answers". The first passages
stay; the likeliest of the others come behind them (docs/decisions/0019-reranking-by-the-generator.md).

Only the part that met the question is read: half the tokens, and the same order where both were measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import exp
from statistics import fmean

from rag.errors import EngineError
from rag.prompting import defuse, fill, render_passage
from rag.protocols import Generator, Scorer
from rag.reranker import DEPTH, placed
from rag.text import detect_language
from rag.types import Focus, Message, Passage

# So many passages stay where they are: comparisons and linked entries are placed there on purpose, not for likeness.
KEPT = 4


class QueryLikelihoodReranker:
    """A Reranker over the generator; the model loads at the first question that needs it.

    Args:
        generator: gives the generator.
    """

    def __init__(self, generator: Callable[[], Generator]) -> None:
        self._generator = generator

    def rerank(
        self, question: str, passages: Sequence[Passage], check: Callable[[], None] = lambda: None
    ) -> list[Passage]:
        """The same passages: the first KEPT, the others up to DEPTH by likelihood, then the rest; scores fall.

        Args:
            question: what was asked.
            passages: best first.
            check: called before each passage is read; what it raises ends the work.

        Raises:
            EngineError: the model fails, or cannot tell how likely a text is (a remote endpoint).
        """
        kept, read, rest = passages[:KEPT], passages[KEPT:DEPTH], passages[DEPTH:]
        if len(read) < 2:
            return placed((passage, passage.score) for passage in passages)
        likely = []
        for passage in read:
            check()
            likely.append(self._likelihood(question, passage))
        best, ceiling = max(likely), kept[-1].score
        order = sorted(range(len(read)), key=lambda place: -likely[place])
        return placed(
            [
                *((passage, passage.score) for passage in kept),
                *((read[place], ceiling * exp(likely[place] - best)) for place in order),
                *((passage, 0.0) for passage in rest),
            ]
        )

    def _likelihood(self, question: str, passage: Passage) -> float:
        """The mean log-probability of the question's tokens, in nats."""
        generator = self._generator()
        if not isinstance(generator, Scorer):
            raise EngineError(
                "This generator cannot tell how likely a text is. Use a model on this machine, "
                "or set models.reranker = ''."
            )
        return fmean(token.log_probability for token in generator.score(prompt(question, passage), defuse(question)))


def prompt(question: str, passage: Passage) -> tuple[Message, ...]:
    """The messages to which the question is the reply: the part of the passage that met it best, as RCG shows notes."""
    best = max(passage.focus, key=lambda part: part.score, default=Focus(passage.start, passage.end, 0.0))
    met = passage.text[max(best.start - passage.start, 0) : best.end - passage.start]
    alone = render_passage(replace(passage, rank=1, text=met))
    return fill("query", detect_language(question), {"passages": alone})
