"""Calls that the question itself determines: an expression, a convolution with all its numbers, a date, an entry.

A rule speaks only when it accounts for every number of the question; otherwise the model decides. Pure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agents.tools.base import ToolError
from agents.tools.calculator import calculate, normalise
from rag.text import fold


@dataclass(frozen=True, slots=True)
class Proposal:
    """A call that follows from the question."""

    name: str
    arguments: dict[str, object]


_EXPRESSION = re.compile(r"[\d(（√][\d\s.,+\-*/%^()（）×÷−²³]*[\d)）%²³]")
_FILLER = re.compile(
    r"请问|请|帮我|算一下|计算一下|计算|算算|等于多少|等于几|是多少|得多少|的结果|结果|多少|一下"
    r"|\b(?:what|is|whats|compute|calculate|evaluate|how|much|the|result|of|value|please|equal|equals|to|does)\b"
    r"|[=?？。.,，:：!'\s]"
)
# What people say for an operator, between two numbers.
_SPOKEN = (
    (re.compile(r"(\d+)\s*的\s*(\d+)\s*次方"), r"\1**\2"),
    (re.compile(r"(\d+)\s*(?:to the power of|to the)\s*(\d+)(?:th|st|nd|rd)?(?:\s*power)?"), r"\1**\2"),
    (re.compile(r"(\d[\d.,]*)\s*的\s*(\d+(?:\.\d+)?)\s*%"), r"\1*\2%"),
    (re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)\s*of\s*(\d[\d.,]*)"), r"\2*\1%"),
    (re.compile(r"(?<=[\d)])\s*(?:乘以|乘|times|multiplied by)\s*(?=[\d(])"), "*"),
    (re.compile(r"(?<=[\d)])\s*(?:除以|divided by)\s*(?=[\d(])"), "/"),
    (re.compile(r"(?<=[\d)])\s*(?:加上|加|plus)\s*(?=[\d(])"), "+"),
    (re.compile(r"(?<=[\d)])\s*(?:减去|减|minus)\s*(?=[\d(])"), "-"),
)
# Nothing can be looked up or worked out for a greeting; a small model searches the notes for it.
_SMALL_TALK = re.compile(
    r"(?:你好|您好|嗨|早上好|早安|晚上好|晚安|谢谢|多谢|感谢|再见|辛苦)[^？?\d]{0,12}"
    r"|(?:hello|hi|hey|good (?:morning|afternoon|evening|night)|thanks?|thank you|bye|goodbye)\b[^?\d]{0,24}",
    re.IGNORECASE,
)
_NOTES = re.compile(r"笔记|\bnotes?\b", re.IGNORECASE)
_DATE = r"(\d{4}\s*(?:[-/.]|年)\s*\d{1,2}\s*(?:[-/.]|月)\s*\d{1,2}\s*日?)"
_ANY_NUMBER = re.compile(r"\d+")
_SIDE = r"(\d+)(?:\s*[x×*]\s*(\d+))?"
_IS = r"\s*(?:大小|size)?\s*(?:=|:|：|为|是|取|of|is)?\s*"

_LAYER = re.compile(r"卷积|池化|\bconv|pool|deconv")
_POOL = re.compile(r"池化|pool")
_TRANSPOSED = re.compile(r"转置卷积|反卷积|transposed?|deconv")
_END = r"[。.？?！!\s]*"
_NAMED = r"[“\"「《]?([^“”\"「」《》，。？?]{1,60}?)[”\"」》]?"
_ENTRIES = {
    "related_entries": (
        re.compile(
            rf"(?:列出|请列出)?(?:和|与|跟)\s*{_NAMED}\s*(?:相关|有关|关联)的?(?:词条|条目)(?:有哪些|有什么)?{_END}"
        ),
        re.compile(rf"{_NAMED}\s*的?(?:相关|关联)(?:词条|条目)(?:有哪些|有什么|是什么)?{_END}"),
        re.compile(
            rf"(?:list |show |what are )?(?:the )?entries related to (?:the entry )?{_NAMED}{_END}", re.IGNORECASE
        ),
    ),
    "open_entry": (
        re.compile(
            rf"(?:请)?(?:打开|显示|查看)(?:我的|笔记里的)?(?:词条|条目)\s*[:：]?\s*{_NAMED}(?:的全文|的原文)?{_END}"
        ),
        re.compile(rf"(?:请)?(?:打开|显示|查看)\s*{_NAMED}\s*(?:这个|这一|的)?(?:词条|条目)(?:的全文|的原文)?{_END}"),
        re.compile(
            rf"(?:please )?(?:open|show) (?:me )?(?:the )?entry (?:on |of |called )?{_NAMED}{_END}", re.IGNORECASE
        ),
    ),
}
_WINDOWED = (
    "卷积|最大池化|平均池化|池化|转置卷积|反卷积|kernel|filter|window|conv|max pool|avg pool|average pool|transposed"
)
_KERNEL = (
    re.compile(rf"(?:卷积核|池化窗口|窗口|kernel(?:[_ ]size)?|filter|window){_IS}{_SIDE}"),
    re.compile(rf"{_SIDE}\s*的?\s*(?:{_WINDOWED})"),
)
_PARTS = {
    "stride": re.compile(rf"(?:stride|步长|步幅){_IS}(\d+)"),
    "padding": re.compile(rf"(?:padding|填充|补零|pad){_IS}(\d+|same|valid)"),
    "dilation": re.compile(rf"(?:dilation|空洞率|膨胀率|扩张率){_IS}(\d+)"),
    "output_padding": re.compile(rf"output[_ ]padding{_IS}(\d+)"),
    "in_channels": re.compile(rf"(?:输入通道数?|in[_ ]channels){_IS}(\d+)|(\d+)\s*个?(?:输入通道|input channels)"),
    "out_channels": re.compile(
        rf"(?:输出通道数?|out[_ ]channels){_IS}(\d+)|(\d+)\s*个?(?:输出通道|output channels|filters|卷积核)"
    ),
    "groups": re.compile(rf"(?:groups?|分组){_IS}(\d+)"),
}
_INPUT = re.compile(r"(\d+)\s*[x×*]\s*(\d+)(?:\s*[x×*]\s*(\d+))?")
_ONE_SIDE = re.compile(rf"(?:输入(?:尺寸|大小|边长)?|input(?:[_ ]size)?|image|图片|图像|特征图){_IS}(\d+)")


def is_small_talk(question: str) -> bool:
    """Whether a text is only a greeting, thanks, or a goodbye."""
    return _SMALL_TALK.fullmatch(question.strip()) is not None


def asks_notes(question: str) -> bool:
    """Whether a question says that it is about the notes."""
    return _NOTES.search(question) is not None


def propose(question: str) -> Proposal | None:
    """The one call that the question asks for by itself, or None when that is not certain."""
    return _entry(question) or _date(question) or _layer(question) or _arithmetic(question)


def _entry(question: str) -> Proposal | None:
    for name, patterns in _ENTRIES.items():
        for pattern in patterns:
            if match := pattern.fullmatch(question.strip()):
                return Proposal(name, {"title": match.group(1).strip()})
    return None


def _arithmetic(question: str) -> Proposal | None:
    text = question.strip()
    if re.search(_DATE, text):
        return None
    for pattern, operator in _SPOKEN:
        text = pattern.sub(operator, text)
    found = max(_EXPRESSION.findall(text), key=len, default="")
    rest = _FILLER.sub("", fold(text.replace(found, " ", 1)))
    if not found or rest or not re.search(r"[+\-*/%×÷−^²³]", found):
        return None
    try:
        calculate(found)
    except ToolError as error:
        if "division by zero" not in str(error):  # that one is the answer
            return None
    return Proposal("calculate", {"expression": normalise(found)})


def _layer(question: str) -> Proposal | None:
    text = fold(question)
    if not _LAYER.search(text):
        return None
    kind = "transposed" if _TRANSPOSED.search(text) else "pool" if _POOL.search(text) else "conv"
    arguments: dict[str, object] = {"kind": kind}
    taken: list[tuple[int, int]] = []
    for name, value, span in _settings(text):
        if name not in arguments:
            arguments[name] = value
            taken.append(span)
    left = _blank(text, taken)
    size = _INPUT.search(left) or _ONE_SIDE.search(left)
    if size is None or "kernel_size" not in arguments:
        return None
    numbers = [int(part) for part in size.groups() if part]
    if len(numbers) == 3:
        arguments.setdefault("in_channels", min(numbers[0], numbers[2]))
        numbers = numbers[1:] if numbers[0] <= numbers[2] else numbers[:2]
    arguments["input_size"] = numbers if len(numbers) > 1 else numbers[0]
    if _ANY_NUMBER.search(re.sub(r"conv[123]d|[123]d|[123]维", " ", _blank(left, [size.span()]))):
        return None
    return Proposal("convolution_output", arguments)


def _settings(text: str) -> Iterator[tuple[str, object, tuple[int, int]]]:
    for name in sorted(_PARTS, key=len, reverse=True):
        if match := _PARTS[name].search(text):
            found = next(part for part in match.groups() if part)
            yield name, int(found) if found.isdigit() else found, match.span()
            text = _blank(text, [match.span()])
    for pattern in _KERNEL:
        if match := pattern.search(text):
            sides = [int(part) for part in match.groups() if part]
            yield "kernel_size", sides[0] if len(set(sides)) == 1 else sides, match.span()
            return


def _blank(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


_TODAY = re.compile(r"今天|today")
_ASKS_DAY = re.compile(
    r"几号|几月|日期|星期几|周几|礼拜几|what day|which day|weekday|day of the week|what date|the date|today's date"
)
_COUNTS_DAYS = re.compile(r"(?:多少|几)\s*天|how many days|number of days")
_LATER = re.compile(
    r"(\d+)\s*天\s*(?:之后|以后|后)|(?:之后|以后|往后|再过|过)\s*(\d+)\s*天|(\d+)\s*days?\s*(?:after|later|from)"
)
_EARLIER = re.compile(
    r"(\d+)\s*天\s*(?:之前|以前|前)|(?:之前|往前)\s*(\d+)\s*天|(\d+)\s*days?\s*(?:before|earlier|ago)"
)


def _date(question: str) -> Proposal | None:
    text = fold(question)
    dates = re.findall(_DATE, text)
    rest = re.sub(_DATE, " ", text)
    days = [_iso(date) for date in dates]
    today = _TODAY.search(text)
    if len(dates) == 1 and today and _COUNTS_DAYS.search(rest):
        days = ["today", *days] if today.start() < text.index(dates[0]) else [*days, "today"]
    if len(days) == 2:
        return _proposed(rest, until=days[1], day=days[0]) if _COUNTS_DAYS.search(rest) else None
    if len(days) > 2 or not (days or today):
        return None
    day = days[0] if days else "today"
    for pattern, sign in ((_LATER, 1), (_EARLIER, -1)):
        if match := pattern.search(rest):
            shift = sign * int(next(part for part in match.groups() if part))
            return _proposed(_blank(rest, [match.span()]), day=day, add_days=shift)
    return _proposed(rest, day=day) if _ASKS_DAY.search(text) else None


def _proposed(rest: str, **arguments: object) -> Proposal | None:
    """A date call, unless numbers are left over."""
    return None if _ANY_NUMBER.search(rest) else Proposal("date", arguments)


def _iso(date: str) -> str:
    year, month, day = _ANY_NUMBER.findall(date)
    return f"{year}-{int(month):02d}-{int(day):02d}"
