"""Fast answering from known passages: their states are put together at the places where a prompt has them.

A state of a passage is computed once, behind the fixed beginning of the prompt (system text, ``[1]``), and kept in
the store; llama.cpp turns its positions to any other place. So the best passage right behind the beginning is exact,
and the others lack one thing: they never saw the passages before them. That is an approximation (Prompt Cache, Gim
et al., 2023; TurboRAG, Lu et al., 2024), which a model pays for with worse answers unless something is read anew:
here whole passages at the end of the prompt (docs/decisions/0014-passage-states.md). Recomputing chosen tokens of
each passage in each layer (CacheBlend, Yao et al., 2024) is beyond this API.

Prompts without passages are read as ever, and nothing of an approximate prompt is stored as a prompt's state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.kv_store import KVStore, State
from rag.passages import Place, PromptTokens, reused_places
from rag.prompt_cache import Decoder, PromptCache, common_length

IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens whose state was computed behind ``context``."""

    context: tuple[int, ...]
    own: tuple[int, ...]


class PassageCache(PromptCache):
    """A PromptCache that puts prompts with passages together from pieces.

    ``recomputed`` tokens of passages at the end of a prompt are read anew, at least the last passage; with None none.
    """

    reuses_passages = True

    def __init__(
        self,
        decoder: Decoder,
        *,
        rows: int,
        store: KVStore | None = None,
        sequences: int = 1,
        is_exact: bool = True,
        recomputed: int | None = None,
    ) -> None:
        super().__init__(decoder, rows=rows, store=store, sequences=sequences, is_exact=is_exact)
        self._recomputed = recomputed
        # What sequence 0 holds while its content is not that of a plain reading; nothing else looks at it then.
        self._mixed: list[int] = []

    def prefill(self, tokens: Sequence[int], is_cancelled: IsCancelled) -> int | None:
        """As PromptCache.prefill; a prompt with passages is put together from their states, computed where missing."""
        mixed, self._mixed = self._mixed, []
        places = tokens.places if isinstance(tokens, PromptTokens) else ()
        reused = reused_places(places, self._recomputed)
        if not isinstance(tokens, PromptTokens) or not reused:
            return super().prefill(tokens, is_cancelled)
        begun: int | None = min(common_length(mixed, tokens), len(tokens) - 1)
        if begun is None or begun < reused[-1].end:
            begun = self._assemble(tokens, reused, is_cancelled)
        if begun is None:
            return None
        self._decoder.forget(begun)
        reached = self._evaluate(tokens, begun, is_cancelled)
        self._mixed = list(tokens[:reached])
        return begun if reached == len(tokens) else None

    def bake(self, tokens: PromptTokens, is_cancelled: IsCancelled) -> int | None:
        """Compute and store what is missing of a prompt's passages; how many tokens that were, None when cancelled."""
        self._mixed = []
        pieces = _pieces(tokens, tokens.places)
        missing = sum(len(piece.own) for piece in pieces if self._key(piece) not in self._store)
        if missing and self._states(pieces, is_cancelled) is None:
            return None
        self.clear()
        return missing

    def spread(self, prompts: Sequence[Sequence[int]], is_cancelled: IsCancelled) -> list[int] | None:
        """As PromptCache.spread, always exact."""
        self._mixed = []
        return super().spread([list(tokens) for tokens in prompts], is_cancelled)

    def extend(self, token: int) -> None:
        """Take note of a token that was decoded behind the prompt."""
        if self._mixed:
            self._mixed.append(token)
        else:
            super().extend(token)

    def clear(self) -> None:
        """Empty the context; nothing of it is stored."""
        self._mixed = []
        super().clear()

    def _assemble(self, tokens: PromptTokens, reused: Sequence[Place], is_cancelled: IsCancelled) -> int | None:
        """Put the states of the beginning and of the reused passages side by side; how many tokens that gives."""
        self.retire()
        pieces = _pieces(tokens, reused)
        states = self._states(pieces, is_cancelled)
        self._decoder.forget(0)
        if states is None:
            return None
        position = 0
        for piece, state in zip(pieces, states, strict=True):
            if not self._decoder.load_state(state, shift=position - len(piece.context)):
                break
            same = common_length(piece.own, tokens[position : position + len(piece.own)])
            position += same
            if same < len(piece.own):
                break
        return min(position, len(tokens) - 1)

    def _states(self, pieces: Sequence[Piece], is_cancelled: IsCancelled) -> list[State] | None:
        """The states of the pieces, the first of which is the beginning; None when it was cancelled."""
        self.retire()
        keys = [self._key(piece) for piece in pieces]
        self._store.touch(keys)
        held: list[int] = []
        states = []
        for piece, key in zip(pieces, keys, strict=True):
            state = self._store.get(key)
            if state is None:
                if states and not held and self._decoder.load_state(states[0]):
                    held = list(pieces[0].own)
                wanted = [*piece.context, *piece.own]
                begun = min(common_length(held, wanted), len(piece.context))
                self._decoder.forget(begun)
                held = wanted[: self._evaluate(wanted, begun, is_cancelled)]
                if len(held) < len(wanted):
                    return None
                state = self._decoder.save_state(len(piece.context), len(wanted))
                self._store.put(key, state)
            states.append(state)
        return states

    def _key(self, piece: Piece) -> bytes:
        return self._store.piece_key(piece.context, piece.own)


def _pieces(tokens: PromptTokens, places: Sequence[Place]) -> list[Piece]:
    """The beginning, then the label and the body of each place."""
    beginning = tuple(tokens[: tokens.places[0].label])
    opened = (*beginning, *tokens.opening)
    pieces = [Piece((), beginning)]
    for place in places:
        pieces.append(Piece(beginning, tuple(tokens[place.label : place.start])))
        pieces.append(Piece(opened, place.body))
    return pieces
