"""BM25 through rank_bm25: the second lexical backend and the reference for the first one.

Slow beyond a few thousand rows. The only module that imports rank_bm25. Persisted as token lists, one JSON array a
line, never as a pickle.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import DamagedIndexError

REPAIR = "Run: mingbai ingest"


class RankBM25Index:
    """``rank_bm25.BM25Okapi`` behind the LexicalIndex protocol."""

    def __init__(self, token_lists: Sequence[Sequence[str]], *, k1: float, b: float) -> None:
        from rank_bm25 import BM25Okapi

        self._token_lists = [list(tokens) for tokens in token_lists]
        self._constants = {"k1": k1, "b": b}
        # The library divides by the number of rows and by the number of tokens.
        self._okapi = BM25Okapi(self._token_lists, k1=k1, b=b) if any(self._token_lists) else None

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._token_lists)

    @classmethod
    def build(cls, token_lists: Iterable[Sequence[str]], *, k1: float = 1.5, b: float = 0.75) -> "RankBM25Index":
        """Index token lists; row n is the n-th list."""
        return cls(list(token_lists), k1=k1, b=b)

    def search(self, tokens: Sequence[str], k: int) -> list[tuple[int, float]]:
        """The best rows that share a token with the query, as (row, score), best first, ties by row."""
        if k <= 0 or self._okapi is None:
            return []
        wanted = set(tokens)
        # A score may be negative, so it does not tell whether a row matches.
        rows = [row for row, counts in enumerate(self._okapi.doc_freqs) if not wanted.isdisjoint(counts)]
        scores = self.scores(tokens)
        found = [(row, float(scores[row])) for row in rows]
        return sorted(found, key=lambda item: (-item[1], item[0]))[:k]

    def scores(self, tokens: Sequence[str]) -> NDArray[np.float64]:
        """What the library gives every row, shape (n,)."""
        if self._okapi is None:
            return np.zeros(len(self._token_lists))
        return np.asarray(self._okapi.get_scores(list(tokens)), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the token lists and constants into a folder (made when missing)."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "constants.json").write_text(json.dumps(self._constants), encoding="ascii")
        lines = (json.dumps(tokens) + "\n" for tokens in self._token_lists)
        with (folder / "tokens.jsonl").open("w", encoding="ascii") as file:
            file.writelines(lines)

    @classmethod
    def load(cls, folder: Path) -> "RankBM25Index":
        """Open a saved index; the counts are built again from the token lists.

        Raises:
            DamagedIndexError: a file is missing or cannot be read.
        """
        try:
            constants = json.loads((folder / "constants.json").read_text(encoding="ascii"))
            k1, b = float(constants["k1"]), float(constants["b"])
            with (folder / "tokens.jsonl").open(encoding="ascii") as file:
                token_lists = [json.loads(line) for line in file]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedIndexError(f"The lexical index in {folder} cannot be read: {error}. {REPAIR}") from error
        return cls(token_lists, k1=k1, b=b)
