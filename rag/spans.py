"""The address of a quoted span inside an entry: where it stood, and what it said, so that it is found again.

A name is ``start-end-hash``: document offsets and the first hex digits of the sha256 of the text. A note that was
edited above the span has moved it; the hash finds it where it stands now. Text that was changed is not found: what a
link marks is what was cited, or nothing.
"""

import hashlib
import re

_NAME = re.compile(r"(\d{1,9})-(\d{1,9})-([0-9a-f]{12})")
_HASH_CHARS = 12
# As much of an entry as is searched for a span that moved: each place costs a hash of the span.
_SEARCHED_CHARS = 40_000
_LONGEST = 4000


def span_name(start: int, quote: str) -> str:
    """The name of the span that begins at ``start`` of its document and says ``quote``."""
    return f"{start}-{start + len(quote)}-{_digest(quote)}"


def find_span(name: str, body: str, start: int) -> tuple[int, int] | None:
    """Where the span of a name stands in ``body``, whose first character is at ``start`` of its document.

    Returns:
        (start, end) in characters of ``body``: where the name says when the text is still there, else the place
        nearest to it. None for a name that is none, and for text that is there no more.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    first, length = int(match[1]) - start, int(match[2]) - int(match[1])
    if not 0 < length <= _LONGEST:
        return None
    if first >= 0 and _digest(body[first : first + length]) == match[3]:
        return first, first + length
    last = min(len(body), _SEARCHED_CHARS) - length
    places = [place for place in range(last + 1) if _digest(body[place : place + length]) == match[3]]
    best = min(places, key=lambda place: abs(place - first), default=None)
    return None if best is None else (best, best + length)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
