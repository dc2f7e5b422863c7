"""Which part of a prompt was read before, in this context or in a stored state, and how the rest is evaluated.

Reuse must not change an answer. llama.cpp's CPU kernels give each row of a batch the same bits in any
batch of at least 64 rows, but other bits in smaller ones (flash attention switches from tiles of 64
queries to single rows; measured on two Qwen2.5 models, with repacked weights only multiples of 4 rows
agree). So every row of a prompt is evaluated in a batch of at least 64, and tokens that were
decoded one by one are not reused: a warm prompt then equals a cold one bit by bit. Stored states hold the same
bits, and are put back in order from the first cell on, so that attention adds up in the same order.

Without this rule (``is_exact`` False) only what is new is read, answers included: about twice as fast for a short
follow-up, and then a warm answer may differ from a cold one where two tokens are nearly as likely.

Bits also depend on which cells a prompt lies in, so what is read while other answers are in the context (``join``, or
a prompt while not ``is_alone``) is never stored under this rule.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from rag.errors import EngineError
from rag.kv_store import BLOCK, KVStore, State

# Below this many rows the attention kernel takes another path (see above).
MIN_ROWS = 64
# A CPU prefills 128 rows a call as fast as 512 (measured), and a cancel waits for one call only.
# Twice MIN_ROWS, so that equal batches never fall below it.
CPU_ROWS = 2 * MIN_ROWS


class Decoder(Protocol):
    """A KV cache; sequence 0 where none is named."""

    def decode(self, tokens: Sequence[int], position: int, *, sequence: int = 0) -> None:
        """Evaluate tokens at ``position``; the logits of the last one can be read after it."""

    def forget(self, position: int, sequence: int = 0) -> None:
        """Drop all tokens of a sequence from ``position`` on."""

    def save_state(self, start: int, end: int, sequence: int = 0) -> State:
        """A copy of what the cache holds of the tokens at ``start:end``."""

    def load_state(self, state: State, sequence: int = 0, *, shift: int = 0) -> bool:
        """Append what ``save_state`` gave, ``shift`` places further; False where it does not fit: nothing changed."""

    def share(self, source: int, target: int, end: int) -> None:
        """Let another sequence have the first ``end`` tokens of one, too."""


class PromptCache:
    """The tokens of the last prompt as they stand in the cache of ``decoder``; owned by one thread.

    A prompt that has to make room for another one leaves its blocks in the store.
    ``rows`` is the most that one batch may hold; less than 128 counts as 128. ``sequences`` prompts may be spread.
    ``is_alone`` is told from outside: whether nobody else has anything in the context.
    """

    # Whether prompts with passages are read approximately (rag.passage_cache).
    reuses_passages = False

    def __init__(
        self,
        decoder: Decoder,
        *,
        rows: int,
        store: KVStore | None = None,
        sequences: int = 1,
        is_exact: bool = True,
    ) -> None:
        self._decoder = decoder
        self.rows = max(rows, CPU_ROWS)
        self.sequences = sequences
        self.is_alone = True
        self._is_exact = is_exact
        self._fewest = MIN_ROWS if is_exact else 1
        self._store = store or KVStore(0)
        self._tokens: list[int] = []

    def prefill(self, tokens: Sequence[int], is_cancelled: Callable[[], bool]) -> int | None:
        """Bring exactly ``tokens`` into the cache and evaluate the last one.

        Returns:
            How many tokens were reused, or None when it was cancelled between two batches.

        Raises:
            EngineError: llama.cpp could not evaluate a batch; the cache is empty then.
        """
        reused = self._reuse(tokens)
        reached = self._evaluate(tokens, reused, is_cancelled)
        self._keep(tokens[:reached])
        return reused if reached == len(tokens) else None

    def spread(self, prompts: Sequence[Sequence[int]], is_cancelled: Callable[[], bool]) -> list[int] | None:
        """Put the stored beginnings of several prompts side by side, each into the sequence of its number.

        A prompt of which too little is stored is read first, as ``prefill`` does, so that its next reading is cheap.
        At least the last token of each is left to evaluate; ``clear`` has to follow.

        Returns:
            How many tokens of each prompt are in its sequence, or None when it was cancelled.

        Raises:
            EngineError: llama.cpp could not evaluate a batch; the cache is empty then.
        """
        self.retire()
        for tokens in prompts:
            keys = self._store.keys(tokens[:-1])
            whole = len(keys) * BLOCK if self._may_store else 0
            if whole - self._store.held(keys) * BLOCK > CPU_ROWS and self.prefill(tokens[:whole], is_cancelled) is None:
                return None
        self.retire()
        begun: list[int] = []
        for number, tokens in enumerate(prompts):
            common = min(common_length(prompts[number - 1], tokens), begun[number - 1]) if number else 0
            shared = common // BLOCK * BLOCK
            if shared:
                self._decoder.share(number - 1, number, shared)
            begun.append(self._load(self._store.keys(tokens[:-1]), shared, number))
        return begun

    def join(
        self,
        tokens: Sequence[int],
        sequence: int,
        others: Sequence[tuple[int, Sequence[int]]],
        is_cancelled: Callable[[], bool],
    ) -> int | None:
        """As ``prefill``, but into another sequence, beside ``others``: sequences and the prompts they begin with.

        What it has in common with one of them is shared; each call evaluates at most 128 tokens.
        """
        self.retire()
        source, start = max(
            ((number, common_length(prompt, tokens[:-1])) for number, prompt in others),
            key=lambda one: one[1],
            default=(0, 0),
        )
        keys = self._store.keys(tokens[:-1])
        held = self._store.held(keys) * BLOCK
        start -= start % BLOCK if held > start else 0
        if start:
            self._decoder.share(source, sequence, start)
        reused = self._load(keys[: held // BLOCK], start, sequence) if held > start else start
        position = reused
        for size in batch_sizes(len(tokens) - reused, CPU_ROWS):
            if is_cancelled():
                return None
            self._decoder.decode(tokens[position : position + size], position, sequence=sequence)
            position += size
        return reused

    def keep(self, tokens: Sequence[int], sequence: int) -> None:
        """Store what another sequence holds, an answer included; only where bits need not be exact."""
        if not self._is_exact:
            self._save(tokens, sequence)

    def clear(self) -> None:
        """Empty the context; nothing of it is stored."""
        self._tokens = []
        for sequence in range(self.sequences):
            self._decoder.forget(0, sequence)

    def retire(self, kept: int = 0) -> None:
        """Drop what the context holds beyond the first ``kept`` tokens; the store takes the whole prompt first."""
        if kept < len(self._tokens):
            self._save(self._tokens, 0)
        self._tokens = self._tokens[:kept]
        self._decoder.forget(kept)

    def _evaluate(self, tokens: Sequence[int], position: int, is_cancelled: Callable[[], bool]) -> int:
        """Evaluate ``tokens`` from ``position`` on; where that ended: at the end, or earlier when it was cancelled."""
        for size in batch_sizes(len(tokens) - position, self.rows):
            if is_cancelled():
                break
            try:
                self._decoder.decode(tokens[position : position + size], position)
            except EngineError:
                self._decoder.forget(0)
                raise
            position += size
        return position

    def _reuse(self, tokens: Sequence[int]) -> int:
        """Make the context hold a beginning of ``tokens``, from itself or from the store; its length."""
        most = max(0, len(tokens) - self._fewest)
        common = common_length(self._tokens, tokens)
        self.retire(common)
        live = min(common, most)
        keys = self._store.keys(tokens[:most])
        held = self._store.held(keys) * BLOCK
        self._tokens = []
        if held > live:
            live -= live % BLOCK
            self._decoder.forget(live)
            live = self._load(keys[: held // BLOCK], live, 0)
        self._decoder.forget(live)
        return live

    def _load(self, keys: Sequence[bytes], position: int, sequence: int) -> int:
        """Append stored blocks at ``position``; where that ended: before a block that is damaged or does not fit."""
        self._store.touch(keys)
        for key in keys[position // BLOCK :]:
            state = self._store.get(key)
            if state is None or not self._decoder.load_state(state, sequence):
                break
            position += BLOCK
        return position

    @property
    def _may_store(self) -> bool:
        return self.is_alone or not self._is_exact

    def _keep(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens) if len(tokens) >= self._fewest and self._may_store else []

    def _save(self, tokens: Sequence[int], sequence: int) -> None:
        keys = self._store.keys(tokens)
        for number, key in enumerate(keys):
            if key not in self._store:
                self._store.put(key, self._decoder.save_state(number * BLOCK, (number + 1) * BLOCK, sequence))
        self._store.touch(keys)


def common_length(old: Sequence[int], new: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(old), len(new)))


def batch_sizes(count: int, rows: int) -> list[int]:
    """Cut ``count`` tokens into as few batches of at most ``rows`` as possible, all within one token of equal."""
    batches = -(-count // rows)
    return [count // batches + (i < count % batches) for i in range(batches)]
