"""Fenced code: which lines lie between two fences."""

import re
from bisect import bisect_right
from collections.abc import Sequence

from ingest.outline import Line

_FENCE = re.compile(r"(`{3,}|~{3,})([^\r\n]*)")
_BULLET = re.compile(r"[-*+] +")


def find_fences(lines: Sequence[Line]) -> dict[int, int]:
    """Index of each opening line → index of the line that closes it.

    A fence that is never closed is an ordinary line, so that one missing mark does not swallow the rest of a file.
    """
    marks = [(index, *mark) for index, line in enumerate(lines) if (mark := _mark(line.text)) is not None]
    closers = {char: [(i, size) for i, c, size, bare in marks if c == char and bare] for char in "`~"}
    never_closed = {"`": 1 << 62, "~": 1 << 62}
    fences: dict[int, int] = {}
    done = -1
    for index, char, size, _ in marks:
        if index <= done or size >= never_closed[char]:
            continue
        candidates = closers[char]
        first = bisect_right(candidates, (index, 1 << 62))
        close = next((i for i, closing in candidates[first:] if closing >= size), None)
        if close is None:
            never_closed[char] = size
        else:
            fences[index] = done = close
    return fences


def _mark(text: str) -> tuple[str, int, bool] | None:
    """The fence character, its length, and whether nothing follows it (only such a line closes a fence)."""
    stripped = text.strip()
    bullet = _BULLET.match(stripped)
    match = _FENCE.match(stripped, bullet.end() if bullet else 0)
    if match is None or (match[1][0] == "`" and "`" in match[2]):
        return None
    return match[1][0], len(match[1]), not match[2].strip() and bullet is None
