"""States of passages, computed ahead for a whole index: for the first questions, within the budget of the disk."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.prompting import fill, render_passage
from rag.text import detect_language
from rag.types import Chunk, Message, Mode, Passage

# Of the budget: the rest is for headers, the beginnings of prompts, and the states of other prompts.
FILLED = 0.95


class Baker(Protocol):
    """An engine that can compute states ahead."""

    def count_tokens(self, text: str) -> int:
        """The number of tokens of a plain text."""

    def bake(self, messages: Sequence[Message], *, is_trial: bool = False) -> int:
        """Store what is missing of a prompt's passages; how many tokens those are. With ``is_trial`` only that."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be computed: prompts of one passage each, with the tokens that each lacks.

    ``known`` passages are there already, ``left_out`` do not fit the budget. ``size`` is in bytes, known ones included.
    """

    prompts: tuple[tuple[tuple[Message, ...], int], ...]
    known: int
    left_out: int
    size: int

    @property
    def tokens(self) -> int:
        """How many tokens have to be read."""
        return sum(missing for _, missing in self.prompts)


def plan(chunks: Iterable[Chunk], baker: Baker, *, bytes_per_token: int, budget: int) -> Plan:
    """Look what is missing for RCG questions in the language of most chunks, in the order of the index.

    Args:
        chunks: all that a question may find.
        baker: the engine; nothing is computed.
        bytes_per_token: size of a state.
        budget: bytes; passages from the first on that would exceed FILLED of it are left out.
    """
    given = list(chunks)
    languages = Counter(detect_language(chunk.text) for chunk in given)
    language = languages.most_common(1)[0][0] if languages else "zh"
    prompts: list[tuple[tuple[Message, ...], int]] = []
    known = size = 0
    for number, chunk in enumerate(given):
        text = render_passage(Passage.of(chunk))
        more = baker.count_tokens(text) * bytes_per_token
        if size + more > FILLED * budget:
            return Plan(tuple(prompts), known, len(given) - number, size)
        size += more
        messages = fill(Mode.RCG, language, {"passages": text, "question": ""})
        missing = baker.bake(messages, is_trial=True)
        known += not missing
        if missing:
            prompts.append((messages, missing))
    return Plan(tuple(prompts), known, 0, size)


def warm(planned: Plan, baker: Baker, progress: Callable[[int, float], None]) -> None:
    """Compute what a plan lists. Whatever is done stays done, so an interrupted call goes on where it was.

    ``progress`` is told after each passage how many are done, and how many seconds the rest will take.
    """
    started = time.perf_counter()
    read = 0
    for done, (messages, missing) in enumerate(planned.prompts, 1):
        baker.bake(messages)
        read += missing
        progress(done, (time.perf_counter() - started) / read * (planned.tokens - read))
