"""The amounts and dates of a sentence: what is counted, and from how much to how much. Rules, no model.

An amount is kept with its slot: the unit behind it ("层", "layers", "%"), or for a bare number what it is said to be
the value of ("学习率为 0.1"). Only amounts of one slot can be compared. Numbers that name things are no amounts: list
marks, ordinals, versions, references, parts of names.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.text import fold_with_map

_DIGITS = {c: str(n) for n, c in enumerate("二三四五六七八九十", 2)} | {"两": "2"}
_ENGLISH = {word: str(n) for n, word in enumerate("two three four five six seven eight nine ten".split(), 2)}
_MEASURES = "层个种类步次项年月日天倍维位张块台条篇人头组轮块层帧秒分时字词元"
_POWERS = {"千": 1e3, "万": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8, "十亿": 1e9, "百亿": 1e10, "千亿": 1e11}
_POWERS |= {"万亿": 1e12, "k": 1e3, "m": 1e6, "b": 1e9, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_NUMBER = rf"(?:\d+(?:,\d{{3}})+|\d+)(?:\.\d+)?|[二三四五六七八九两十](?=\s*[{_MEASURES}])|(?:{'|'.join(_ENGLISH)})\b"
_AMOUNT = re.compile(
    rf"(?P<low>{_NUMBER})(?:\s*(?:-|–|—|~|到|至|to)\s*(?P<high>{_NUMBER}))?\s*"
    rf"(?P<power>(?:百万|千万|十亿|百亿|千亿|万亿|千|万|亿)|(?:k|m|b)(?![a-z])|thousand\b|million\b|billion\b)?\s*"
    rf"(?P<unit>%|°c|[{_MEASURES}](?![a-z])|[a-z]+(?![a-z0-9])|[\u3400-\u9fff]{{1,2}})?"
)
# The number is a part of a name, a list mark, an ordinal, a reference, a formula.
_NAMING_BEFORE = re.compile(
    r"[a-z_]$|(?:[.^\[(（【+*/×<>-]|\d[.,:/]?|第|图|表|式|步骤|版本|公式|章|节|例|#|§)\s*$"
    r"|\b(?:fig|figure|table|eq|step|version|chapter|section|layer|level|type|stage|phase|part|case|no)\.?\s*$"
)
_NAMING_BEHIND = re.compile(r"\s*(?:[.)）、](?=\s|[^\d\s])(?<!\d\.)|[*+^×/_=<>-]|:\d)")
_SAID_OF = re.compile(r"([\u3400-\u9fff]{2,4}|[a-z][a-z_-]+)\s*(?:通常|一般|默认)?(?:设)?(?:为|是|等于|\bis\b)\s*$")
_AT_LEAST = re.compile(r"(?:至少|不少于|不低于|超过|大于|多于|高于|\bat least|\bmore than|\bover|\babove|[>≥])\s*$")
_AT_MOST = re.compile(
    r"(?:至多|最多|不超过|不高于|小于|少于|低于|不到|\bat most|\bless than|\bunder|\bbelow|\bup to|[<≤])\s*$"
)
_ABOUT_BEFORE = re.compile(r"(?:约|大约|大概|近|接近|将近|\babout|\baround|\broughly|\bnearly|~|≈)\s*$")
_ABOUT_BEHIND = re.compile(r"\s*(?:左右|上下|多|余|以上|以下)")
_NO_UNIT = frozenset(
    "and or of in on at to for from by with as is are was were the a an than then but per has have had can will".split()
)
_HAS_NUMBER = re.compile(rf"\d|[二三四五六七八九两兩十]|{'|'.join(_ENGLISH)}", re.IGNORECASE)
_LOOK_BACK = 16
# "About" leaves so much room on either side.
_ABOUT = 0.125
_MIN_YEAR, _MAX_YEAR = 1900, 2100


@dataclass(frozen=True, slots=True)
class Quantity:
    """From ``low`` to ``high`` (both inclusive) of ``slot``; ``start:end`` is where the text says so."""

    slot: str
    low: float
    high: float
    start: int
    end: int

    @property
    def is_date(self) -> bool:
        """Whether it is a year, a month or a day."""
        return self.slot in {"年", "月", "日"}


def quantities(text: str) -> list[Quantity]:
    """The amounts of a text in order; those whose slot is not told are left out."""
    if not _HAS_NUMBER.search(text):
        return []
    folded, sources = fold_with_map(text)
    found = []
    for match in _AMOUNT.finditer(folded):
        before, behind = folded[max(match.start() - _LOOK_BACK, 0) : match.start()], folded[match.end() :]
        slot = _slot(match["unit"] or "", before)
        if not slot or _NAMING_BEFORE.search(before) or (not match["unit"] and _NAMING_BEHIND.match(behind)):
            continue
        low, high = sorted(_bounds(match, before, behind, slot))
        if slot == "年" and low < _MIN_YEAR and low == high and match["low"].isdigit() and len(match["low"]) == 4:
            continue
        end = match.end("unit") if match["unit"] else match.end("high") if match["high"] else match.end("low")
        last = sources[end] if end < len(sources) else len(text)
        found.append(Quantity(slot, low, high, sources[match.start()], last))
    return found


def disagree(one: Quantity, other: Quantity) -> bool:
    """Whether two amounts of one slot cannot both be right: their ranges lie apart."""
    return one.slot == other.slot and (one.high < other.low or other.high < one.low)


def without_numbers(folded: str) -> str:
    """A folded text with a blank for every number."""
    return re.sub(_NUMBER, " ", folded)


def blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with blanks in place of these spans; as long as it was."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _slot(unit: str, before: str) -> str:
    if unit.isascii() and unit.isalpha() and unit not in _NO_UNIT:
        return unit.removesuffix("s")
    if unit and (unit == "%" or unit[0] in _MEASURES):
        return unit[0] if unit[0] in _MEASURES else unit
    said = _SAID_OF.search(before)
    return f"={said[1][-2:] if not said[1].isascii() else said[1]}" if said else ""


def _bounds(match: re.Match[str], before: str, behind: str, slot: str) -> tuple[float, float]:
    power = _POWERS.get(match["power"] or "", 1.0)
    low = _value(match["low"]) * power
    high = _value(match["high"]) * power if match["high"] else low
    if _AT_LEAST.search(before):
        return low, math.inf
    if _AT_MOST.search(before):
        return -math.inf, high
    spread = _ABOUT * high if _ABOUT_BEFORE.search(before) or _ABOUT_BEHIND.match(behind) else 0.0
    if slot in {"年", "月", "日"} and not match["power"]:
        spread = 0.0
    # "3 亿" and "0.1" are rounded to their last digit; a count ("48 层") is exact.
    elif match["power"] or "." in match["low"]:
        digits = len(match["low"].partition(".")[2])
        spread = max(spread, 0.5 * power / 10**digits)
    return low - spread, high + spread


def _value(said: str) -> float:
    return float((_DIGITS.get(said) or _ENGLISH.get(said) or said).replace(",", ""))
