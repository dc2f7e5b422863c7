"""Make a follow-up question standalone by rule: no model that could drift, and the result is in the trace."""

import re
from collections.abc import Sequence

# Words that point back: a question with one of them, or without a term of its own, needs its predecessor.
_POINTS_BACK = re.compile(
    r"它|他们|她|这个|那个|这种|那种|这些|那些|前者|后者|上面|刚才|其中|\b(?:it|its|they|them|this|that|these|those|former|latter)\b",
    re.IGNORECASE,
)
_OPENS_LIKE_FOLLOW_UP = re.compile(
    r"^\s*(?:那|那么|还有|然后|为什么呢|怎么做|and\b|what about|how about|why\?)", re.IGNORECASE
)
# Shorter questions rarely name their subject.
SHORT_QUESTION_CHARS = 6


def standalone(question: str, history: Sequence[tuple[str, str]]) -> str:
    """The text to search for: ``question`` alone, or with the last question before it when it points back.

    Args:
        question: what was asked now.
        history: earlier (question, answer) pairs, oldest first.
    """
    if not history:
        return question
    text = question.strip()
    points_back = _POINTS_BACK.search(text) or _OPENS_LIKE_FOLLOW_UP.match(text) or len(text) <= SHORT_QUESTION_CHARS
    return f"{history[-1][0].strip()} {text}" if points_back else question
