"""Reranking by the generator: "do these notes hold the answer?", one token a passage.

Pointwise relevance by the probability of yes (Nogueira et al., 2020, monoT5; Liang et al., 2022, for language models as
they are). The passage stands before the question, behind the same beginning as in RCG prompts: its state is reused from
question to question, from ``ingest --warm``, and by the answer itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from rag import phrases
from rag.fusion import convex
from rag.prompting import fill, render_passage
from rag.protocols import Generator, Grader
from rag.reranker import DEPTH, reorder
from rag.sufficiency import log_odds
from rag.text import detect_language
from rag.types import Message, Passage

# What the verdict counts beside the fused score, both scaled to 0..1 over the passages. Chosen, not fitted.
WEIGHT = 0.5


class GradedReranker:
    """A Reranker over the generator; the model loads at the first question.

    The first DEPTH passages are read; the others count as the worst of them.

    Args:
        generator: gives the generator.
    """

    def __init__(self, generator: Callable[[], Generator]) -> None:
        self._generator = generator

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """The same passages, best first; scores are within 0..1.

        Raises:
            EngineError: the model cannot be asked.
        """
        if not passages:
            return []
        odds = [log_odds(share) for share in self._answering(question, passages[:DEPTH])]
        fused = [(place, passage.score) for place, passage in enumerate(passages)]
        scores = dict(convex([fused, list(enumerate(odds))], [1 - WEIGHT, WEIGHT]))
        return reorder(passages, [scores[place] for place in range(len(passages))])

    def _answering(self, question: str, passages: Sequence[Passage]) -> list[float]:
        """For each passage the probability, among yes and no, that it holds the answer."""
        language = detect_language(question)
        prompts = [prompt(question, passage, language) for passage in passages]
        options = phrases.YES_NO[language]
        generator = self._generator()
        if isinstance(generator, Grader):
            shares = generator.choose_each(prompts, options)
        else:
            shares = [generator.choose(messages, options) for messages in prompts]
        return [yes for yes, _ in shares]


def prompt(question: str, passage: Passage, language: str) -> tuple[Message, ...]:
    """The messages that ask of one passage whether it answers a question; up to the question as RCG has them."""
    alone = render_passage(replace(passage, rank=1))
    return fill("grading", language, {"passages": alone, "question": question})
