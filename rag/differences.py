"""What each of several texts says that the others do not: for showing answers side by side.

Compared are content units as in ``rag.evidence``: pairs of Chinese characters, Latin words, numbers. A word in
another order or with other grammar around it is no difference; another name or number is one.
"""

import re
from collections.abc import Sequence

from rag.evidence import features
from rag.text import fold_with_map

_RUN = re.compile(r"[\u3400-\u9fff]{2,}")
_WORD = re.compile(r"\d+(?:[.,]\d+)*%?|[a-z][a-z0-9_]*(?:[-.+/][a-z0-9]+)*")

Span = tuple[int, int]


def only_here(texts: Sequence[str]) -> list[list[Span]]:
    """For each text the spans (start, end; characters, in order, apart) of what none of the others says.

    A single text, and one beside empty ones, has nothing to differ from: its list is empty.
    """
    units = [features(text).units for text in texts]
    spoken = sum(bool(unit) for unit in units)
    return [
        _spans(text, units[i] - frozenset().union(*(other for j, other in enumerate(units) if j != i)))
        if spoken > 1
        else []
        for i, text in enumerate(texts)
    ]


def _spans(text: str, fresh: frozenset[str]) -> list[Span]:
    folded, sources = fold_with_map(text)
    marked = [False] * len(folded)
    for run in _RUN.finditer(folded):
        for at in range(run.start(), run.end() - 1):
            if folded[at : at + 2] in fresh:
                marked[at] = marked[at + 1] = True
    for word in _WORD.finditer(folded):
        if word.group().replace(",", "").rstrip(".") in fresh or word.group() in fresh:
            marked[word.start() : word.end()] = [True] * (word.end() - word.start())
    spans: list[Span] = []
    for at, is_marked in enumerate(marked):
        if not is_marked:
            continue
        start, end = sources[at], sources[at + 1] if at + 1 < len(sources) else len(text)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans
