"""Numbers as people write them, in Chinese and English, brought to one decimal form.

``三亿四千万``, ``3.4亿``, ``340 million`` and ``340,000,000`` are the same number; ``二〇一七`` is 2017.
Only surface forms are read: units such as GB are left alone, and digits inside a name (``int8``) are part of the name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

CACHE_SIZE = 32_768
"""Texts whose numbers are remembered: sentences of passages come back for every claim and every case."""

_DIGITS = {c: Decimal(i) for i, c in enumerate("零一二三四五六七八九")} | {"〇": Decimal(0), "两": Decimal(2)}
_UNITS = {"十": Decimal(10), "百": Decimal(100), "千": Decimal(1000)}
_SECTIONS = {"万": Decimal(10_000), "亿": Decimal(100_000_000)}
_WORDS = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "k": 10**3, "m": 10**6, "b": 10**9}
_CN_DIGIT = "零〇一二两三四五六七八九"
_TO_SIMPLIFIED = str.maketrans("兩萬億點", "两万亿点")

_THOUSANDS = re.compile(r"(?<![\d.,(\[])\d{1,3}(?:,\d{3})+(?!,?\d)")
_LOOSE_UNIT = re.compile(r"(?<=[\d十百千万亿])[ \t]+(?=[十百千万亿])|(?<=[千万亿])[ \t]+(?=\d+[ \t]*[十百千万亿])")
_PERCENT_ZH = re.compile(rf"百分之((?:\d+(?:\.\d+)?|[{_CN_DIGIT}十百]+(?:点[{_CN_DIGIT}]+)?))")
_PERCENT_EN = re.compile(r"(?<=\d)\s*(?:percent|per cent)\b", re.IGNORECASE)
_NUMERAL = re.compile(
    r"(?<![A-Za-z_\d.])(?:\d+\.\d+(?!\.?\d)|\d+(?!\.?\d)|\d+(?=\.(?!\d))|"
    rf"[{_CN_DIGIT}十百千万亿])(?:\d+(?:\.\d+)?|[{_CN_DIGIT}十百千万亿]|点(?=[{_CN_DIGIT}]))*"
)
_TOKEN = re.compile(rf"\d+(?:\.\d+)?|[{_CN_DIGIT}十百千万亿点]")
_MAGNITUDE = re.compile(r"\s{0,2}(thousand|million|billion|trillion)\b|\s?([KMBk])(?![A-Za-z0-9\-])")
_DIGIT = re.compile("[0-9]")
_VALUE = re.compile(r"(?<![a-zA-Z\d._])(?<![a-zA-Z]-)\d+(?:\.\d+)?")
_MEASURE = "个层种次倍步类条维门位年月天章篇组轮头块段阶分步元项句词字点张台代号米秒时路对行列"
_NOT_COUNTED = re.compile(
    r"十分(?!之)|十足|万能|万一|千万(?!级|个|参|条|次)|一[般些样起直定旦致]|三角|四舍五入|百分百|二者|两者"
)


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number in a text: its span, its value, and whether it was written in Chinese characters only."""

    start: int
    end: int
    value: Decimal
    is_chinese: bool


def canonical(text: str) -> str:
    """The text with every number in plain decimal form: no separators, no magnitudes, ``%`` for per cent."""
    prepared, found = _read(text)
    return _rewritten(prepared, found, frozenset(found))


@lru_cache(CACHE_SIZE)
def all_numbers(text: str) -> frozenset[str]:
    """Every number a text holds, read generously (a lone ``三`` counts): what evidence may back."""
    return frozenset(_VALUE.findall(canonical(text)))


@lru_cache(CACHE_SIZE)
def stated_numbers(text: str) -> frozenset[str]:
    """The numbers a text really states, read strictly: digits, or Chinese numerals that count something.

    A lone ``一`` is an article in Chinese and never counts; idioms such as ``十分`` do not either.
    """
    prepared, found = _read(text)
    if not any(numeral.is_chinese for numeral in found):
        return all_numbers(text)
    idioms = {at for match in _NOT_COUNTED.finditer(prepared) for at in range(*match.span())}
    kept = frozenset(n for n in found if not n.is_chinese or (n.start not in idioms and _counts(prepared, n)))
    return frozenset(_VALUE.findall(_rewritten(prepared, found, kept)))


def plain(value: Decimal) -> str:
    """A decimal without exponent and without zeros at the end: ``Decimal("3.40E+8")`` → ``340000000``."""
    written = format(value, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


@lru_cache(CACHE_SIZE)
def _read(text: str) -> tuple[str, tuple[Numeral, ...]]:
    """The text with separators and loose spaces gone, and the numerals in it."""
    prepared = _prepared(text)
    return prepared, tuple(_find(prepared))


def _rewritten(prepared: str, found: tuple[Numeral, ...], kept: frozenset[Numeral]) -> str:
    """Numbers that are kept in plain form, the others as a comma."""
    pieces, at = [], 0
    for numeral in found:
        pieces += [prepared[at : numeral.start], plain(numeral.value) if numeral in kept else "，"]
        at = numeral.end
    return "".join(pieces) + prepared[at:]


def _counts(text: str, numeral: Numeral) -> bool:
    written = text[numeral.start : numeral.end]
    if written in ("一", "零"):
        return False
    return len(written) > 1 or text[numeral.end : numeral.end + 1] in tuple(_MEASURE)


def _prepared(text: str) -> str:
    text = _THOUSANDS.sub(lambda m: m[0].replace(",", ""), text.translate(_TO_SIMPLIFIED))
    text = _PERCENT_ZH.sub(lambda m: f"{m[1]}%", text)
    text = _PERCENT_EN.sub("%", text)
    return _LOOSE_UNIT.sub("", text)


def _find(text: str) -> Iterator[Numeral]:
    at = 0
    while match := _NUMERAL.search(text, at):
        written, at = match[0], match.end()
        is_chinese = not written[0].isascii() and _DIGIT.search(written) is None
        value = Decimal(written) if written.isascii() else _parse(_TOKEN.findall(written))
        if value is None or (written[0] == "0" and len(written) > 1 and written.isdigit()):  # 00001 is a label
            continue
        if written[-1].isascii() and (magnitude := _MAGNITUDE.match(text, at)):
            value *= _WORDS[(magnitude[1] or magnitude[2]).lower()]
            at = magnitude.end()
        yield Numeral(match.start(), at, value, is_chinese)


def _parse(tokens: list[str]) -> Decimal | None:
    """The value of a run of digits and numeral characters, None where they form no number (``万一``)."""
    if "点" in tokens:
        return _parse_point(tokens)
    total, section, current, unit, after_zero = Decimal(0), Decimal(0), None, Decimal(1), False
    for piece in tokens:
        if piece in _DIGITS or piece[0].isascii():
            digit = _DIGITS.get(piece)
            if current is not None and (digit is None or current != current.to_integral_value()):
                return None
            current = Decimal(piece) if digit is None else (current or Decimal(0)) * 10 + digit
            after_zero = after_zero or digit == 0
        elif piece in _UNITS:
            if current is None and piece != "十":
                return None
            unit = _UNITS[piece]
            section += (Decimal(1) if current is None else current) * unit
            current = None
        else:
            amount = section + (current or Decimal(0))
            if amount == 0 and (piece == "万" or total == 0):
                return None
            unit = _SECTIONS[piece]
            total = total + amount * unit if piece == "万" else (total + amount) * unit
            section, current = Decimal(0), None
    if current is not None and unit >= 100 and current < 10 and not after_zero and tokens[-1] in _DIGITS:
        current *= unit / 10  # 三万三 is said for 33,000
    return total + section + (current or Decimal(0))


def _parse_point(tokens: list[str]) -> Decimal | None:
    cut = tokens.index("点")
    whole = _parse(tokens[:cut]) if cut else None
    rest = tokens[cut + 1 :]
    digits = [_DIGITS[t] for t in rest if t in _DIGITS]
    scale = rest[len(digits) :]
    if whole is None or not digits or any(t not in _SECTIONS for t in scale):
        return None
    value = whole + Decimal("0." + "".join(plain(d) for d in digits))
    for piece in scale:
        value *= _SECTIONS[piece]
    return value
