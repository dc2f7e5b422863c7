"""From logits to a token, and from tokens to the text that may be shown. Pure; no model is needed."""

import codecs
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rag.errors import EngineError
from rag.streaming import Finish

Logits = NDArray[np.float32]

# A loop is three copies in a row of at least this many tokens ("复读机").
LOOP_TOKENS = 8
LOOP_COPIES = 3
# The longest repeated block that is looked for; longer ones end with max_tokens.
_MAX_PERIOD = 256
# Shorter sentences ("是的。") may come back three times in a good answer.
_MIN_SENTENCE_CHARS = 8
_SENTENCE_ENDS = re.compile(r"[。！？!?\n]")
_FENCE = "```"
# Tokens a thousand times less likely than the best are sorted only when the nucleus needs them: sorting
# the whole vocabulary takes half as long as a forward pass of a small model.
_LIKELY = 1e-3


def pick(logits: Logits, *, temperature: float, top_p: float, rng: np.random.Generator) -> int:
    """The next token: the best one at temperature 0 (the first of equals), else nucleus sampling.

    Source: Holtzman et al., 2020 (top-p). Equal seeds give equal tokens.
    """
    best = int(logits.argmax())
    if not np.isfinite(logits[best]):
        raise EngineError("The model gave no usable scores (all are infinite or NaN). Verify it: mingbai models verify")
    if temperature == 0:
        return best
    weights = np.exp((logits.astype(np.float64) - logits[best]) / temperature)
    order = np.arange(len(weights)) if top_p == 1 else _nucleus(weights, top_p)
    mass = np.cumsum(weights[order])
    return int(order[min(int(np.searchsorted(mass, rng.random() * mass[-1], side="right")), len(mass) - 1)])


def shares(logits: Logits, tokens: Sequence[int]) -> list[float]:
    """The probabilities of these tokens among themselves, summing to 1."""
    scores = logits[list(tokens)].astype(np.float64)
    weights = np.exp(scores - scores.max())
    return list((weights / weights.sum()).tolist())


def _nucleus(weights: NDArray[np.float64], top_p: float) -> NDArray[np.intp]:
    """The smallest set of tokens, best first, whose weights reach ``top_p`` of the sum."""
    wanted = top_p * weights.sum()
    likely = np.flatnonzero(weights >= _LIKELY)
    if weights[likely].sum() < wanted:
        likely = np.arange(len(weights))
    order = likely[np.argsort(-weights[likely], kind="stable")]
    return order[: int(np.searchsorted(np.cumsum(weights[order]), wanted)) + 1]


class LoopFinder:
    """Watches tokens for a block that comes again and again at one distance."""

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._runs = np.zeros(_MAX_PERIOD, dtype=np.int64)
        self._periods = np.arange(1, _MAX_PERIOD + 1)

    def push(self, token: int) -> None:
        """Take the next token: ``runs[p - 1]`` counts the last tokens that equal the one ``p`` before them."""
        before = np.full(_MAX_PERIOD, -1)
        recent = self._tokens[-_MAX_PERIOD:]
        before[: len(recent)] = recent[::-1]
        self._runs = np.where(before == token, self._runs + 1, 0)
        self._tokens.append(token)

    @property
    def repeated(self) -> int:
        """How many tokens at the end repeat earlier ones so far; they may be the start of a loop."""
        return int(self._runs.max())

    @property
    def loop(self) -> int:
        """How many tokens at the end are copies of the block before them; 0 when there is no loop."""
        enough = self._runs + self._periods >= LOOP_COPIES * np.maximum(self._periods, LOOP_TOKENS)
        return int(self._runs[enough].max(initial=0))


class AnswerText:
    """Turns token bytes into text that may be shown: whole characters, no stop string, no loop.

    Text is held back while it may still turn out to be the start of a stop string or the second copy
    of a loop, so what was shown never has to be taken back.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(filter(None, stop))
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        self._text = ""
        self._shown = 0
        self._ends: list[int] = []
        self._loops = LoopFinder()
        self._sentences: Counter[str] = Counter()
        self._starts = [0]
        self.finish: Finish | None = None

    def push(self, token: int, piece: bytes) -> str:
        """Take the next token; returns the text that can be shown now. ``finish`` is set at a stop or a loop."""
        seen = len(self._text)
        self._text += self._decoder.decode(piece)
        self._ends.append(len(self._text))
        self._loops.push(token)
        if (cut := self._stop_at(seen)) is not None:
            return self._end("stop", cut)
        if self._loops.loop:
            return self._end("repetition", self._end_before(self._loops.loop))
        if self._has_repeated_sentence(seen):
            return self._end("repetition", min(start for start in self._starts if start >= self._shown))
        possible_stop = len(self._text) - held_back(self._text, self._stop)
        return self._show(min(possible_stop, self._end_before(self._loops.repeated)))

    def close(self) -> str:
        """Nothing more comes: the text that was still held back. Half a character at the end is dropped."""
        return self._show(len(self._text))

    def _end(self, finish: Finish, cut: int) -> str:
        self.finish = finish
        self._text = self._text[: max(cut, self._shown)]
        return self.close()

    def _show(self, end: int) -> str:
        start, self._shown = self._shown, max(self._shown, end)
        return self._text[start : self._shown]

    def _end_before(self, tokens: int) -> int:
        return self._ends[-tokens - 1] if tokens < len(self._ends) else 0

    def _stop_at(self, seen: int) -> int | None:
        """Where the first stop string begins that ends in the new text."""
        found = (self._text.find(stop, max(0, seen - len(stop) + 1)) for stop in self._stop)
        return min((at for at in found if at >= 0), default=None)

    def _has_repeated_sentence(self, seen: int) -> bool:
        """Whether a sentence was just completed for the third time. Code may repeat its lines."""
        for match in _SENTENCE_ENDS.finditer(self._text, seen):
            sentence = self._text[self._starts[-1] : match.end()].strip()
            self._starts.append(match.end())
            if len(sentence) >= _MIN_SENTENCE_CHARS and self._text.count(_FENCE, 0, match.end()) % 2 == 0:
                self._sentences[sentence] += 1
                if self._sentences[sentence] >= LOOP_COPIES:
                    return True
        return False


def held_back(text: str, marks: Sequence[str]) -> int:
    """How many characters at the end of ``text`` may be the beginning of one of ``marks``."""
    longest = max(map(len, marks), default=0)
    return next((n for n in range(min(longest - 1, len(text)), 0, -1) if text.endswith(_heads(marks, n))), 0)


def _heads(marks: Sequence[str], length: int) -> tuple[str, ...]:
    return tuple(mark[:length] for mark in marks if len(mark) > length)
