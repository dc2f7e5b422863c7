# ruff: noqa: E501 - a pattern is read as one line
"""Two answers to one question of form: separators, dates, names of keys, headers, outer shapes."""

import re
from collections.abc import Iterator, Sequence

from agents.prompts.types import Finding

_SEPARATORS = {
    "comma": r"\bcomma[- ]separated\b|\bseparated? (?:\w+ ){0,3}(?:by|with) (?:a )?commas?\b|\bcommas? (?:between|as (?:the )?separator)|(?:用|以)(?:英文|半角)?逗号(?:分隔|隔开)|逗号分隔",
    "semicolon": r"\bsemicolon[- ]separated\b|\bseparated? (?:\w+ ){0,3}(?:by|with) (?:a )?semicolons?\b|(?:用|以)(?:英文|半角)?分号(?:分隔|隔开)|分号分隔",
    "quoted": r"\bseparated? (?:\w+ ){0,3}(?:by|with) [\"“'`][^\w\"”'`]{1,5}[\"”'`]|(?:用|以)[“「\"][^\w”」\"]{1,5}[”」\"](?:分隔|隔开)",
    "tab": r"\btab[- ]separated\b|\bseparated? (?:\w+ ){0,3}(?:by|with) (?:a )?tabs?\b|(?:用|以)制表符(?:分隔|隔开)|制表符分隔|\bTSV\b",
    "pipe": r"\bpipe[- ]separated\b|\bseparated? (?:\w+ ){0,3}(?:by|with) (?:a )?(?:pipes?|vertical bars?)\b|(?:用|以)竖线(?:分隔|隔开)",
}
_DATES = {
    "YYYY-MM-DD": r"YYYY-MM-DD|\bISO[ -]?8601\b|年-月-日",
    "DD/MM/YYYY": r"DD[/.]MM[/.]YYYY|日/月/年|日\.月\.年",
    "MM/DD/YYYY": r"MM[/.-]DD[/.-]YYYY|月/日/年",
    "YYYY/MM/DD": r"YYYY/MM/DD|年/月/日",
    "YYYY年MM月DD日": r"YYYY ?年 ?MM ?月 ?DD ?日|[XxN某]+年[XxN某]+月",
    "timestamp": r"\bUnix (?:time(?:stamp)?|epoch)\b|\bepoch seconds\b|时间戳",
}
_CASES = {
    "snake_case": r"\bsnake_case\b|下划线命名",
    "camelCase": r"\bcamelCase\b|驼峰(?:命名)?",
    "kebab-case": r"\bkebab-case\b",
    "UPPER_CASE": r"\bUPPER_CASE\b|\b(?:keys|field names) in (?:upper ?case|capitals)\b|(?:字段名|键名?)[^，。]{0,6}大写",
    "lower case": r"\b(?:keys|field names) in lower ?case\b|(?:字段名|键名?)[^，。]{0,6}小写",
}
_HEADER = {
    "with a header": r"\b(?:with|include|including|starts? with|has|add|write) (?:a |the )?header (?:row|line)\b|first (?:row|line) (?:is|holds|contains) the (?:header|column names)|(?:第一行|首行)(?:是|为|写|必须是)?(?:表头|列名)|(?:带|包含|含|要有|需要)表头",
    "without a header": r"\b(?:without|no|omit the|skip the|leave out the) (?:a )?header(?: (?:row|line))?\b|(?:不(?:要|带|含|写|需要|加)|没有|省略|去掉)表头",
}
_NESTING = {
    "one object": r"\b(?:a |one )?single JSON object\b|\bone JSON object\b|(?:一个|单个) ?JSON ?对象",
    "an array": r"\b(?:a |one )?JSON (?:array|list)\b|\btop-level (?:array|list)\b|JSON ?数组|顶层(?:是|为)数组",
    "one object per line": r"\bone (?:JSON )?object (?:per|on each) line\b|\bJSON ?Lines\b|\bJSONL\b|每行一个 ?(?:JSON ?)?对象",
}
_CHOICES = (
    ("separator", _SEPARATORS),
    ("date form", _DATES),
    ("naming", _CASES),
    ("header", _HEADER),
    ("outer shape", _NESTING),
)


def choice_findings(prompt: str) -> Iterator[Finding]:
    """Two answers to one question of form, such as two separators; conditions make them choices, not conflicts."""
    for name, patterns in _CHOICES:
        said = {value: list(re.finditer(pattern, prompt, re.IGNORECASE)) for value, pattern in patterns.items()}
        places = {
            value: match
            for value, matches in said.items()
            if (match := next((m for m in matches if not _is_negated(prompt, m)), None))
        }
        if len(places) == 2 and not _is_conditional(prompt, list(places.values())):
            (one, a), (other, b) = sorted(places.items(), key=lambda item: item[1].start())
            if a.end() <= b.start():
                detail = f"The {name} is {one} and {other}."
                yield Finding("format", f"two {name}s", detail, quotes=(a[0], b[0]), spans=(a.span(), b.span()))


def _is_negated(prompt: str, match: re.Match[str]) -> bool:
    return bool(
        re.search(
            r"(?:\bnot?\b|\bnever\b|n't|\binstead of\b|\brather than\b|不要|不得|不是|而不是|不用|禁止)[^.。,，\n]{0,12}$",
            prompt[: match.start()],
            re.IGNORECASE,
        )
    ) and not match[0].lower().startswith("no")


def _is_conditional(prompt: str, matches: Sequence[re.Match[str]]) -> bool:
    for match in matches:
        start = max(prompt.rfind(mark, 0, match.start()) for mark in "\n。.；;") + 1
        sentence = prompt[start : match.end()]
        if re.search(
            r"\b(?:if|when|unless|except|for|input|convert|from|in the notes|accepts?)\b|如果|若|时，|除非|除了|输入|转换|原文|收到",
            sentence,
            re.IGNORECASE,
        ):
            return True
    return False
