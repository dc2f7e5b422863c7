"""Cut one long line into pieces that overlap, at the best places there are."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.text import split_sentences

# A quoted passage is rarely longer. Any this long inside one line lies whole in one piece, whatever the cut.
QUOTE_CHARS = 80
# The overlap is a part of the piece, never most of it.
_MAX_OVERLAP_SHARE = 1 / 3
_MIN_OVERLAP_SHARE = 1 / 4
# What cannot be cut (a word, a formula, a line of code) may be longer than a chunk, up to this many times.
UNCUT_FACTOR = 2
# A last piece that adds less than this share of the target joins the one before it, where that fits.
_MIN_LAST_SHARE = 1 / 3

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_CLAUSE = re.compile(rf"[，、；：,;:](?:(?<=[，、；：])|(?=\s|[{_HAN}]))")
_SPACE = re.compile(r"\s+")
_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}])(?=[{_HAN}])")
# No cut falls inside these: code, formulas, addresses, short brackets, numbers with their signs.
_WHOLE = re.compile(
    r"`[^`]{1,200}`|\$[^$]{1,200}\$|https?://[^\s，。；、（）]+|\([^()]{0,80}\)|（[^（）]{0,80}）|\[[^\[\]]{0,80}\]"
    r"|(?<![A-Za-z0-9_.])[A-Za-z0-9_.]{1,60}(?:\s{0,2}[=+*/^<>×·≤≥-]\s{0,2}[A-Za-z0-9_.]{1,60})+"
)


@dataclass(frozen=True, slots=True)
class CutLimits:
    """Sizes in characters: no piece is above ``maximum``, the first one not above ``first``; all aim at ``target``."""

    target: int
    maximum: int
    first: int
    overlap_sentences: int


def cut(line: str, limits: CutLimits) -> list[tuple[int, int]]:
    """Cut ``line`` into pieces near ``limits.target``.

    Cuts fall behind sentences, else behind clauses, else at spaces, else between Chinese characters; inside a
    word only where it is longer than ``UNCUT_FACTOR`` times the maximum. Neighbours share whole sentences or, where
    these are short or too long, clauses: at least ``QUOTE_CHARS`` characters, unless no overlap is asked for.

    Returns:
        Spans in order; together they cover everything but blank space at the cuts.
    """
    places = _places(line)
    smallest = max(1, min(limits.target, limits.first))
    start = position = len(line) - len(line.lstrip())
    atoms = _divide(places, (start, len(line)), level=0, limits=limits, size=smallest)
    pieces: list[tuple[int, int]] = []
    for _, end in atoms:
        added = end - (pieces[-1][1] if pieces else start)
        if position > start and (added > (limits.target if pieces else smallest) or end - start > limits.maximum):
            pieces.append((start, position))
            start = _overlap_start(places, pieces[-1], end, limits)
        position = end
    pieces.append((start, position))
    return _trim(line, _join_last(pieces, limits))


def _places(line: str) -> list[list[int]]:
    """Where the line may be cut: behind sentences, behind clauses, at spaces, between Chinese characters."""
    whole = [match.span() for match in _WHOLE.finditer(line)]
    starts = [start for start, _ in whole]

    def is_open(place: int) -> bool:
        index = bisect_left(starts, place) - 1
        return 0 < place < len(line) and (index < 0 or place >= whole[index][1])

    sentences = [start for start, _ in split_sentences(line)]
    clauses = [match.end() for match in _CLAUSE.finditer(line)]
    spaces = [match.end() for match in _SPACE.finditer(line)]
    between = [match.start() for match in _BETWEEN_HAN.finditer(line)]
    return [[place for place in places if is_open(place)] for places in (sentences, clauses, spaces, between)]


def _divide(
    places: Sequence[Sequence[int]], span: tuple[int, int], *, level: int, limits: CutLimits, size: int
) -> list[tuple[int, int]]:
    """Smallest pieces of ``span`` that a cut may fall between: coarse places first, finer ones where needed."""
    start, end = span
    if end - start <= size:
        return [span]
    if level == len(places):
        step = limits.maximum if end - start > UNCUT_FACTOR * limits.maximum else end - start
        return [(at, min(at + step, end)) for at in range(start, end, step)]
    inner = places[level][bisect_right(places[level], start) : bisect_left(places[level], end)]
    bounds = [start, *inner, end]
    return [
        atom for pair in pairwise(bounds) for atom in _divide(places, pair, level=level + 1, limits=limits, size=size)
    ]


def _overlap_start(places: Sequence[Sequence[int]], piece: tuple[int, int], next_end: int, limits: CutLimits) -> int:
    """Where the piece behind ``piece`` starts so that it repeats the end of ``piece``."""
    begin, at = piece
    if limits.overlap_sentences == 0:
        return at
    highest = at - min(QUOTE_CHARS, int(limits.target * _MIN_OVERLAP_SHARE))
    lowest = max(begin + 1, at - int(limits.target * _MAX_OVERLAP_SHARE), next_end - limits.maximum)
    sentence = bisect_left(places[0], at) - limits.overlap_sentences
    wanted = places[0][sentence] if sentence >= 0 else begin
    for level, kind in enumerate(places):
        before = bisect_right(kind, min(highest, wanted) if level == 0 else highest) - 1
        if before >= 0 and kind[before] >= lowest:
            return kind[before]
    return at


def _join_last(pieces: list[tuple[int, int]], limits: CutLimits) -> list[tuple[int, int]]:
    if len(pieces) < 2:
        return pieces
    *rest, before, last = pieces
    bound = limits.maximum if rest else limits.first
    if last[1] - before[1] < limits.target * _MIN_LAST_SHARE and last[1] - before[0] <= bound:
        return [*rest, (before[0], last[1])]
    return pieces


def _trim(line: str, pieces: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leave out blank space at both ends of each piece, and pieces of nothing else."""
    trimmed = []
    for start, end in pieces:
        text = line[start:end]
        if text.strip():
            trimmed.append((start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))))
    return trimmed
