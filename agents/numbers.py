"""The numbers that a text names: digits, Chinese numerals and English number words, as exact fractions."""

import re
from collections.abc import Mapping
from fractions import Fraction

from rag.text import fold

_DIGITS: Mapping[str, int] = {**{c: i for i, c in enumerate("零一二三四五六七八九")}, "两": 2, "〇": 0}
_UNITS: Mapping[str, int] = {"十": 10, "百": 100, "千": 1000}
_LARGE: Mapping[str, int] = {"万": 10**4, "亿": 10**8}
_SMALL_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_WORDS: Mapping[str, Fraction] = {
    **{word: Fraction(number) for number, word in enumerate(_SMALL_WORDS)},
    **{word: Fraction(10 * n) for n, word in enumerate("thirty forty fifty sixty seventy eighty ninety".split(), 3)},
    "half": Fraction(1, 2),
    "quarter": Fraction(1, 4),
    "twice": Fraction(2),
    "double": Fraction(2),
    "dozen": Fraction(12),
    "hundred": Fraction(100),
    "thousand": Fraction(1000),
    "million": Fraction(10**6),
}
_NUMBER = re.compile(r"(?<![\d.])(\d+(?:,\d{3})*(?:\.\d+)?)\s*([%万亿]?)")
_CHINESE = re.compile("[零〇一二两三四五六七八九十百千万亿]+")
_WORD = re.compile(r"[a-z]+")


def numbers_in(text: str) -> list[Fraction]:
    """The numbers of a text in digits, in order, without repetition. "15%" gives 15 and 0.15, "3万" 3 and 30000."""
    found: list[Fraction] = []
    for digits, unit in _NUMBER.findall(fold(text)):
        number = Fraction(digits.replace(",", ""))
        found.append(number)
        if unit:
            found.append(number / 100 if unit == "%" else number * _LARGE[unit])
    return list(dict.fromkeys(found))


def all_numbers_in(text: str) -> list[Fraction]:
    """The numbers of a text in digits and in words, without repetition."""
    folded = fold(text)
    words = [_WORDS[word] for word in _WORD.findall(folded) if word in _WORDS]
    chinese = [Fraction(chinese_number(run)) for run in _CHINESE.findall(folded)]
    halves = [Fraction(1, 2)] if "半" in folded else []
    return list(dict.fromkeys([*numbers_in(text), *words, *chinese, *halves]))


def chinese_number(text: str) -> int:
    """The value of a Chinese numeral ("三百二十" is 320, "二三" is 23)."""
    total = section = digit = 0
    for character in text:
        if character in _DIGITS:
            digit = digit * 10 + _DIGITS[character] if section == 0 and digit else _DIGITS[character]
        elif character in _UNITS:
            section += (digit or 1) * _UNITS[character]
            digit = 0
        else:
            total = (total + section + digit or 1) * _LARGE[character]
            section = digit = 0
    return total + section + digit
