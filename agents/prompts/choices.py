# ruff: noqa: E501 - a pattern or a table is read as one line
"""Choices of which an answer can make only one: a tense, a spelling, a system of units, an order of sorting, a clock.

They are read as manners (``Tone``), as "formal" and "casual" are; the groups say which of them exclude each other.
"""

import re
from collections.abc import Mapping

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\w*"
_SORT = r"\b(?:sort|order|arrang|rank|list)\w* (?:\w+ ){0,4}?"
_SORT_ZH = r"按(?:照)?"

GROUPS: tuple[Mapping[str, str], ...] = (
    {
        "British spelling": r"\bBritish (?:English )?spelling\b|\bBritish English\b|英式(?:拼写|英语)",
        "American spelling": r"\b(?:American|US) (?:English )?spelling\b|\bAmerican English\b|美式(?:拼写|英语)",
    },
    {
        "present tense": r"\bpresent tense\b|现在时",
        "past tense": r"\bpast tense\b|过去时",
        "future tense": r"\bfuture tense\b|将来时",
    },
    {"active voice": r"\bactive voice\b|主动语态", "passive voice": r"\bpassive voice\b|被动语态"},
    {
        "metric units": r"\bmetric\b|\bin (?:kilomet(?:re|er)s|kilograms|centimet(?:re|er)s|met(?:re|er)s|degrees Celsius|Celsius)\b|公制|(?:用|以)(?:厘米|公里|千米|千克|公斤|摄氏度)",
        "imperial units": r"\bimperial units?\b|\bin (?:inches|feet|miles|pounds|ounces|degrees Fahrenheit|Fahrenheit)\b|英制|(?:用|以)(?:英寸|英尺|英里|磅|盎司|华氏度)",
    },
    {
        "sorted by name": rf"\balphabetical(?:ly)?\b|{_SORT}by (?:name|title)\b|{_SORT_ZH}(?:字母|拼音|笔画|名称)(?:顺序)?",
        "sorted by date": rf"\bchronological(?:ly)?\b|{_SORT}by (?:date|time|year)\b|\b(?:newest|oldest|latest|earliest) first\b|{_SORT_ZH}(?:时间|日期|年份)(?:先后)?(?:顺序)?(?=排|列|写|整理|给)",
        "sorted by importance": rf"\bby (?:importance|priority|urgency)\b|\bmost (?:important|urgent) first\b|{_SORT_ZH}(?:重要|紧急|优先)(?:性|程度|级)?(?:顺序)?(?=[^，。]{{0,4}}(?:排|列|写|整理|给))",
        "sorted by price": rf"{_SORT}by price\b|\bcheapest first\b|{_SORT_ZH}价格(?:高低)?(?:顺序)?(?=[^，。]{{0,6}}(?:排|列|写|整理|给))",
    },
    {
        "decimals": r"\b(?:one|two|three|four|\d) decimals?(?: places?| digits?)?\b|保留[一二两三四\d]位小数",
        "whole numbers": r"\bwhole numbers?\b|\bround(?:ed)? (?:\w+ ){0,2}to (?:the nearest )?(?:whole|integer)|\b(?:no|without) decimals?\b|取整|不(?:要|带|用|写|保留)小数",
    },
    {
        "ISO dates": r"(?:\bdates?\b|日期)[^.。]{0,30}?(?:YYYY-MM-DD|\b\d{4}-\d{2}-\d{2}\b|\bISO\b)",
        "slashed dates": r"(?:\bdates?\b|日期)[^.。]{0,30}?(?:DD/MM/YYYY|MM/DD/YYYY|YYYY/MM/DD|\b\d{1,4}/\d{1,2}/\d{1,4}\b)",
        "worded dates": rf"(?:\bdates?\b|日期)[^.。]{{0,30}}?(?:\b\d{{1,2}} {_MONTH}\b|\b{_MONTH} \d{{1,2}}\b|[X×\d]{{1,4}}年)",
    },
    {
        "24-hour clock": r"\b24[- ]?hour\b|24 ?小时制|二十四小时制",
        "12-hour clock": r"\b12[- ]?hour\b|\bam (?:and|or|/) ?pm\b|12 ?小时制|十二小时制",
    },
    {
        "numbers in digits": r"\bnumbers? (?:as|in) (?:digits|numerals|figures)\b|数字[^，。]{0,6}阿拉伯数字",
        "numbers in words": r"\b(?:spell|write) out (?:all |the |every )?numbers?\b|\bnumbers? (?:out )?(?:as|in) words\b|数字[^，。]{0,6}(?:汉字|中文数字)",
    },
    {"simplified characters": r"\bSimplified (?:Chinese|characters)\b|简体", "traditional characters": r"\bTraditional (?:Chinese|characters)\b|繁体"},
    {"full-width signs": r"全角", "half-width signs": r"半角"},
)  # fmt: skip
CHOICES: Mapping[str, str] = {name: pattern for group in GROUPS for name, pattern in group.items()}
OF_ONE_SUBJECT = frozenset({"decimals", "whole numbers", "ISO dates", "slashed dates", "worded dates"})
"""These are said of something (prices, amounts): two of them clash only where that is the same."""
_SORTS = frozenset(name for name in CHOICES if name.startswith("sorted"))
_TIE = re.compile(r"\b(?:same|ties?|tied|equal|within (?:a|each|the))\b|同一|相同|同样|并列|同(?:年|月|日|天|级|类)", re.IGNORECASE)  # fmt: skip


def excludes(one: str, other: str) -> bool:
    """Whether two choices are of one group, and differ."""
    return one != other and any(one in group and other in group for group in GROUPS)


def is_second_order(name: str, text: str) -> bool:
    """Whether a clause sorts only what is equal by another order: "those of one day by importance"."""
    return name in _SORTS and bool(_TIE.search(text))
