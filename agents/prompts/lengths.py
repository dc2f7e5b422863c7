# ruff: noqa: E501 - a pattern or a table is read as one line
"""Lengths in words: reading them out of a clause, and counting them in a text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from agents.prompts.types import Brevity, Length, Unit
from rag.text import HAN, split_sentences

_EN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_EN_NUMBERS = {word: number for number, word in enumerate(_EN)} | {
    "a": 1, "an": 1, "single": 1, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90, "hundred": 100, "a hundred": 100, "one hundred": 100, "two hundred": 200, "three hundred": 300,
    "a dozen": 12, "a single": 1, "only one": 1, "a couple of": 2,
}  # fmt: skip
_ZH_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_ZH_TENS = {"十": 10, "百": 100, "千": 1000}
_NUMBER = (
    r"(?:\d[\d,]*|(?:a|one|two|three) hundred|a dozen|a single|a couple of|"
    + "|".join(sorted((w for w in _EN_NUMBERS if " " not in w and len(w) > 2), key=len, reverse=True))
    + r"|[零一二两三四五六七八九十百千]+)"
)
# Things that stand one to a line or row; "" below means a mere point, which is of no kind.
_THINGS = "step|row|card|tip|reason|idea|suggestion|option|task|section|stanza|hashtag|keyword"
_THINGS_ZH = "步骤|步(?!骤)|建议|理由|方案|关键词|例子|卡片|标签"
_THING = re.compile(rf"\b(?P<en>{_THINGS})s?\b|(?P<zh>{_THINGS_ZH})", re.IGNORECASE)
_UNITS: tuple[tuple[Unit, str], ...] = (
    (Unit.WORDS, r"words?\b|个?英文单词|个?单词|个词"),
    (Unit.CHARACTERS, r"(?:Chinese )?characters?\b|个?汉字|个?字符|个?中文字|个?字(?![段母节])"),
    (Unit.SENTENCES, r"(?:(?:short|full|complete|plain|clear)\s+)*sentences?\b|个?短?句(?:话|子)?"),
    (Unit.PARAGRAPHS, r"(?:short )?paragraphs?\b|个?自然段|个?段落?(?:文字)?"),
    (Unit.ITEMS, r"(?:short |numbered |bulleted |key )*(?:bullet points?|bullets?|list items?|items?|points?|entries)\b|"
                 r"个?(?:要点|条目|项目|条(?!件)|项(?!目)|点(?!钟))"
                 rf"|(?:\w+ )?(?:{_THINGS})s?\b|个?(?:{_THINGS_ZH})"),
    (Unit.LINES, r"lines?\b|行"),
)  # fmt: skip
_UNIT = "|".join(f"(?P<{unit.value}>{pattern})" for unit, pattern in _UNITS)
_UNIT_ANY = "|".join(pattern for _, pattern in _UNITS)
_AMOUNT = re.compile(
    rf"(?P<first>{_NUMBER})\s*(?:(?:-|–|~|～|—|至|到|to|and|or)\s*(?P<second>{_NUMBER}))?\s*-?\s*"
    rf"(?:(?:separate|distinct|different|brief|long|full|well-formed|coherent) )?(?:{_UNIT})",
    re.IGNORECASE,
)
_BELOW = re.compile(
    r"(?:at (?:the )?most|no more than|not (?:more than|exceed(?:ing)?|longer than)|(?:up|limit(?:ed)?|restrict(?:ed)?|cap(?:ped)?) (?:\w+ ){0,3}?(?:to|at)|"
    r"maximum(?: length)?(?: of)?|max\.?|within|not (?:go )?(?:beyond|over|above)|(?:never|don't|do not|must not|cannot|can't|should not) (?:\w+ ){0,2}?(?:exceed|go over|be longer than|use more than|write more than|be more than)|"
    r"(?:不|别|勿|莫)(?:要|得|能|可|应|许|准)?(?:超过|多于|超出)|(?:最多|至多|上限(?:为|是)?|限(?:制)?(?:在|为)?|控制在|不大于|以不超过))(?:[^\d,，。.;；]{0,8}?)$",
    re.IGNORECASE,
)
_STRICTLY_BELOW = re.compile(
    r"(?:under|below|fewer than|less than|shorter than|少于|小于|低于|不到|不足)(?:[^\d,，。.;；]{0,6}?)$",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?:\b(?:no|not|never)\b[^,，。]{0,12}|不(?:要|得|能|可|应|许|准)?)$", re.IGNORECASE)
_ABOVE = re.compile(
    r"(?:at least|no (?:fewer|less|shorter) than|not (?:fewer|less) than|a? ?minimum (?:length )?(?:of|is)?|min\.?|至少|最少|(?:不|别|勿|莫)(?:得|能|可|要)?(?:少于|低于|小于)|起码|下限(?:为|是)?|[写讲凑]?(?:满|够)|达到)(?:[^\d,，。.;；]{0,8}?)$",
    re.IGNORECASE,
)
_STRICTLY_ABOVE = re.compile(
    r"(?:more than|over|above|longer than|exceed(?:s|ing)?|beyond|超过|多于|大于|高于)(?:[^\d,，。.;；]{0,6}?)$",
    re.IGNORECASE,
)
_BELOW_AFTER = re.compile(
    r"^\s*(?:or (?:less|fewer|shorter)|at (?:the )?most|maximum|max\b|tops|以内|之内|以下|封顶|为上限|为限)",
    re.IGNORECASE,
)
_ABOVE_AFTER = re.compile(r"^\s*(?:or (?:more|longer)|at (?:the )?least|minimum|以上|起步|之上|为下限)", re.IGNORECASE)
_ABOUT = re.compile(r"(?:about|around|roughly|approximately|some|大约|大概|约|差不多)\s*$", re.IGNORECASE)
_ABOUT_AFTER = re.compile(r"^\s*(?:or so|左右|上下)", re.IGNORECASE)
_ABOUT_SHARE = 0.25  # "about 100 words" is read as 75 to 125
_WORD_COUNT = re.compile(
    rf"(?P<before>(?:(?P<zh>字数)|word count)[^\d，。,.]{{0,12}}?)(?P<first>{_NUMBER})(?:\s*(?:-|–|~|～|到|至|to|and)\s*(?P<second>{_NUMBER}))?(?P<after>[^，。,.]{{0,4}})(?!\s*(?:{_UNIT_ANY}))",
    re.IGNORECASE,
)
_NOT_A_LENGTH = re.compile(
    r"^\s*(?:第|其中|by|ago|later)|(?:第|每|上|前|后|这|该|某|任何|the first|the last|each|every|per|any|that)\s*$",
    re.IGNORECASE,
)
# A bare number of units is a demand only behind a word that asks for it.
_EXACT = re.compile(
    r"\b(?:in|with|exactly|precisely|only|just|of|to|be|is|are|use|uses|using|give|list|write|provide|return|output|reply|answer|into|as|produce|"
    r"contains?|has|have|include|summari[sz]e|generate|add|name)\b[^,，。.;；]{0,24}$|(?:用|写|给出|列出?|分成?|正好|恰好|刚好|固定|仅|只|共|为|是|输出|以|成|提供|写出|生成|总结|概括|回答|答|包含|有|保持)[^,，。.;；]{0,6}$",
    re.IGNORECASE,
)
_NONE_AT_ALL = re.compile(r"^(?:也|都)(?:不|别)|^ (?:more|less)\b")
_EXAMPLE_WORDS = re.compile(r"(?:every|each|per|每隔?)\s*$", re.IGNORECASE)

_SHORT = re.compile(
    r"\b(?:as (?:short|brief(?:ly)?|concise(?:ly)?) as possible|(?:very |extremely |be |keep (?:it|\w+ \w+) |stay )(?:brief|short|concise|terse)|briefly|in brief|one-line(?:r)?|"
    r"(?:brief|short|concise|terse) (?:answers?|repl(?:y|ies)|responses?|outputs?)|(?:answers?|repl(?:y|ies)|responses?) (?:must |should )?(?:be |stay )?(?:brief|short|concise|terse))\b|"
    r"尽可能(?:简短|简洁|短)|尽量(?:简短|简洁|短)|(?:务必|必须|保持|力求|要)(?:简短|简洁|精简|精炼)|言简意赅|一句话带过|回答(?:要|应)?(?:简短|简洁|精炼)|(?:简短|简洁|简要)(?:地|的)?(?:回答|作答|回复)",
    re.IGNORECASE,
)  # fmt: skip
_LONG = re.compile(
    r"\b(?:as (?:long|detailed|thorough(?:ly)?|much detail) as possible|in (?:great|full|much|exhaustive|as much) (?:detail|depth|length)|at (?:great )?length|exhaustive(?:ly)?|elaborate|"
    r"(?:very |extremely |be )(?:detailed|thorough|comprehensive|long|lengthy)|(?:long|lengthy|detailed|comprehensive|thorough|in-depth) (?:answers?|repl(?:y|ies)|responses?|explanations?|discussions?)|"
    r"(?:explain|describe|discuss|cover) (?:\w+ ){0,4}?in detail|every (?:possible )?detail)\b|"
    r"尽可能(?:详细|详尽|全面|长)|尽量(?:详细|详尽|全面|长)|(?:务必|必须|要|应)(?:详细|详尽)|详尽地?|长篇|展开(?:论述|说明|讲)|面面俱到|(?:详细|深入)(?:地|的)?(?:解释|说明|阐述|回答|论述|介绍|展开)|越(?:详细|长)越好|不厌其烦",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A length in a clause, with its place there; ``is_part`` when it is said of each piece of the answer."""

    length: Length | Brevity
    start: int
    end: int


def lengths_in(clause: str) -> Iterator[Found]:
    """The lengths that a clause demands."""
    if chosen := _CHOSEN.search(clause):
        yield Found(_choice(chosen), chosen.start(), chosen.end())
    for found in _amounts(clause):
        if not chosen or found.end <= chosen.start() or chosen.end() <= found.start:
            yield found
    if (counted := _WORD_COUNT.search(clause)) and not _AMOUNT.search(clause):
        match = counted
        unit = Unit.CHARACTERS if match["zh"] else Unit.WORDS
        low, high = number(match["first"]), number(match["second"] or match["first"])
        yield Found(_bounds(unit, low, high, match["before"], match["after"]), match.start(), match.end())
    if not any(character.isdigit() for character in clause) and not _AMOUNT.search(clause):
        for pattern, is_short in ((_SHORT, True), (_LONG, False)):
            if said := pattern.search(clause):
                yield Found(Brevity(is_short), said.start(), said.end())


def _amounts(clause: str) -> Iterator[Found]:
    """Numbers of words, sentences, points and the like."""
    for match in _AMOUNT.finditer(clause):
        unit = next(unit for unit, _ in _UNITS if match[unit.value])
        before, after = clause[: match.start()], clause[match.end() :]
        if _NOT_A_LENGTH.search(before) or _EXAMPLE_WORDS.search(before):
            continue
        low, high = number(match["first"]), number(match["second"] or match["first"])
        if _NONE_AT_ALL.match(after) or (unit is Unit.ITEMS and high == 1):
            continue  # "not a word more"; "one piece of news"
        length = _bounds(unit, low, high, before, after)
        if unit is Unit.ITEMS:
            length = replace(length, of=_thing_in(match[0]))
        if (length.low, length.high) != (low, high) or low != high or _EXACT.search(before) or not before.strip():
            yield Found(length, match.start(), match.end())


_LABEL = r"labels?|categor(?:y|ies)|class(?:es)?|options?|groups?|tags?|topics?|intents?|types?"
_CHOSEN = re.compile(
    rf"\b(?:(?:choose|pick|select|assign|give|use|name|return|output|set|apply)\b (?:\w+ ){{0,2}}?|(?:exactly|only|just) )(?:(?P<every>every|all(?: the)?|several|multiple|as many)|(?P<just>just the)|(?P<one>one|a single|the (?:best|single))|{_NUMBER})(?: \w+){{0,3}}? (?:{_LABEL})\b"
    rf"|(?:(?:至少|至多|最多)?[挑选取归属判](?!题)[^，。；]{{0,8}}?)(?:(?P<zh_every>多个|若干|几个|所有|全部)|(?P<zh_one>一)(?=[个种类项])|{_NUMBER}(?=[个种类项]))",
    re.IGNORECASE,
)
CHOICE = "choice"
"""What a length counts that says how many of the labels are given."""


def _choice(match: re.Match[str]) -> Length:
    """How many labels are to be chosen: one, a number, or several."""
    if match["one"] or match["just"] or match["zh_one"]:
        return Length(Unit.ITEMS, 1, 1, CHOICE)
    if match["every"] or match["zh_every"]:
        return Length(Unit.ITEMS, 2, None, CHOICE)
    said = re.search(_NUMBER, match[0], re.IGNORECASE)
    if said is None:
        return Length(Unit.ITEMS, 1, 1, CHOICE)
    n = number(said[0])
    return replace(_bounds(Unit.ITEMS, n, n, match[0][: said.start()], match[0][said.end() :]), of=CHOICE)


_BARE = re.compile(
    rf"^\s*(?P<before>at (?:the )?most |no more than |up to |at least |no fewer than |最多|至多|不超过|至少|不少于)?(?P<first>{_NUMBER})个?"
    rf"(?P<after> at (?:the )?(?:most|least)| or (?:fewer|less|more)|以内|以上)?[.。]?\s*$",
    re.IGNORECASE,
)


def bare_length_in(clause: str, before: str) -> Found | None:
    """A bound without a unit, which is that of the things named before it: "Number the steps, six at most"."""
    match = _BARE.match(clause)
    things = _THING.findall(before)
    if match is None or not things or not (match["before"] or match["after"]):
        return None
    n = number(match["first"])
    length = _bounds(Unit.ITEMS, n, n, match["before"] or "", match["after"] or "")
    return Found(replace(length, of=_thing_in(before)), match.start("first"), match.end("first"))


_POINTS = re.compile(
    rf"\b(?P<first>{_NUMBER})(?:\s*(?:-|–|to|or)\s*(?P<second>{_NUMBER}))?(?: [a-z-]+){{1,3}} (?:as|in|into) (?:\w+ ){{0,2}}?(?:bullet|numbered|list|points)"
    rf"|(?P<zh>{_NUMBER})(?:\s*(?:-|~|～|到|至)\s*(?P<zh_second>{_NUMBER}))?个[^，。]{{1,6}}[，,]?(?:用|以|按|写成|列成)[^，。]{{0,4}}(?:列表|项目符号|分条|编号)",
    re.IGNORECASE,
)


def points_in(clause: str) -> Found | None:
    """How many points a list has whose things are no unit of their own: "three to five topics as bullets"."""
    match = _POINTS.search(clause)
    if match is None:
        return None
    first = match["first"] or match["zh"]
    low, high = number(first), number(match["second"] or match["zh_second"] or first)
    length = _bounds(Unit.ITEMS, low, high, clause[: match.start()], "")
    return Found(length, match.start(), match.end()) if high > 1 else None


def _thing_in(text: str) -> str:
    """The last thing that a text names, in the singular, or ""."""
    found = [match["en"] or match["zh"] for match in _THING.finditer(text)]
    return found[-1].lower() if found else ""


def number(text: str) -> int:
    """A number in digits, English or Chinese words."""
    plain = text.replace(",", "").strip().lower()
    if plain.isdigit():
        return int(plain)
    if plain in _EN_NUMBERS:
        return _EN_NUMBERS[plain]
    total = current = 0
    for character in plain:
        if character in _ZH_DIGITS:
            current = _ZH_DIGITS[character]
        elif character in _ZH_TENS:
            total += (current or 1) * _ZH_TENS[character]
            current = 0
    return total + current


def count(text: str, unit: Unit) -> int:
    """How many units a text has. List marks and blank lines are not counted."""
    lines = [line for line in text.splitlines() if line.strip()]
    if unit is Unit.CHARACTERS:
        return sum(character.isalnum() for character in text)
    if unit is Unit.WORDS:
        return len(re.findall(r"[^\W_]+(?:['’.-][^\W_]+)*", HAN.sub(" x ", text)))
    if unit is Unit.SENTENCES:
        return sum(any(c.isalnum() for c in text[a:b].lstrip("-*•0123456789.)、 ")) for a, b in split_sentences(text))
    if unit is Unit.LINES:
        return len(lines)
    if unit is Unit.PARAGRAPHS:
        return len([block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()])
    return sum(_ITEM.match(line) is not None for line in lines)


def things(text: str, of: str) -> int | None:
    """How many things of a kind a text shows: rows of its table, else marked items; None where neither is there."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if of == "row":
        rows = [line for line in lines if line.startswith("|") and not re.fullmatch(r"[\s|:-]+", line)]
        return len(rows) - 1 if rows else None
    marked = sum(_ITEM.match(line) is not None for line in lines)
    if marked or not of:
        # Lines that all begin with one label ("Problem: …") are items too.
        labels = {label[0] for line in lines if (label := re.match(r"[^\s:：]{1,12}[:：]", line))}
        is_labelled = len(labels) == 1 < len(lines) and all(line.startswith(tuple(labels)) for line in lines)
        return marked or (len(lines) if is_labelled else 0)
    return None


_ITEM = re.compile(r"^\s*(?:[-*+•·]\s+|\(?\d{1,2}[.)、]\s*|[①-⑳]\s*|[一二三四五六七八九十]、)")


def _bounds(unit: Unit, low: int, high: int, before: str, after: str) -> Length:
    is_range = low != high
    if _BELOW.search(before) or _BELOW_AFTER.search(after):
        return Length(unit, None if not is_range else low, high)
    if _ABOVE.search(before) or _ABOVE_AFTER.search(after):
        return Length(unit, low, None if not is_range else high)
    if match := _STRICTLY_BELOW.search(before):
        negated = _NOT.search(before[: match.start()])
        return Length(unit, low, None) if negated else Length(unit, None, high - 1)
    if match := _STRICTLY_ABOVE.search(before):
        negated = _NOT.search(before[: match.start()])
        return Length(unit, None, high) if negated else Length(unit, low + 1, None)
    if _ABOUT.search(before) or _ABOUT_AFTER.search(after):
        return Length(unit, int(low * (1 - _ABOUT_SHARE)), round(high * (1 + _ABOUT_SHARE)))
    return Length(unit, low, high)
