"""What a question asks for, where that can be told by form: a year, or a number of something.

"Who proposed X, and in which year?" has no answer in notes that explain X without a year, however near they are.
Near misses of this kind are what a small model invents answers to, and what similarity cannot tell. A slot is what
is asked; it is filled when some sentence holds a number beside the words that the question puts beside its
"多少" or "how many".
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.evidence import features, is_foreign
from rag.text import fold

_YEAR_ASKED = re.compile(r"哪一?年|哪个年份|什么年份|几几年|\b(?:what|which) year\b|\bin what year\b")
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)|(?<!\d)\d\d年")
# Interrogative numbers. "几" also counts loosely ("少数几列", "干几件活"), so a verb of amount must stand before it.
_NUMBER_ASKED = re.compile(r"多少|(?<=[有分是要用能快慢加共到练取占花成为])几(?=[^\s何乎率]{1,3})")
_WHO_ASKED = re.compile(r"谁|哪位|哪些人|(?:作者|提出者|发明者|发明人)(?:是|有|叫)|\bwho\b|\bauthors?\b")
_ASKING = re.compile(r"谁|哪一?年|哪位|是|在|提出|发明|发表|指出|出来|作者|who|authors?|published|proposed|paper|year")
_MADE = r"(?:提出|发明|发表|指出|证明|开发|设计|创立|创建|发布|推出|发现)"
# A person or a group behind something: named before a verb of making, or called one.
_PERSON = re.compile(
    rf"等人|等学者|团队|实验室|教授|博士|作者|et al|由[^，。；\n]{{2,24}}{_MADE}|[a-z]{{3,}}[^，。；\n]{{0,14}}{_MADE}"
    r"|\b(?:proposed|invented|introduced|developed) by\b|[a-z]{3,} ?& ?[a-z]{3,}"
)
_MANY = re.compile(
    r"\bhow (?:many|much)\s+(?P<noun>[a-z0-9 -]+?)"
    r"(?=\s+(?:is|are|was|were|do|does|did|has|have|can|in|of|to|for)\b|[?,.]|$)"
)
_CLAUSE = re.compile(r"[，。；！？、,;!?\n]")
_MEASURES = "个张块层头次种步位条天维篇万倍轮类组行列折对代岁部卷日小"
# A formula such as O(n) is a number too, and so is a Chinese numeral before a measure word.
_QUANTITY = re.compile(
    rf"\d|o\([^)]*\)|[a-z]/\d|(?:[一二两三四五六七八九十百千万亿]+|半)(?=[{_MEASURES}分成])|[{_MEASURES}]?数为|一半|半数"
)
_EMPTY_WORDS = re.compile(
    r"分别|大概|大约|一共|总共|一般|通常|默认|至少|最多|各自|到底|左右|设[成为置]|取值?|等于|[是为有要用了的在约各又能达到花]"
)
_UNIT_NAMES = {"小时": ("h", "hour"), "美元": ("美金", "刀"), "字节": ("byte",), "显存": ("gb",)}
# The number and the words of its slot stand within so many characters.
NEAR_CHARS = 24
# A year or a person and any word of the question.
SENTENCE_CHARS = 50
AHEAD_CHARS = 8
BEHIND_CHARS = 10


@dataclass(frozen=True, slots=True)
class Slot:
    """Something asked for: what fills it, and the folded words of which one must stand within ``near`` characters."""

    filler: re.Pattern[str]
    words: tuple[str, ...]
    near: int

    def is_filled(self, folded: str) -> bool:
        """Whether a folded text holds it beside one of the words."""
        return any(self._is_beside(folded, match.start(), match.end()) for match in self.filler.finditer(folded))

    def _is_beside(self, folded: str, start: int, end: int) -> bool:
        beside = folded[max(0, start - self.near) : end + self.near]
        return any(word in beside for word in self.words)


def slots(question: str) -> list[Slot]:
    """The slots of a question; most questions have none."""
    folded = fold(question)
    topic = tuple(sorted(features(_ASKING.sub(" ", folded)).units))
    found = [Slot(_YEAR, topic, SENTENCE_CHARS)] if _YEAR_ASKED.search(folded) else []
    found += [Slot(_PERSON, topic, SENTENCE_CHARS)] if _WHO_ASKED.search(folded) else []
    return [*found, *(Slot(_QUANTITY, words, NEAR_CHARS) for words in _numbers(folded) if words)]


def unfilled(question: str, texts: Sequence[str]) -> float | None:
    """The share of a question's slots that no text fills, 0 to 1; None for a question without slots.

    Words cannot be compared across languages: an English question's slot is filled by any number, year or person in
    a Chinese text.
    """
    folded = [fold(text) for text in texts]
    asked = slots(question)
    if is_foreign(question, folded):
        empty = [slot for slot in asked if not any(slot.filler.search(text) for text in folded)]
    else:
        empty = [slot for slot in asked if not any(slot.is_filled(text) for text in folded)]
    return len(empty) / len(asked) if asked else None


def _numbers(folded: str) -> Iterator[tuple[str, ...]]:
    """For each number that is asked for, the words behind it ("多少美元"), else those before it ("系数设成多少")."""
    for match in _NUMBER_ASKED.finditer(folded):
        ahead = _CLAUSE.split(_whole_words(folded, match.end(), match.end() + AHEAD_CHARS))[0]
        behind = _CLAUSE.split(_whole_words(folded, match.start() - BEHIND_CHARS, match.start()))[-1]
        yield _words(ahead) or _words(behind)
    for match in _MANY.finditer(folded):
        yield _words(match["noun"])


def _whole_words(folded: str, start: int, end: int) -> str:
    """A slice that takes along the rest of a Latin word at its edges."""
    start = max(0, start)
    while start > 0 and folded[start - 1].isascii() and folded[start - 1].isalnum() and folded[start].isascii():
        start -= 1
    while end < len(folded) and folded[end].isascii() and folded[end].isalnum() and folded[end - 1].isascii():
        end += 1
    return folded[start:end]


def _words(text: str) -> tuple[str, ...]:
    """The content words of a few characters: Latin words and pairs of Chinese characters, or a single measure."""
    bare = _EMPTY_WORDS.sub(" ", text).strip()
    units = sorted(unit for unit in features(bare).units if "多" not in unit and "少" not in unit)
    also = [name for unit in units for name in _UNIT_NAMES.get(unit, ())]
    return (*units, *also) or tuple(bare[:1] if bare[:1] in _MEASURES else "")
