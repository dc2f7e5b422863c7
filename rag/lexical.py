"""BM25 over persisted postings: the default lexical leg.

Scores equal ``rank_bm25.BM25Okapi`` (Robertson and Zaragoza, 2009, with its floor on negative idf). The weight of every
token in every row is computed once, at build time, so that a search only adds up a few slices of two flat arrays.
"""

import json
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.errors import DamagedIndexError

# The floor of a token in more than half of the rows, as a share of the mean idf; the default of rank_bm25.
EPSILON = 0.25
REPAIR = "Run: mingbai ingest"

# The header of a .npy file with one axis; nothing beyond it means an empty array.
_NPY_HEADER = 128

Floats = NDArray[np.float64]
_Number = TypeVar("_Number", np.int32, np.int64, np.float64)


@dataclass(frozen=True, slots=True)
class _Postings:
    """Rows and weights of token ``t`` lie at ``starts[t]:starts[t + 1]``; rows ascend within a token."""

    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    weights: Floats


class PostingsIndex:
    """Token → rows and ready BM25 weights, in compressed sparse rows. Read-only once built; safe to share."""

    def __init__(self, vocabulary: Sequence[str], postings: _Postings, size: int) -> None:
        self._ids = {token: number for number, token in enumerate(vocabulary)}
        self._postings = postings
        self._size = size

    def __len__(self) -> int:
        """The number of rows."""
        return self._size

    @classmethod
    def build(cls, token_lists: Iterable[Sequence[str]], *, k1: float = 1.5, b: float = 0.75) -> "PostingsIndex":
        """Index token lists; row n is the n-th list. An empty corpus gives an index that finds nothing."""
        ids: dict[str, int] = {}
        tokens, rows, counts, lengths = array("q"), array("i"), array("i"), array("q")
        for row, token_list in enumerate(token_lists):
            lengths.append(len(token_list))
            for token, count in Counter(token_list).items():
                tokens.append(ids.setdefault(token, len(ids)))
                rows.append(row)
                counts.append(count)
        token_of = np.asarray(tokens, dtype=np.int64)
        order = np.argsort(token_of, kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(token_of, minlength=len(ids)))))
        row_of = np.asarray(rows, dtype=np.int32)[order]
        weights = _weights(starts, row_of, np.asarray(counts, dtype=np.float64)[order], _Lengths(lengths, k1, b))
        return cls(list(ids), _Postings(starts.astype(np.int64), row_of, weights), len(lengths))

    def search(self, tokens: Sequence[str], k: int) -> list[tuple[int, float]]:
        """The best rows that share a token with the query, as (row, score), best first, ties by row.

        A token that is given twice counts twice. Empty for ``k <= 0``, an empty index and unknown tokens.
        """
        known = [self._ids[token] for token in tokens if token in self._ids]
        if k <= 0 or not known:
            return []
        starts, rows, weights = self._postings.starts, self._postings.rows, self._postings.weights
        pieces = [slice(starts[token], starts[token + 1]) for token in known]
        scores = np.zeros(self._size)
        for piece in pieces:
            np.add.at(scores, rows[piece], weights[piece])
        if all(weights[piece.start] > 0 for piece in pieces):
            is_match = scores > 0
        else:  # a token in half of the rows or more weighs 0 or less: its score does not tell who matches
            is_match = np.zeros(self._size, dtype=np.bool_)
            for piece in pieces:
                is_match[rows[piece]] = True
        matches = np.flatnonzero(is_match)
        return _best(matches, scores[matches], k)

    def save(self, folder: Path) -> None:
        """Write the arrays and the vocabulary into a folder (made when missing). The caller swaps and checks them."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "starts.npy", self._postings.starts, allow_pickle=False)
        np.save(folder / "rows.npy", self._postings.rows, allow_pickle=False)
        np.save(folder / "weights.npy", self._postings.weights, allow_pickle=False)
        content = json.dumps({"size": self._size, "tokens": list(self._ids)}, ensure_ascii=True)
        (folder / "vocabulary.json").write_text(content, encoding="ascii")

    @classmethod
    def load(cls, folder: Path) -> "PostingsIndex":
        """Open a saved index; the arrays are mapped, not read.

        Raises:
            DamagedIndexError: a file is missing, cannot be read, or does not fit the others.
        """
        try:
            content = json.loads((folder / "vocabulary.json").read_text(encoding="ascii"))
            vocabulary, size = list(content["tokens"]), int(content["size"])
            postings = _Postings(
                _mapped(folder / "starts.npy", np.int64),
                _mapped(folder / "rows.npy", np.int32),
                _mapped(folder / "weights.npy", np.float64),
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise DamagedIndexError(f"The lexical index in {folder} cannot be read: {error}. {REPAIR}") from error
        if not _fits(postings, len(vocabulary), size):
            raise DamagedIndexError(f"The files of the lexical index in {folder} do not fit each other. {REPAIR}")
        return cls(vocabulary, postings, size)


class _Lengths:
    """The part of BM25 that depends on a row's length: k1 · (1 − b + b · length / mean length)."""

    def __init__(self, lengths: Sequence[int], k1: float, b: float) -> None:
        values = np.asarray(lengths, dtype=np.float64)
        self.size = len(values)
        self.gain = k1 + 1
        mean = values.sum() / self.size if self.size else 1.0
        # Without any token there is no posting either, so the value is never read.
        self.penalty = k1 * (1 - b + b * values / (mean or 1.0))


def _weights(starts: NDArray[np.int64], rows: NDArray[np.int32], counts: Floats, lengths: _Lengths) -> Floats:
    frequencies = np.diff(starts)
    idf = np.array([math.log(lengths.size - n + 0.5) - math.log(n + 0.5) for n in frequencies.tolist()])
    if len(idf):
        # Summed one by one, as rank_bm25 does, so that the floor is the same to the last bit.
        idf[idf < 0] = EPSILON * (sum(idf.tolist()) / len(idf))
    saturation = counts * lengths.gain / (counts + lengths.penalty[rows])
    weights: Floats = np.repeat(idf, frequencies) * saturation
    return weights


def _best(rows: NDArray[np.intp], scores: Floats, k: int) -> list[tuple[int, float]]:
    if k < len(rows):
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        kept = np.flatnonzero(scores >= threshold)
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:k]
    return list(zip(rows[order].tolist(), scores[order].tolist(), strict=True))


def _mapped(file: Path, kind: type[_Number]) -> NDArray[_Number]:
    # An empty array cannot be mapped; its file is a header only, so reading it costs nothing.
    content = np.load(file, mmap_mode=None if _is_empty(file) else "r", allow_pickle=False)
    if not isinstance(content, np.ndarray) or content.dtype != kind or content.ndim != 1:
        raise ValueError(f"{file.name} is not a row of {kind.__name__}")
    return content


def _is_empty(file: Path) -> bool:
    return file.stat().st_size <= _NPY_HEADER


def _fits(postings: _Postings, tokens: int, size: int) -> bool:
    starts, rows = postings.starts, postings.rows
    if len(starts) != tokens + 1 or len(rows) != len(postings.weights) or starts[0] != 0 or starts[-1] != len(rows):
        return False
    return bool((np.diff(starts) >= 0).all()) and (not len(rows) or bool(rows.min() >= 0 and rows.max() < size))
