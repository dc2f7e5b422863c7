"""How much of an answer came from the notes, and how much the model would have said anyway.

For every token: log p(token | question, notes) - log p(token | question), in nats: the pointwise mutual information
of the token and the notes, the quantity that context-aware decoding amplifies (Shi et al., 2023). Near 0 the
model would have written the token without the notes; large values were read. A signal, not a proof: a copied
sentence that the model also knows by heart scores low, and a misread note may score high.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rag.protocols import Scorer, TokenScore
from rag.types import Message


@dataclass(frozen=True, slots=True)
class TokenProvenance:
    """A token (bytes, since a Chinese character may span two tokens) and its gain in nats."""

    piece: bytes
    gain: float


@dataclass(frozen=True, slots=True)
class SentenceProvenance:
    """A sentence, its tokens, and the mean of their gains in nats a token."""

    text: str
    tokens: tuple[TokenProvenance, ...]
    gain: float


def provenance(
    scorer: Scorer,
    with_notes: Sequence[Message],
    without_notes: Sequence[Message],
    sentences: Sequence[str],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[SentenceProvenance]:
    """Measure sentences that answer ``with_notes``; ``without_notes`` is the same question alone.

    Two forward passes over the joined sentences; ``progress`` hears (passes done, 2) before each, and at the end.
    Empty for no sentences.

    Raises:
        PromptTooLongError: a prompt does not fit with the sentences.
    """
    if not sentences:
        return []
    text = "".join(sentences)
    progress(0, 2)
    read = scorer.score(with_notes, text)
    progress(1, 2)
    known = scorer.score(without_notes, text)
    progress(2, 2)
    gains = [_gain(one, other) for one, other in zip(read, known, strict=True)]
    ends = list(accumulate(len(token.piece) for token in gains))
    found, start, first = [], 0, 0
    for sentence in sentences:
        start += len(sentence.encode())
        last = next((i + 1 for i, end in enumerate(ends) if end >= start), len(gains))
        tokens = tuple(gains[first:last])
        found.append(SentenceProvenance(sentence, tokens, sum(t.gain for t in tokens) / max(len(tokens), 1)))
        first = last
    return found


def _gain(read: TokenScore, known: TokenScore) -> TokenProvenance:
    return TokenProvenance(read.piece, read.log_probability - known.log_probability)
