# ruff: noqa: E501 - a pattern or a table is read as one line
"""Rules that are said across a whole sentence: fallbacks, orders, lists of labels, priorities."""

import re
from collections.abc import Iterator, Mapping

from agents.prompts import content
from agents.prompts.lexicon import concepts_in
from agents.prompts.statements import Statement
from agents.prompts.types import Fallback, Order, Priority

_CASES: Mapping[str, str] = {
    "none fits": r"\b(?:none(?: of (?:them|these|those|the \w+))?|neither|nothing|no (?:\w+ ){0,2}?\w+) (?:really |quite )?(?:fits?|appl(?:y|ies)|match(?:es)?|suits?)\b|\bfits? (?:in(?:to)? )?(?:none|no|neither|nowhere)\b|\b(?:do(?:es)?(?: not|n['’]?t)) (?:fit|match|belong to|fall (?:in|under)(?:to)?) (?:any|one|either)\b|都不(?:符合|合适|适合|属于|匹配|适用|沾边)|(?:不(?:属于|符合|适合|匹配)|没有)(?:任何|以上|上述|其中)[^，。]{0,6}|没有(?:合适|匹配|对应|符合)",
    "missing field": r"\b(?:field|value|key|column|slot|date|name|amount|price)s?\b[^,.]{0,20}\b(?:is|are) (?:missing|unknown|absent|not (?:given|stated|present|mentioned))|没有的(?:信息|内容|字段|项)|(?:字段|值|列|某项|某个信息)[^，。]{0,8}(?:缺失|没有|为空|未(?:给出|提及|写)|不存在|缺少)",
    "empty": r"\b(?:empty|blank)\b|为空|空白|空输入|没有输入|什么都没",
    "unknown": r"\b(?:do(?:es)?(?: not|n['’]?t) (?:contain|hold|have|mention|state|say|cover|include|provide|give|answer|know|find)|(?:can(?:not|['’]t)|could not|unable to) (?:find|answer|be (?:found|answered))|(?:is|are)(?: not|n['’]t) (?:found|in|covered|mentioned|available|stated|sure|certain|known|there)|no (?:answer|information|evidence|relevant|match)|unknown|unsure|uncertain|not sure|insufficient|lacks?|silent|missing|nothing (?:relevant|in))\b"
    r"|没有(?:写|提到|提及|答案|找到|依据|相关|说明|包含|涉及|足够|记录|给出|记载)|找不到|不知道|不(?:太)?确定|未(?:提到|提及|写明|记载|涉及|包含|找到|说明)|无法(?:回答|确定|判断|找到)|查不到|缺少|不足以|没(?:写|提到|找到)|没有的|不包含|不在(?:笔记|资料|材料)|拿不准|不清楚答案",
    "unclear": r"\b(?:ambiguous|unclear|vague|not clear|underspecified)\b|含糊|模糊|歧义|不(?:够)?(?:清楚|明确)|看不懂",
    "off-topic": r"\b(?:off[- ]topic|unrelated|out of scope|outside (?:the|your) (?:scope|topic)|irrelevant|not about|not related)\b|无关|超出(?:范围|职责)|跑题|不相关|其他领域|不属于",
    "unsafe": r"\b(?:harmful|unsafe|illegal|dangerous|malicious)\b|违法|有害|危险|恶意|不安全",
    "invalid": r"\b(?:invalid|malformed|cannot be parsed|corrupt(?:ed)?|broken|wrong format)\b|无法解析|格式(?:错误|不对)|损坏|不合法",
    "angry": r"\b(?:angry|upset|rude|abusive|complain(?:s|ing)?|insult\w*)\b|生气|愤怒|投诉|辱骂|不满|抱怨",
}  # fmt: skip
_CASE = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _CASES.items()}
_ACTIONS: Mapping[str, str] = {
    "ask": r"\b(?:ask (?:\w+ ){0,4}?(?:for|to|a|one|what|which|them|back|clarif\w*|question)|request (?:more|clarification)|clarifying question)\b|追问|反问|请(?:用户|对方|读者|学生|客户|他)|请[^，。]{0,4}(?:补充|重新|提供|确认)|询问(?:用户)?|向用户(?:提问|确认)|让用户|要求用户",
    "guess": r"\b(?:guess|(?:use|from|draw on|rely on|with|on) (?:\w+ ){0,3}?(?:knowledge|memory|best judg?ment)|own knowledge|best (?:guess|estimate)|make (?:up|an? (?:educated )?guess)|infer|estimate|speculate|most (?:likely|plausible|probable)|answer anyway|try (?:to answer|anyway|your best))\b|猜|推测|推断|估计|自己的知识|(?:掌握|了解|知道|已有)的知识|常识|自行(?:安排|决定|补充|判断|发挥)|照常(?:回答|作答)|尽力(?:回答|作答)|凭(?:经验|记忆)|最可能|最合理",
    "choose": r"\b(?:choose|pick|select|take)\b|选(?:择|用|取)|归[为入]",
    "null": r"\bnull\b|空值",
    "omit": r"\b(?:omit|leave (?:it |the (?:field|key|column) )?out|drop (?:it|the)|skip (?:it|the)|remove (?:it|the))\b|省略|略去|去掉(?:该|这)|删(?:除|掉)|不(?:要)?输出该|跳过",
    "empty string": r"\bempty string\b|\bleave (?:it|the (?:field|value)) (?:empty|blank)\b|空字符串|留空",
    "refuse": r"\b(?:refuse|decline|do not answer|don't answer|politely (?:refuse|decline)|reject)\b|拒绝|不(?:要|予)?回答|婉拒|谢绝",
    "escalate": r"\b(?:human|supervisor|support team|escalate|hand (?:it )?over|forward|transfer|refer (?:them|the user))\b|人工|转(?:给|交|接)|上报|客服主管",
    "say unknown": r"\b(?:say|state|reply|admit|tell (?:them|the user)|answer|write)\b[^,.]{0,24}\b(?:do(?:es)?(?: not|n['’]t)|cannot|not|unknown|unsure|no answer|so)\b|(?:说|回答|告诉|说明|回复|写|承认)[^，。]{0,10}(?:不知道|没有|不确定|无法|未)|如实说明|直接说明",
}  # fmt: skip
_ACTION = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _ACTIONS.items()}
_LITERAL = re.compile(
    r"[\"“「『`](?P<quoted>[^\"”」』`\n]{1,120})[\"”」』`]|(?:\bwords? |\b(?:with|reply|answer|say|write|return|output|print) )(?P<capitals>[A-Z]{3,}(?:_[A-Z]+)*)\b"
    r"|(?:填写?|设为|记为|写[为成]?|\b(?:set|put|use|write|return|give)\b(?: \w+){0,2}?(?: (?:to|as))?) ?(?P<value>null|true|false|-?\d+(?:\.\d+)?)(?!\w|\.\d|\s*[\u4e00-\u9fff]| (?:\w+ )?(?:words?|sentences?|lines?|items?|points?)\b)"
)
_SAYS = re.compile(
    r"\b(?:reply|repl(?:ies)|say|answer|respond|write|output|return|print|state|use|set|put|give|with|is|to|as)\b|回答|回复|说|写|输出|返回|填|给出|写成|记为|设为|用|写上|作答|答|归[为入到]|算作|标[为成]",
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"\b(?:do(?:es)?(?: not|n['’]t) (?:know|contain|say|mention|have|hold|cover|state|include)|(?:could|did)(?: not|n['’]t) (?:find|see|spot|detect|locate)|none (?:found|given)|not (?:in|found|mentioned|stated|covered|sure|available|given)|no (?:answer|information|mention)|cannot (?:find|answer|say|tell|determine)|can['’]t (?:find|answer|say|tell)|unknown|unable|n/a|not? known|sorry)\b|"
    r"不知道|没有(?:提到|写|找到|答案|相关|记录|记载|说明)|未(?:提及|提到|找到|写|记载)|无法(?:回答|确定|判断)|不确定|找不到|查不到|没(?:写|提|找到|看到|查到|发现)|未发现|没有发现|查无|暂无|抱歉|不清楚",
    re.IGNORECASE,
)


def case_of(condition: str) -> str:
    """The name of the case that a condition describes, or "" where the lexicon has none."""
    return next((name for name, pattern in _CASE.items() if condition and pattern.search(condition)), "")


def subject_of(text: str) -> frozenset[str]:
    """What a fallback is about, in content words: without its case, its fixed words and the verb that puts them."""
    for pattern in (_LITERAL, *_CASE.values(), _SAYS):
        text = pattern.sub(" ", text)
    return content.units(text) - {"if", "null", "field", "valu", "字段", "内容", "信息", "没", "段"}


def same_case(one: str, other: str) -> bool:
    """Whether two conditions of rules (case names or content words) are the same."""
    if one == other:
        return True
    if not one or not other or one in _CASES or other in _CASES:
        return False
    return content.overlap(frozenset(one.split()), frozenset(other.split())) >= 0.75


def fallback_of(case: str, sentence: Statement, *, is_known: bool = True) -> Fallback | None:
    """What a sentence wants done in a case; None where it names no action of the lexicon.

    In a case that the lexicon does not know only fixed words, a question back, a guess or a refusal count.
    """
    body = "，".join(clause.text for clause in sentence.clauses)
    literal = _LITERAL.search(body)
    if literal and _SAYS.search(body[: literal.start() + (literal["quoted"] is None) * len(literal[0])]):
        said = literal["quoted"] or literal["capitals"] or literal["value"]
        return Fallback(case, "null") if said == "null" else Fallback(case, "say", said.strip())
    positive = re.sub(
        r"(?:do not|don['’]t|never|rather than|instead of|without|不要|不得|而不是|禁止|别)[^,，;；]*",
        " ",
        body,
        flags=re.IGNORECASE,
    )
    for name, pattern in _ACTION.items():
        if pattern.search(positive) and (is_known or name in {"ask", "choose", "guess", "refuse"}):
            return Fallback(case, name)
    return None


def is_compatible(one: Fallback, other: Fallback) -> bool:
    """Whether both can be done in the same case."""
    if one.action == other.action:
        return one.literal == other.literal or not (one.literal and other.literal)
    silent = {"refuse", "say unknown"}
    pair = {one.action, other.action}
    if "choose" in pair and "ask" not in pair:
        return True
    if pair <= silent or pair <= {"escalate", "refuse"} or pair <= {"escalate", "say unknown"}:
        return True
    if "say" in pair and pair & silent:
        said = one if one.action == "say" else other
        return bool(REFUSAL.search(said.literal))
    if "say" in pair and "null" in pair:
        return (one.literal or other.literal).lower() == "null"
    return False


_ELEMENTS = re.compile(r"[,，、]|\bthen\b|\bfollowed by\b|\band finally\b|\bfinally\b|再|然后|接着|最后", re.IGNORECASE)
_BEFORE_EN = re.compile(
    r"(?P<a>[^,.;:]{2,40}?)\s+(?:(?:must |should )?(?:comes?|goes?|appears?|stands?|is placed|be placed|be|is) )?(?P<how>before|after|ahead of|above|below)\s+(?P<b>[^,.;]{2,40})",
    re.IGNORECASE,
)
_BEFORE_ZH = re.compile(
    r"(?P<a>[^，。；、]{1,14}?)(?:要|必须|应|应该|一律|都|总是)?(?:放|写|排|列|出现|位)?在(?P<b>[^，。；、]{1,12}?)(?:的)?(?:之)?(?P<how>前面?|后面?)"
)
_FIRST_THEN_EN = re.compile(
    r"\b(?:first|start (?:with|by)|begin (?:with|by)|lead with|open with)\b[,:]?\s*(?P<a>[^,.;]{2,50}?)\s*[,;]?\s*(?:and )?(?:then|before|followed by|and after that|and only then|and finally)\s+(?P<b>[^,.;]{2,50})",
    re.IGNORECASE,
)
_FIRST_THEN_ZH = re.compile(r"先(?P<a>[^，。；再]{1,16})[，,]?\s*(?:再|然后|接着|随后|后|最后)(?P<b>[^，。；]{1,16})")
_PLACES = (
    re.compile(r"(?P<a>[^，。；]{1,8}?)(?:放|写|排|列)在前面?[，,](?P<b>[^，。；]{1,8}?)(?:放|写|排|列)在后面?"),
    re.compile(r"第一(?P<of>[段句行]|部分)(?:写|讲|说|介绍|给出)(?P<a>[^，。；]{1,10})[，,]第二(?P=of)(?:写|讲|说|介绍|给出)(?P<b>[^，。；]{1,10})"),
    re.compile(r"\bfirst (?P<of>paragraph|sentence|line|part) (?:\w+ )?(?P<a>[^,.;]{3,30}?),? (?:and )?the second (?:(?P=of) )?(?:\w+ )?(?P<b>[^,.;]{3,30})", re.IGNORECASE),
)  # fmt: skip
_ENDS = re.compile(
    r"\b(?:start|begin|open|lead) with (?!the (?:words?|phrase|line|sentence)\b)(?P<s>[^,.;\"“]{2,40})|\b(?:end|finish|close|conclude) with (?!the (?:words?|phrase|line|sentence)\b)(?P<e>[^,.;\"“]{2,40})|(?:put|place|give|state|write|show) (?P<p>[^,.;]{2,30}?) (?:(?P<first>first|at the (?:very )?(?:top|beginning|start))|(?P<last>last|at the (?:very )?(?:end|bottom)))\b|"
    r"(?P<p2>[^,.;]{2,30}?) (?:must |should )?(?:comes?|goes?) (?:(?P<first2>first)|(?P<last2>last|at the end))\b|"
    r"以(?P<zs>[^，。；“「]{1,12})(?:开头|开始|打头)|以(?P<ze>[^，。；“「]{1,12})(?:结尾|结束|收尾)|(?P<zp>[^，。；]{1,10}?)(?:必须|要|应|一律)?(?:放|写|排|列)在(?:每[条行句段]的)?(?:(?P<zfirst>最前面?|开头|最开始|第一[行句段位]|首位)|(?P<zlast>最后|末尾|结尾|文末))|(?:开头|第一句)(?:先|就|必须|要|直接)?(?:给出|写|说|是)(?P<zs2>[^，。；]{1,10})|(?:最后|末尾|结尾)(?:再|才|必须|要)?(?:给出|写|说|附上)(?P<ze2>[^，。；“「]{1,10})",
    re.IGNORECASE,
)


_BAN_OF_PLACE = re.compile(
    r"\s*(?:there (?:is|must be) )?(?:no|nothing|do not|don['’]t|never)\b[^,.]{0,40}\b(?:before|after|above|below)\b|[^，。]{0,14}(?:前后|之外|以外)[^，。]{0,4}(?:不|无|没有)",
    re.IGNORECASE,
)


def orders_in(sentence: str) -> Iterator[Order]:
    """The orders of parts that a sentence demands."""
    if _BAN_OF_PLACE.match(sentence):
        return
    for pattern in (_BEFORE_EN, _BEFORE_ZH):
        for match in pattern.finditer(sentence):
            is_after = match["how"].lower() in {"after", "below", "后", "后面"}
            yield from _order(match["b"] if is_after else match["a"], match["a"] if is_after else match["b"])
    for pattern in (_FIRST_THEN_EN, _FIRST_THEN_ZH, *_PLACES):
        for match in pattern.finditer(sentence):
            yield from _order(match["a"], match["b"])
    for match in _ENDS.finditer(sentence):
        groups = {name: value for name, value in match.groupdict().items() if value}
        text = next(
            value for name, value in groups.items() if name in {"s", "e", "p", "p2", "zs", "ze", "zp", "zs2", "ze2"}
        )
        is_first = bool(groups.keys() & {"s", "first", "first2", "zs", "zfirst", "zs2"})
        part = _element(text)
        if part:
            yield Order("^", part) if is_first else Order(part, "$")


_PREFER = ("explanation", "answer", "citation", "example", "summary", "definition", "evidence", "greeting", "steps", "title", "quote",
           "code", "formula", "question", "disclaimer", "warning", "confidence", "background", "alternative", "translation", "analogy")  # fmt: skip


def _order(first: str, then: str) -> Iterator[Order]:
    if _ALL_ELSE.search(then) and (part := _element(first)):
        yield Order("^", part)
        return
    a, b = _element(first), _element(then)
    if a and b and a != b:
        yield Order(a, b)


def _element(text: str) -> str:
    """What a piece of an order names: a concept of the lexicon, else ""."""
    if re.search(r"\b(?:you|answering|responding|replying|writing)\b", text, re.IGNORECASE):
        return ""
    named = {concept for concept, _, _ in concepts_in(text)}
    found = next((concept for concept in _PREFER if concept in named), "")
    return found or _plain_element(text)


def _plain_element(text: str) -> str:
    """A part that the lexicon has no name for, by its few content words."""
    words = content.units(
        re.sub(r"\b(?:put|give|write|show|state|list|name)\b|写|给出|列出?|放|说|展示", " ", text, flags=re.IGNORECASE)
    )
    return " ".join(sorted(words)) if 1 <= len(words) <= _ELEMENT_WORDS else ""


_ELEMENT_WORDS = 3
_ALL_ELSE = re.compile(r"\b(?:anything|everything|all) else\b|其他(?:内容)?|一切", re.IGNORECASE)


_ITEM = r"[\"“「'`]?[A-Za-z\u4e00-\u9fff][\w\u4e00-\u9fff &/+-]{0,24}?[\"”」'`]?"
_LIST = rf"(?P<list>{_ITEM}(?:(?:\s*(?:[、,|/]|,?\s+or\b|,?\s+and\b|或者?|和|以及)\s*|(?<=[”」])(?=[“「])){_ITEM})+)"
_LABELS = (
    re.compile(rf"\b(?:one of(?: these| the following)?(?:(?: \w+)? (?:labels|categories|values|words|classes|options))?|(?:labels?|categor(?:y|ies)|classes|values|options|sentiment|priority|severity|status|type|level) (?:is|are|must be|should be|has to be|may be)(?: one of| either)?(?: these)?|either|allowed (?:labels|values|categories)|(?:labels?|categories|classes|values|options)(?=\s*[:：(（]|\s+(?:are|is)\b))\s*(?:[:：(（]|are|is)?\s*{_LIST}(?=\s*[.。;；)）,，\n]|$|\s+(?:and|based|for|depending|only)\b)", re.IGNORECASE),
    re.compile(rf"(?:只能|必须|应)?(?:是|为|从|回答|输出|填写?|取值(?:为|是)?|取|选自|属于|分(?:类)?(?:为|成|到))(?:以下|下列)?(?:类别|标签|几种)?[:：]?\s*{_LIST}\s*(?:之一|中(?:的一个|任选|选择?)|[两三四五六]者|其中之一|这?[两二三四五六七八][种类个者]|里(?:选|挑|取))"),
    re.compile(rf"(?:类别|标签|取值|可选值|分类|选项|情感|优先级|等级|级别|状态)(?:(?:只?有|包括|为|是|只能是|必须是|取值为)?[:：]|(?:只有|包括|分为|只能是|必须是|取值为|只能为))\s*{_LIST}(?=[。；;.]|$|\s*[（(])"),
    re.compile(rf"(?:\b(?:which|classif\w*|categori[sz]\w*|assign|sort|choose|pick|label as)\b[^:.\n]{{0,60}}|(?:哪|属于|归为|归入|归类|分类|分为|分成|选出?)[^：:。，\n]{{0,16}})[:：]\s*{_LIST}(?=[。；;.]|$|\s*[（(])", re.IGNORECASE),
    re.compile(rf"(?:只能|必须|应)(?:填写?|取|是|为|选|写|用)[:：]?\s*{_LIST}(?=[。；;]|$)"),
)  # fmt: skip


def labels_in(sentence: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """The lists of labels of which the answer is one, with their place."""
    for pattern in _LABELS:
        if match := pattern.search(sentence):
            values = tuple(
                v.strip(" \"“”「」'`")
                for v in re.split(r"[、,，|/]|(?<=[”」])(?=[“「])|\bor\b|\band\b|或者?|和|以及", match["list"])
            )
            kept = tuple(v for v in values if v)
            if len(kept) >= 2 and all(len(v) <= 20 and len(v.split()) <= 3 for v in kept):
                yield kept, match.start("list")
                return


_PRIORITY = re.compile(
    r"\b(?:takes? (?:precedence|priority)|has priority|overrides?|(?:outranks?|outweighs?|wins?|prevails?)|more important than|in case of (?:a )?conflict|(?:rules|instructions) (?:conflict|disagree|clash)|higher priority|comes first when)\b|"
    r"优先(?!级(?:为|是|有|只|必|[:：]))|以[^，。]{1,24}为准|冲突时|有冲突|相冲突|相矛盾时|覆盖前面|让位于|服从于",
    re.IGNORECASE,
)


def priority_of(sentence: str) -> Priority | None:
    """Which rule wins, where a sentence says so."""
    if not _PRIORITY.search(sentence):
        return None
    words = content.units(sentence) - _GENERAL_WORDS
    is_general = bool(_CONFLICT_TALK.search(sentence)) and not words - _ORDINALS
    return Priority(frozenset() if is_general else words)


_CONFLICT_TALK = re.compile(r"\b(?:conflict|clash|disagree|contradict)\w*|冲突|矛盾|不一致", re.IGNORECASE)
_GENERAL_WORDS = content.units(
    "rules rule instructions instruction conflict clash precedence priority win wins takes two other others about case 规则 要求 指令 冲突 矛盾 优先 为准 如果之间 之间 两条"
)
_ORDINALS = content.units("later earlier last first above below more specific 后面 前面 后者 前者 靠后 靠前 更具体")
