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
    """A PromptCache that puts prompts with passages together from pieces; without ``is_approximate`` only exact ones.

    ``recomputed`` tokens of passages at the end of a prompt are read anew, at least the last passage; with None none.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        rows: int,
        store: KVStore | None = None,
        sequences: int = 1,
        is_exact: bool = True,
        is_approximate: bool = True,
        recomputed: int | None = None,
    ) -> None:
        super().__init__(decoder, rows=rows, store=store, sequences=sequences, is_exact=is_exact)
        self.reuses_passages = is_approximate
        self._recomputed = recomputed
        # What sequence 0 holds while its content is not that of a plain reading; nothing else looks at it then.
        self._mixed: list[int] = []

    def prefill(self, tokens: Sequence[int], is_cancelled: IsCancelled) -> int | None:
        """As PromptCache.prefill; a prompt with passages is put together from their states, computed where missing."""
        mixed, self._mixed = self._mixed, []
        if not isinstance(tokens, PromptTokens) or not self.reuses_passages:
            return super().prefill(tokens, is_cancelled)
        reused = reused_places(tokens.places, self._recomputed)
        if not reused:
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

    def unbaked(self, tokens: PromptTokens) -> int:
        """How many tokens of the states of a prompt's passages are not stored."""
        pieces = _pieces(tokens, tokens.places)
        return sum(len(piece.own) for piece in pieces if self._key(piece) not in self._store)

    def bake(self, tokens: PromptTokens, is_cancelled: IsCancelled) -> int | None:
        """Compute and store what is missing of a prompt's passages; how many tokens that were, None when cancelled."""
        self._mixed = []
        missing = self.unbaked(tokens)
        if missing and self._states(_pieces(tokens, tokens.places), is_cancelled) is None:
            return None
        self.clear()
        return missing

    def spread(self, prompts: Sequence[Sequence[int]], is_cancelled: IsCancelled) -> list[int] | None:
        """As PromptCache.spread, always exact. Of prompts with one passage only what follows it is left to evaluate."""
        self._mixed = []
        cut = [tokens for tokens in prompts if isinstance(tokens, PromptTokens) and _begins_with_its_passage(tokens)]
        if len(cut) < len(prompts):
            return super().spread([list(tokens) for tokens in prompts], is_cancelled)
        return self._side_by_side(cut, is_cancelled)

    def retire(self, kept: int = 0) -> None:
        """As PromptCache.retire."""
        self._mixed = []
        super().retire(kept)

    def keep(self, tokens: Sequence[int], sequence: int) -> None:
        """As PromptCache.keep, but nothing where prompts may be approximate."""
        if not self.reuses_passages:
            super().keep(tokens, sequence)

    def clear(self) -> None:
        """Empty the context; nothing of it is stored."""
        self._mixed = []
        super().clear()

    def _side_by_side(self, prompts: Sequence[PromptTokens], is_cancelled: IsCancelled) -> list[int] | None:
        pieces = [_pieces(tokens, tokens.places) for tokens in prompts]
        states = [self._states(needed, is_cancelled) for needed in pieces]
        self.clear()
        begun: list[int] = []
        for number, (tokens, needed, held) in enumerate(zip(prompts, pieces, states, strict=True)):
            if held is None:
                return None
            opened, position = tokens.places[0].start, 0
            if number and prompts[number - 1][:opened] == tokens[:opened] and begun[number - 1] >= opened:
                self._decoder.share(number - 1, number, opened)
                position = opened
            for piece, state in zip(needed, held, strict=True):
                if position == len(piece.context):
                    loaded = self._decoder.load_state(state, number)
                    position += common_length(piece.own, tokens[position:]) if loaded else 0
            self._decoder.forget(position, number)
            begun.append(position)
        return begun

    def _assemble(self, tokens: PromptTokens, reused: Sequence[Place], is_cancelled: IsCancelled) -> int | None:
        """Put the states of the beginning and of the reused passages side by side; how many tokens that gives."""
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
        states: list[State] = []
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


def _begins_with_its_passage(tokens: PromptTokens) -> bool:
    """Whether there is one passage only, behind the label that states are computed behind."""
    return len(tokens.places) == 1 and tokens[tokens.places[0].label : tokens.places[0].start] == [*tokens.opening]


def _pieces(tokens: PromptTokens, places: Sequence[Place]) -> list[Piece]:
    """The beginning, then the label and the body of each place."""
    beginning = tuple(tokens[: tokens.places[0].label])
    opened = (*beginning, *tokens.opening)
    pieces = [Piece((), beginning)]
    for place in places:
        pieces.append(Piece(beginning, tuple(tokens[place.label : place.start])))
        pieces.append(Piece(opened, place.body))
    return pieces
