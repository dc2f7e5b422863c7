# ruff: noqa: E501 - a pattern or a table is read as one line
"""A prompt cut into statements: sentences outside code blocks and examples, their clauses, conditions and targets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.text import split_sentences

FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n.*?^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+(?P<hash>.+?)[ \t]*#*|【(?P<box>[^】\n]{1,20})】|\*\*(?P<bold>[^*\n]{1,40})\*\*[:：]?"
    r"|(?P<plain>[A-Z][A-Za-z-]{1,15}(?: [A-Za-z-]{1,15}){0,2}|[\u4e00-\u9fff]{2,8})[:：])[ \t]*$"
)
_BLOCK = re.compile(r"<(?P<tag>[A-Za-z_\u4e00-\u9fff][\w\u4e00-\u9fff-]*)>\s*\n.*?</(?P=tag)>", re.DOTALL)
_EXAMPLE_HEADING = re.compile(r"example|few-?shot|sample|示例|样例|例子|范例", re.IGNORECASE)
_DATA_HEADING = re.compile(r"^(?:context|background|input|notes?|材料|背景|上下文|输入|笔记|资料)$", re.IGNORECASE)
_SCOPED_HEADING = re.compile(
    r"^(?:for|if|when|mode|case|对于|针对|当|如果|场景|模式|情况)\b|模式|场景|情况", re.IGNORECASE
)
_TURN = re.compile(
    r"^\s*(?:user|assistant|input|output|q|a|用户|助手|输入|输出|问|答)\s*\d*\s*[:：](?!\s*(?:(?:a|an|one|valid|only|plain|一个)\s*)*(?:JSON|XML|YAML|CSV|HTML|table|Markdown|表格))",
    re.IGNORECASE,
)
# A line of a template ({"a": 1}), of a table, or of tags states no rule.
_DATA_LINE = re.compile(r"^\s*(?:[{}\[\]]|\"[^\"]+\"\s*:|\||</?\w+>)")
_BULLET = re.compile(r"^(?:[-*+•·]|\(?\d{1,2}[.)、]|[（(]?[一二三四五六七八九十]{1,2}[)）、]|[①-⑳])[ \t]*")

_CUT = re.compile(r"[，,;；:：]\s*(?:(?:and|but|or|then|so|yet)\s+)?|\s+(?:but|yet)\s+|\s+[—–-]+\s+|——")
_LEADING = (
    re.compile(
        r"^(?P<exception>unless|except (?:when|if|that)|(?:an |the only )?exceptions?:?\s*(?:if|when)?)?\s*"
        r"(?P<condition>(?:if|when(?:ever)?|where|in case|in (?:the|that) (?:case|event)|for|once|as (?:long|soon) as|"
        r"only (?:if|when|for))\b[^,，:：]+|(?:unless|except)\b[^,，:：]+)[,，:：]\s*(?:then\s+)?",
        re.IGNORECASE,
    ),
    re.compile(
        r"^(?P<exception>除非|除了|例外[:：]?|唯一的?例外(?:是)?[:：]?|但是?)?\s*"
        r"(?P<condition>(?:如果|若是?|假如|要是|当|一旦|倘若|遇到|碰到|只有|只要|对于?|针对|凡是?|除非|除了|在)[^，,:：。]+?|[^，,:：。]{1,24}?)"
        r"(?P<mark>的时候|之时|时候|的情况下|情况下|时|的话|(?<=没写)的|(?<=没提)的|(?<=没有约定)的|(?<=没有写)的|(?<=没有提到)的|(?<=没有说明)的|(?<=没有规定)的|(?<=未提及)的|(?<=未注明)的|(?<=找不到)的|(?<=不知道)的|(?<=不确定)的|的地方|的部分|的信息|的内容|的字段|处|以外|之外|外|的问题|的提问|的用户|的输入)?[，,:：]\s*(?:那么|则|就|才)?",
    ),
)
_ZH_OPENERS = re.compile(
    r"如果|若|假如|要是|当|一旦|倘若|遇到|碰到|只有|只要|对|针对|凡|除非|除了|(?:用户|客人|读者|客户|学生|顾客|对方)(?:问到|问起|问的|询问|提到|要求|没有给|没给|不)"
)
# "Name the main problems, three at most" begins like a condition in Chinese ("…的问题，") and is none.
_IMPERATIVE_ZH = re.compile(
    r"(?:先|再|请|最后)?(?:指出|找出|列出|写出?|给出|说明|总结|提出|解答|修正|归纳|保留|选出?|挑出?|概括|整理|提取|抽取)"
)
_TRAILING = re.compile(
    r"\s*[,，(（]?\s*(?P<exception>unless|except(?:\s+(?:when|if|for|in|that))?|other than|除非|除外|例外)?\s*"
    r"(?P<condition>(?:\b(?:only\s+)?(?:if|when(?:ever)?|unless|except|in case|for questions?|for users?|where)\b[^.。!！?？]+)"
    r"|(?:除非|如果)[^。！？]+)$",
    re.IGNORECASE,
)
_INNER_ZH = re.compile(
    r"^(?P<condition>[^，。]{0,6}[看拿读听认分查辨说]不(?:清楚?|准|出|到|懂|明白?)的(?:项|词|地方|内容|信息|字段|部分|情况)?(?=[，,一都就则写填归用按请给标直])"
    r"|[^，。]{0,10}(?:没有|缺失|缺少|未提到|未写明)的(?:信息|内容|字段|项目?)(?=[填写用留])"
    r"|(?:如果|若|当|遇到|碰到|对于?|针对)?[^，,。]{1,20}?(?:时(?![间区长刻态制])|的时候|的话|的情况下)(?=[\u4e00-\u9fff“\"「]|\s?[A-Za-z`])"
    # What cannot be had, as a topic: "查不到的书，…", "没有写明的字段填…".
    r"|[^，。：]{0,12}?(?:[看拿读听认分查辨说找买搜弄算答翻猜记]不[\u4e00-\u9fff]{1,6}|没(?:有)?(?!任何|多余)[\u4e00-\u9fff]{1,5}|未[\u4e00-\u9fff]{1,4}|无法[\u4e00-\u9fff]{1,4}"
    r"|不(?:认识|确定|清楚|知道|明白|懂|了解|熟悉|适合|符合|相关|属于|完整))的(?!地方|部分)[^，。：的]{0,6}?(?:[，,]|(?=一律|都|就|则|写|填|用|输出|返回|记|留|跳|省|忽|删|按|归|标|回[答复]))"
    # A lack without "if": "消息没写时间，填…".
    r"|[^，。：]{0,10}(?:没(?:有)?(?!例外|必要|任何)|未)[^，。：]{1,8}[，,](?=[^，。]{0,12}(?:写|填|回[答复]|输出|返回|记|留|标|归|问|跳|猜|估|推)))"
)
_EXCEPTION = re.compile(
    r"\b(?:unless|except(?:ion|ions)?|other than|only exception|however|instead)\b|除非|除外|例外|除了|但(?:是)?(?:如果|当|在|遇到|对)",
    re.IGNORECASE,
)
_UNIVERSAL = re.compile(
    r"\b(?:no matter|regardless|whatever|whichever|in (?:all|every|any) cases?|under (?:any|no|all) circumstances?|without exception|"
    r"even (?:if|when)|at all times|every single)\b|无论|不管|不论|任何情况|任何时候|没有例外|毫无例外|即使|哪怕|绝无例外",
    re.IGNORECASE,
)
_NOT_CONDITION = re.compile(
    r"^(?:where|if|when(?:ever)?) (?:it (?:fits|helps)|possible|needed|necessary|appropriate|relevant|useful|suitable|you (?:can|like|want))|(?:必要|适当|可能|合适)时|^如有必要|^如果可能|^如可能|"
    r"^for (?:example|instance|each|every|clarity|the record|all|any)\b|^in (?:total|short)|^where\b.*\?|^对(?:话|比|答案|问题)(?!.*(?:时|的话))",
    re.IGNORECASE,
)

# The task itself is no condition: "when you answer", "播报时".
_TASK_ITSELF = re.compile(
    r"^when(?:ever)? (?:you (?:are )?)?(?:answer|reply|respond|writ|summari[sz])\w*(?: (?:to )?(?:the |a |any )?(?:\w+ )?(?:questions?|users?|customers?|readers?))?$|"
    r"^(?:在|当)?你?(?:回答|回复|作答|答复|输出|书写|撰写|写作|生成|总结|翻译|改写|讲解|介绍|播报)(?:用户|读者|客户|学生)?的?(?:问题|提问|来信)?(?:时|的时候)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of a sentence between commas; ``start``/``end`` are offsets in the prompt."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of the prompt with its clauses; the condition's words are in none of them."""

    start: int
    end: int
    text: str
    section: str
    clauses: tuple[Clause, ...]
    condition: str = ""
    is_exception: bool = False
    is_universal: bool = False


def statements(prompt: str) -> list[Statement]:
    """The statements in order. Code blocks, tagged blocks of data, examples and context sections hold none."""
    hidden = [match.span() for pattern in (FENCE, _BLOCK) for match in pattern.finditer(prompt)]
    found = []
    section, scope, is_data = "", "", False
    for start, end in _lines(prompt):
        line = prompt[start:end]
        if any(a <= start < b for a, b in hidden) or _DATA_LINE.match(line):
            continue
        heading = _HEADING.match(line)
        if heading is not None:
            section = next(group for group in heading.groups() if group).strip()
            is_data = bool(_EXAMPLE_HEADING.search(section) or _DATA_HEADING.match(section))
            scope = section if _SCOPED_HEADING.search(section) else ""
            continue
        if not is_data and not _TURN.match(line):
            found += [_statement(prompt, a, b, section, scope) for a, b in _sentences(prompt, start, end)]
    return found


def hidden_spans(prompt: str) -> list[tuple[int, int]]:
    """Where code blocks stand."""
    return [match.span() for match in FENCE.finditer(prompt)]


def bullet_width(line: str) -> int:
    """How many characters at the beginning of a stripped line are its list mark."""
    match = _BULLET.match(line)
    return match.end() if match else 0


def _lines(prompt: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(r"[^\n]+", prompt):
        yield match.span()


def _sentences(prompt: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    line = prompt[start:end]
    indent = len(line) - len(line.lstrip())
    begin = start + indent + bullet_width(line.strip())
    for a, b in _joined(prompt[begin:end]):
        yield begin + a, begin + b


def _joined(line: str) -> list[tuple[int, int]]:
    """Sentence spans; one that ends inside quotes or brackets goes on."""
    spans: list[tuple[int, int]] = []
    for start, end in split_sentences(line):
        if spans and (_is_open(line[spans[-1][0] : spans[-1][1]]) or _GOES_ON.match(line[start:end])):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


_GOES_ON = re.compile(r"结尾|收尾|结束|开头|打头|作结|作为|的字样|字样|这|即可")
"""A sentence in quotes was the object of this one: “欢迎再来。”结尾."""


def _is_open(text: str) -> bool:
    pairs = ("“”", "「」", "『』", "()", "（）", "《》", "{}", "[]")
    return any(text.count(pair[0]) > text.count(pair[1]) for pair in pairs) or text.count('"') % 2 == 1


def _statement(prompt: str, start: int, end: int, section: str, scope: str) -> Statement:
    text = prompt[start:end]
    condition, is_exception, body_start, body_end = _condition(text)
    clauses = tuple(_clauses(prompt, start + body_start, start + body_end))
    return Statement(
        start,
        end,
        text,
        section,
        clauses,
        condition=" ".join(filter(None, [scope, condition])),
        is_exception=is_exception or bool(_EXCEPTION.search(text)),
        is_universal=bool(_UNIVERSAL.search(text)),
    )


def _condition(text: str) -> tuple[str, bool, int, int]:
    """The condition of a sentence, whether it is an exception, and the span of what is left."""
    for number, pattern in enumerate(_LEADING):
        match = pattern.match(text)
        if match is None or _NOT_CONDITION.match(match["condition"]) or _UNIVERSAL.search(match["condition"]):
            continue
        if number and not (match["mark"] or _ZH_OPENERS.match(match["condition"])):
            continue
        if number and _IMPERATIVE_ZH.match(match["condition"]):
            continue
        if _TASK_ITSELF.match(match["condition"].strip()):
            return "", False, match.end(), len(text)
        # "没有的信息" names its case by what follows the 的 as well.
        tail = mark if number and (mark := match["mark"] or "").startswith("的") else ""
        return (match["condition"] + tail).strip(), bool(match["exception"]), match.end(), len(text)
    body = text.rstrip("。.!！?？；; ")
    match = _TRAILING.search(body)
    if (
        match
        and match.start() > 0
        and not _NOT_CONDITION.match(match["condition"])
        and not _UNIVERSAL.search(match[0])
        and not _is_quoted(body, match.start())
    ):
        return match["condition"].strip(), bool(match["exception"]), 0, match.start()
    inner = _INNER_ZH.match(text)
    if inner and not _UNIVERSAL.match(text):
        condition = "" if _TASK_ITSELF.match(inner["condition"]) else inner["condition"]
        return condition, False, inner.end(), len(text)
    return "", False, 0, len(text)


def _is_quoted(text: str, position: int) -> bool:
    before = text[:position]
    return (
        before.count('"') % 2 == 1 or before.count("“") > before.count("”") or before.count("「") > before.count("」")
    )


def _clauses(prompt: str, start: int, end: int) -> Iterator[Clause]:
    text = prompt[start:end]
    begin = 0
    for match in _CUT.finditer(text):
        if _is_open(text[begin : match.start()]) or _is_inside_number(text, match):
            continue
        if text[begin : match.start()].strip():
            yield Clause(start + begin, start + match.start(), text[begin : match.start()])
        begin = match.end()
    if text[begin:].strip():
        yield Clause(start + begin, end, text[begin:])


def _is_inside_number(text: str, match: re.Match[str]) -> bool:
    around = text[match.start() - 1 : match.start()] + text[match.end() : match.end() + 1]
    return match[0] in ",:" and len(around) == 2 and around.isdigit()
