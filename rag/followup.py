"""Make a follow-up question standalone by rule: no model that could drift, and the result is in the trace."""

import re
from collections.abc import Callable, Sequence

from rag.text import detect_language

# Words that point back: a question with one of them needs its predecessor.
_POINTS_BACK = re.compile(
    r"它|他们|她|这个|那个|这种|那种|这些|那些|前者|后者|上面|刚才|其中|\b(?:it|its|they|them|this|that|these|those|former|latter)\b",
    re.IGNORECASE,
)
_OPENS_LIKE_FOLLOW_UP = re.compile(
    r"^\s*(?:那|那么|还有|然后|为什么呢|怎么做|and\b|what about|how about|why\?)", re.IGNORECASE
)
_LATIN = re.compile(r"[A-Za-z][\w.+-]*\w", re.ASCII)
_ABOUT = {"zh": "{}（问的是：{}）", "en": "{} (This is about: {})"}
# Shorter questions rarely name their subject.
SHORT_QUESTION_CHARS = 6
# A chain of follow-ups is followed back so far.
CHAIN = 3
# So many names of the questions before a follow-up are put into it.
MAX_NAMED = 2


def standalone(
    question: str, history: Sequence[tuple[str, str]], is_named: Callable[[str], bool] = lambda text: False
) -> str:
    """The text to search for: ``question`` alone, or behind the questions that it goes on with.

    When the question before points back as well, the one before that is needed too, up to CHAIN.

    Args:
        question: what was asked now.
        history: earlier (question, answer) pairs, oldest first.
        is_named: whether a text names something in the notes; a short question that does stands alone.
    """
    asked = [question]
    for earlier, _ in reversed(history[-CHAIN:]):
        if not _points_back(asked[0].strip(), is_named):
            break
        asked.insert(0, earlier)
    return question if len(asked) == 1 else " ".join(text.strip() for text in asked)


def _points_back(text: str, is_named: Callable[[str], bool]) -> bool:
    if _POINTS_BACK.search(text) or _OPENS_LIKE_FOLLOW_UP.match(text):
        return True
    return len(text) <= SHORT_QUESTION_CHARS and not is_named(text)


def named_before(query: str, question: str, known: Callable[[str], Sequence[str]]) -> list[str]:
    """What the questions before a follow-up name and itself does not, as they come; at most MAX_NAMED.

    Args:
        query: what ``standalone`` made of the question.
        question: what was asked now.
        known: gives the names in a text that the notes know, the most telling first. They come before words like
            "GPT-2".
    """
    if query == question:
        return []
    # Every word of an English text is Latin.
    foreign = _LATIN.findall(query) if detect_language(query) == "zh" else []
    named: list[str] = []
    for name in (*known(query), *foreign):
        if name not in question and not any(name in other for other in named):
            named.append(name)
    return sorted(named[:MAX_NAMED], key=query.index)


def about(question: str, names: Sequence[str]) -> str:
    """The question with what it points back to, as the model is asked; ``question`` itself where nothing was named."""
    return _ABOUT[detect_language(question)].format(question.strip(), "、".join(names)) if names else question
