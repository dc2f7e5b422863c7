# ruff: noqa: E501 - a pattern or a table is read as one line
"""Limits without a number: only these sources, only this output, all of them, only one."""

import re
from collections.abc import Iterator

from agents.prompts.types import Content

# "Use only the notes" and "give only the code" say what they leave out.
_ONLY_SOURCES = re.compile(
    r"\b(?:only|solely|exclusively|alone|nothing but|strictly)\b[^,.]{0,40}\b(?:notes?|contexts?|passages?|documents?|materials?|texts?|sources?|provided|given)\b|"
    r"\b(?:notes?|contexts?|passages?|documents?|materials?|texts?|sources?)\b[^,.]{0,12}\b(?:only|alone|exclusively)\b|\bstick (?:strictly |closely )?to the (?:\w+ )?(?:notes?|contexts?|passages?|documents?|materials?|texts?)\b|"
    r"(?:只|仅|严格|完全)(?:能|可|可以)?(?:来自|取自|根据|依据|依照|按照|基于|用|使用|参考|依靠|引用)[^，。]{0,10}(?:笔记|资料|材料|文档|原文|上下文|内容|段落|记录|文章)",
    re.IGNORECASE,
)
_ONLY_OUTPUT = re.compile(
    r"^\s*(?:please )?(?:output|return|reply|respond|give|show|print|write|provide|answer)(?: with)? (?:only|just|nothing (?:but|except))\b|\b(?:only|just) (?:output|return|reply|respond|give|print|provide)\b|"
    r"^\s*(?:please )?(?:output|return|reply|respond|answer|give|show|print|provide)\b[^,.]{2,40}\b(?:only|alone|nothing (?:else|more))[.!]?\s*$|(?:只|仅)(?:需|要|能|可以|许)?(?:输出|返回|回复|给出|打印|回答(?=[:：“])|[写给报答填](?!一))(?!一[种类])",
    re.IGNORECASE,
)


_ALL = re.compile(
    r"\b(?:list|give|name|show|return) (?:them )?all\b|(?:全部|逐一|一一)(?:列出|给出|写出)|所有[^，。]{0,8}都(?:要)?(?:列|给|写)",
    re.IGNORECASE,
)
_ONLY_ONE = re.compile(
    r"\bonly (?:one|the (?:first|best|last|most \w+))\b|只(?:给|列|选|取|写)(?:出)?[^，。]{0,8}(?:一[个种条项]|最[^，。]{1,4}的)",
    re.IGNORECASE,
)


def limits_in(text: str) -> Iterator[tuple[Content, int]]:
    """What a clause without a negation leaves out or wants whole, with its place."""
    if match := _ALL.search(text):
        yield Content("all"), match.start()
    for pattern, concept in ((_ONLY_SOURCES, "outside"), (_ONLY_OUTPUT, "extra"), (_ONLY_ONE, "all")):
        if match := pattern.search(text):
            yield Content(concept, is_forbidden=True), match.start()
