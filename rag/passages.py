"""Where the passages lie in a prompt, in tokens, so that what was computed of one can serve in another prompt.

The text is cut before each ``[n]`` and behind it. Both cuts are borders for the tokenizer, too (a line has just
ended, or a bracket closes before a space), so the tokens are those of the uncut text: byte-equal passages have equal
tokens wherever they stand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.chat_format import Segment
from rag.prompting import PASSAGE_END, passage_spans

# What stands before a passage while its state is computed: the state is then exact for the best passage of a prompt.
_OPENING = "[1]"


@dataclass(frozen=True, slots=True)
class Place:
    """One passage of a prompt: ``label`` and ``start`` (behind the label) and ``end`` are token offsets.

    ``body`` are its tokens as they stand when another passage follows. Those at ``start:end`` differ from them at
    most in the last ones: behind the last passage fewer empty lines follow.
    """

    label: int
    start: int
    end: int
    body: tuple[int, ...]


class PromptTokens(list[int]):
    """The tokens of a prompt, where its passages lie, and the tokens behind which states of passages are computed."""

    places: tuple[Place, ...] = ()
    opening: tuple[int, ...] = ()


def cut_prompt(
    segments: Sequence[Segment], begin: Sequence[int], tokenize: Callable[[Segment], list[int]]
) -> PromptTokens:
    """The tokens of a prompt with the places of its passages; those of one segment only, the first that has some."""
    tokens = PromptTokens(begin)
    for segment in segments:
        spans = [] if segment.is_frame or tokens.places else passage_spans(segment.text)
        position = 0
        places = []
        for label, start, end in spans:
            text = segment.text[start:end]
            tokens += tokenize(Segment(segment.text[position:label], is_frame=False))
            at = len(tokens)
            tokens += tokenize(Segment(segment.text[label:start], is_frame=False))
            behind = len(tokens)
            tokens += tokenize(Segment(text, is_frame=False))
            body = text if text.endswith(PASSAGE_END) else text.rstrip("\n") + PASSAGE_END
            places.append(Place(at, behind, len(tokens), tuple(tokenize(Segment(body, is_frame=False)))))
            position = end
        tokens += tokenize(Segment(segment.text[position:], segment.is_frame))
        if places:
            tokens.places = tuple(places)
            tokens.opening = tuple(tokenize(Segment(_OPENING, is_frame=False)))
    return tokens


def reused_places(places: Sequence[Place], recomputed: int | None) -> Sequence[Place]:
    """Which passages are taken from their states: all of them with None, else all but the last ones.

    The last passage is always read anew (unless it is the only one, whose state is exact), and so are those before
    it while all that is read anew has at most ``recomputed`` tokens.
    """
    if recomputed is None or len(places) <= 1:
        return places
    kept = len(places) - 1
    while kept and places[-1].end - places[kept - 1].label <= recomputed:
        kept -= 1
    return places[:kept]
