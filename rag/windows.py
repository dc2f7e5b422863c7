"""Windows: a long chunk as runs of sentences, each with a vector of its own.

A question often meets one sentence of a long chunk; a window lies nearer to it than the whole does. Ingest embeds
windows, retrieval says which of them met the question, and RCG quotes them. Measured on the development questions:
docs/decisions/0003-small-to-big.md.
"""

from rag.text import split_sentences

# A chunk of at most this many characters is its own window.
MIN_CHUNK_CHARS = 160
WINDOW_CHARS = 140
MIN_WINDOW_CHARS = 15


def windows(text: str) -> list[tuple[int, int]]:
    """Spans of consecutive sentences of about WINDOW_CHARS; none for a short text."""
    if len(text) <= MIN_CHUNK_CHARS:
        return []
    spans: list[tuple[int, int]] = []
    for start, end in split_sentences(text):
        if spans and end - spans[-1][0] <= WINDOW_CHARS:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return [(start, end) for start, end in spans if end - start >= MIN_WINDOW_CHARS] if len(spans) > 1 else []
