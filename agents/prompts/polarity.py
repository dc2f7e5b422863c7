# ruff: noqa: E501 - a pattern or a table is read as one line
"""Whether a clause demands, allows or forbids what it names, and which part of the answer it speaks of."""

import re
from enum import Enum

# 不 before any verb negates it, but not within a word (不同), a result (找不到), "V不V", or what qualifies a noun (不认识的词).
_NOT_ZH = r"(?<![看拿读听认分查辨说找来对差得是能好会肯了解料])不(?![同仅但过足少多断久良错妨限是在会至如止定等只满明清知确太够到利当管论需想愿足]|[^，。、]{1,5}的[^，。、])"
_NEGATION = re.compile(
    r"\b(?:do not|don['’]?t|does not|never|must not|mustn['’]t|may not|should not|shouldn['’]t|can(?:not| not|['’]t)|avoid|without|refrain from|forbid(?:den)?|prohibited|"
    r"not allowed|(?:is|are|be) not|not|no|omit|exclude|leave out|leave (?:[\w'-]+ ){1,5}out|skip|drop|instead of|rather than|free of|zero|ban(?:ned)?|neither|nor|off[- ]limits|stay away from|stop)\b"
    r"|禁止|避免|切勿|切忌|勿|(?<![类级特分区识性个差判鉴辨])别(?![的名人])|严禁|杜绝|省略|去掉|不(?:要|得|能|可以?|准|许|应该?|该|用|必|宜)|"
    + _NOT_ZH
    + r"|没有任何|无需|拒绝使用|请勿|忌",
    re.IGNORECASE,
)
_FORBIDDEN_AFTER = re.compile(
    r"^[^,，。.]{0,24}?(?:\b(?:(?:is|are) (?:strictly )?(?:forbidden|prohibited|banned|not (?:allowed|permitted|welcome))|must (?:not|never)|(?:has|have) no place|should (?:not|never))\b"
    r"|(?:一律|绝对|严格)?(?:禁止|不得|不允许|不许|不准|不能|不可|不要|" + _NOT_ZH + r")(?:出现|使用|有)?)",
    re.IGNORECASE,
)
_ALLOWED_AFTER = re.compile(
    r"^[^,，。.]{0,16}?(?:\b(?:(?:is|are) (?:fine|allowed|welcome|optional|permitted|ok))\b|可以(?!不)|(?:是)?允许|也行|均可)",
    re.IGNORECASE,
)
# Two negations that make a demand.
_DOUBLE = re.compile(
    r"\b(?:do not|don['’]?t|never|must not|cannot) (?:forget|fail|omit|skip|leave out|miss|answer without|reply without|respond without|write [^,.]{0,20}without)\b"
    r"|\bnot only\b|\bno (?:more|fewer|less|later) than\b|\bnot (?:more|exceed|fewer|less)\b|\bno matter\b|\bnot just\b|\bno longer than\b"
    r"|(?:不要|不得|别|切勿|不能|不可)(?:忘(?:记|了)?|遗漏|漏掉|省略|缺少|省去|没有)|不(?:仅|只|但|光)|(?:不|别|勿|莫)(?:得|要|能|可)?(?:超过|少于|多于|低于|小于)|缺一不可|必不可少|不可或缺",
    re.IGNORECASE,
)
_PERMISSION = re.compile(
    r"\b(?:may(?! not)|can(?!not| not|['’]t)|allowed to|feel free|optional(?:ly)?|if you (?:like|wish)|it is (?:fine|ok|okay) to|welcome to|permitted)\b|可以(?!不)|可(?=[写用长短放延增])|允许|可选|不妨|可酌情|酌情",
    re.IGNORECASE,
)
_DESCRIPTION = re.compile(
    r"^\s*(?:you (?:are|act|work|help|will (?:be given|receive|get|see))\b|you're|your (?:task|job|role|goal|readers?|users?) (?:is|are)\b|this (?:prompt|assistant|tool)|the (?:users?|readers?|customers?|students?|notes?|input|audience|text|material|message)s? (?:is|are|will|may|can|contains?|comes?|asks?|sends?|writes?|holds?)\b|"
    r"(?:请你?)?扮演|假设你|假装|身份|[你您](?:是|将(?:会)?(?:收到|看到|得到)|会(?:收到|看到|得到)|的(?:任务|工作|目标|职责|读者|用户)(?:是|为)|负责)|你的角色|作为|本(?:提示|助手|工具)|(?:用户|读者|学生|客户|笔记|输入|材料)(?:是|会|可能|通常|将|来自|中|里))",
    re.IGNORECASE,
)


# "Leave the price out": the thing stands within the negation.
_AROUND = re.compile(r"\b(?:leave|keep|take) (?:[\w'-]+ ){1,5}out\b", re.IGNORECASE)


class Polarity(Enum):
    """What a clause says about a thing."""

    MUST = "must"
    MAY = "may"
    NOT = "not"


def polarity(clause: str, start: int, end: int, inherited: bool = False) -> Polarity:
    """How the thing at ``start``..``end`` of a clause is meant; ``inherited`` negation comes from the clause before."""
    if _FORBIDDEN_AFTER.search(clause[end:]) and not _DOUBLE.search(clause):
        return Polarity.NOT
    negated = inherited or any(match.start() < start and end <= match.end() for match in _AROUND.finditer(clause))
    before = _DOUBLE.sub("", clause[:start])
    for match in _NEGATION.finditer(before):
        negated = not _is_closed(before[match.end() :], match[0])
    negated = negated or bool(re.search(r"(?:不|勿|(?<![类级特分区识性个差判鉴辨])别)$", before))
    if _DOUBLE.search(clause[: start + 1]) and not _NEGATION.search(before):
        negated = False
    if negated:
        return Polarity.NOT
    if _PERMISSION.search(clause[:start]) or _ALLOWED_AFTER.search(clause[end:]):
        return Polarity.MAY
    return Polarity.MUST


_STATED = re.compile(
    r"^[^,.]*?\b(?:remind|state|say|note|mention|tell|add|point out|make (?:it )?clear|warn|stress|emphasi[sz]e)\b[^,.]{0,40}?\bthat (?P<en>.+)"
    r"|^[^，。不别]{0,10}(?:提醒|说明|注明|声明|告知|强调|指明)(?:读者|用户|客户|对方|他们?)?[，,：:]?(?P<zh>.*(?:不|没|非).*)",
    re.IGNORECASE,
)


def stated_in(clause: str) -> str:
    """What a clause wants said, where that is a whole sentence ("remind them that this is no advice"), or ""."""
    match = _STATED.match(clause)
    if match is None or _NEGATION.search(clause[: match.start("en") if match["en"] else match.start("zh")]):
        return ""
    return match["en"] or match["zh"] or ""


def is_negated(clause: str) -> bool:
    """Whether a clause forbids something."""
    return not stated_in(clause) and bool(_NEGATION.search(_DOUBLE.sub("", clause)) or _AROUND.search(clause))


def is_permission(clause: str) -> bool:
    """Whether a clause only allows something."""
    return bool(_PERMISSION.search(clause))


def permitted_case(clause: str) -> str:
    """What a clause allows something for ("on holidays it may run to 60 words"), or ""."""
    match = _PERMISSION.search(clause)
    return "" if match is None or is_negated(clause) else without_polarity(clause[: match.start()]).strip()


def is_description(clause: str) -> bool:
    """Whether a clause tells who speaks to whom, and demands nothing."""
    return bool(_DESCRIPTION.match(clause))


_TASK = re.compile(
    r"^\s*you (?!must|should|may|can|need|have|never|always|do not|don|are|will|only|shall|ought|cannot)(?:\w+ly )?\w+|^\s*[你您](?:把|将|给|替|为|向|帮|比较|判断|解释|检查|负责|写|核对|审查|用)",
    re.IGNORECASE,
)


def is_task(clause: str) -> bool:
    """Whether a clause says what the whole task is ("You rewrite questions"), which forbids and demands no part."""
    return bool(_TASK.match(clause))


def without_polarity(clause: str) -> str:
    """The clause without its words of demand and negation."""
    return _PERMISSION.sub(" ", _NEGATION.sub(" ", _MODAL.sub(" ", clause)))


_MODAL = re.compile(
    r"\b(?:must|always|should|shall|need(?:s)? to|have to|has to|be sure to|make sure(?: to| that)?|ensure(?: that)?|please|only|exactly|strictly|every time|in every (?:answer|reply|response)|"
    r"under (?:no|any) circumstances|at all times|your|the|answers?|repl(?:y|ies)|responses?|outputs?)\b|必须|务必|一定要?|应该?|需要?|总是|始终|永远|每次|请|只|一律|都要|都|任何情况下|回答|答案|回复|输出|中|里",
    re.IGNORECASE,
)


def _is_closed(between: str, negation: str) -> bool:
    """Whether a positive word after the negation ends its reach: "do not guess but cite"."""
    return bool(
        re.search(r"\bbut\b|\binstead\b(?! of)|而(?:是|要)|只(?:能|要|需)", between)
    ) and negation.lower() not in {"instead of"}


_PARTS: dict[str, str] = {
    "title": r"\b(?:the |a |its |every |each )?(?:title|heading|headline|subject(?: line)?)s?\b|标题|题目|主题行",
    "introduction": r"\b(?:introduction|opening|first (?:sentence|line|paragraph))\b|引言|开头|首句|第一(?:句|段|行)",
    "end": r"\b(?:last (?:sentence|line|paragraph)|closing|conclusion|final (?:sentence|line|paragraph))\b|结尾|末尾|最后一(?:句|段|行)|结论(?:部分)?",
    "explanation": r"\b(?:the|each|your|its|every|this) (?:explanation|rationale|reasoning|reason|justification)s?\b|^(?:explanation|rationale|reason(?:ing)?)s?\b|理由|解释|说明(?:部分|文字)|原因|评语",
    "example": r"\bexamples?\b|例子|例句|示例",
    "quote": r"\bquot(?:e|ation)s?\b|引文|引用(?:的)?(?:原文|内容)|原句",
    "code": r"\b(?:code|comments?|variable names?|identifiers?)\b|代码|注释|变量名",
    "term": r"\b(?:technical |proper )?(?:terms?|names?|terminology|acronyms?|titles of (?:books|papers))\b|术语|专有名词|人名|缩写|专名|论文名",
    "key": r"\b(?:keys?|field names?|column names?|tags?)\b|键名?|字段名|列名",
    "value": r"\bvalues?\b|字段(?:的)?值|取值",
    "piece": r"\b(?:each|every|per)\s+(?!(?:\w+ )?(?:answer|reply|response|output|message|turn|time|question|request|case|day|single|announcement|summary|e?mail|letter|post|description|review|report|article|caption|story|tweet|essay|translation|note|title|headline|text|document|page)\b)\w+|\b(?:words|sentences|characters) each\b|\bcells?\b|单元格|"
    r"(?<!从)每(?!次|天|当|日)(?:一)?[个条句项点段行步名位种款张道处家本章节列格]?+(?!(?:回答|答案|回复|输出|问题|推送|消息|次|篇|封|则|份))[\u4e00-\u9fff]{0,4}|各(?:条|项|句|点|个)",
    "summary": r"\b(?:the |a |one-line |closing |final )?summary\b|摘要|总结|小结",
    "translation": r"\bthe translations?\b|译文",
    "table": r"\bthe table\b|表格(?:里|中|部分|内)",
    "greeting": r"\b(?:the )?greeting\b|问候语",
    "definition": r"\b(?:the )?definition\b|定义(?:部分)?",
    "steps": r"\b(?:the )?steps\b|步骤部分",
    "reader": r"\bwhen the (?:user|reader)\b",
}
_PART = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _PARTS.items()}
_FIELD = re.compile(
    r"`(?P<quoted>[A-Za-z_][\w-]{0,30})`|[\"“「'](?P<marked>[A-Za-z_][\w-]{0,30})[\"”」']\s*(?:field|key|column|字段|列|键)|(?:field|key|column|字段|列|键)\s*[\"“「'](?P<marked2>[A-Za-z_][\w-]{0,30})[\"”」']|\b(?P<named>[a-z_][a-z0-9_]{1,30})\s*(?:(?:field|key|column)s?\b|字段|列)|"
    r"(?:字段|键|列)\s*(?P<zh>[A-Za-z_][\w-]{0,30})|(?P<han>[\u4e00-\u9fff]{2,4})字段|[“\"「]?(?P<column>[\u4e00-\u9fff]{2,6}?)[”\"」]?(?:这|那)?一[列栏](?=[只不的写为必填用里中])|\b(?:field|key|column)\s+(?P<after>[a-z_][a-z0-9_]{1,30})\b"
)
_NO_FIELD = frozenset(
    "the a an each every this these those that any all no one two three four five six same extra other following exactly only required listed given "
    "new missing optional unknown empty json csv xml yaml output both some more fewer its their your and or of with as named right last first".split()
)
# A length behind one of these is that of a part: "then sum it up in one sentence".
_PLACED = re.compile(
    r"\b(?:after(?:wards)?|before|then|finally|at the (?:end|top|start)|first|begin|start|end|close|open|conclude|finish|followed by|add|append|precede)\b|之后|之前|后面|前面|最后|末尾|结尾|开头|首先|先|再|然后|接着|附上?|加上|补充",
    re.IGNORECASE,
)
_PIECE_AFTER = re.compile(
    r"\b(?:words|sentences|characters|lines)? ?each$|\beach[.。]?\s*$|\bapiece\b|\bper (?:bullet|item|line|sentence)\b",
    re.IGNORECASE,
)


_BEHIND = re.compile(
    r"\b(?:after|below|underneath|at the (?:end|bottom|top)|finally)\b|之后|以后|后面|下面|末尾|结尾|最后",
    re.IGNORECASE,
)


_GOES_ON = re.compile(
    r"^\s*[,，;；]?\s*(?:再|然后|接着|随后|最后|(?:and )?then\b|followed by\b|(?:and )?finally\b)", re.IGNORECASE
)


def is_placed(told: str, rest: str) -> bool:
    """Whether a clause speaks of one part, by what its sentence says before ("after the translation, …") and after it.

    "Sum it up in one sentence, then list the tasks": what goes on with another part was about one.
    """
    return bool(_BEHIND.search(told) or _GOES_ON.match(rest))


def field_in(clause: str) -> str:
    """The field or column that a clause names, or ""."""
    match = _FIELD.search(clause)
    if match is None:
        return ""
    name = next(group for group in match.groups() if group)
    return "" if name.lower() in _NO_FIELD else name.lower()


def part_in(clause: str, before: int, main: frozenset[str], *, is_length: bool = False) -> str:
    """The part of the answer that a demand at ``before`` of a clause is about; "" is the whole answer.

    Parts in ``main`` are the whole of what the prompt asks for: the summary of a prompt that writes summaries.
    """
    if name := field_in(clause):
        return f"field:{name}"
    if _PIECE_AFTER.search(clause[before:]):
        return "piece"
    nearest: tuple[int, str] = (-1, "")
    for name, pattern in _PART.items():
        for match in pattern.finditer(clause):
            is_named = match.start() < before or _OF_PART.search(clause[before : match.start()])
            is_task = name == "piece" and _thing_of(match[0]) in main
            if name not in main and is_named and not is_task:
                nearest = max(nearest, (match.start(), name))
    return nearest[1] or ("placed" if is_length and _PLACED.search(clause[:before]) else "")


def _thing_of(piece: str) -> str:
    """What a piece is one of: "every recipe" and "每道菜的介绍" name a recipe and a dish."""
    han = re.match(r"每一?[个道篇首张则部本]([\u4e00-\u9fff])", piece)
    return han[1] if han else piece.split()[-1].lower().rstrip("s")


_OF_PART = re.compile(r"\b(?:for|in|of|per|within)\s*(?:the |its |your )?$", re.IGNORECASE)


def place_in(clause: str) -> str:
    """The part in which a clause wants something: "in the introduction", "引言里", or ""."""
    for name, pattern in _PART.items():
        for match in pattern.finditer(clause):
            if re.search(
                r"\b(?:in|within|inside|for) (?:the |each |every |its )?$", clause[: match.start()], re.IGNORECASE
            ) or (
                re.match(r"^(?:the |each |its )", match[0], re.IGNORECASE)
                and re.search(r"\b(?:in|within|inside) $", clause[: match.start()])
            ):
                return name
            if re.match(r"部分|里|中(?!文)|内(?!容)|处", clause[match.end() :]):
                return name
    return ""
