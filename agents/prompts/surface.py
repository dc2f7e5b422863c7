# ruff: noqa: E501 - a pattern or a table is read as one line
"""What can be seen on the surface of a text: its language, its form, and things such as emoji or citations in it."""

import csv
import json
import re
from collections.abc import Callable, Mapping
from xml.etree import ElementTree

from rag.text import HAN

_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7af]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ÿ]+(?:['’][A-Za-z]+)?")
_FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    "en": frozenset("the a an of and is are to in that it for with on as this be by from not or its was which can has have at we you they but if into one each".split()),
    "fr": frozenset("le la les un une des du de et est sont dans que qui pour avec sur ce cette pas ne il elle nous vous au aux plus par se".split()),
    "de": frozenset("der die das ein eine und ist sind nicht mit für von zu den dem des im auf es sie wir ihr auch als bei aus wird werden".split()),
    "es": frozenset("el la los las un una y es son en que para con por no se del al lo como más su esta este pero".split()),
    "it": frozenset("il lo la gli le un una e è sono di che per con non si del della nel come più".split()),
    "pt": frozenset("o os as um uma e é são em que para com por não se do da no na como mais".split()),
}  # fmt: skip
_MIN_WORDS = 4  # fewer Latin words do not tell their language
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55\ufe0f]|(?<!\\w)[:;]-?[)D(](?!\\w)")

_FENCE = re.compile(r"^\s*```[\w-]*\s*\n(?P<body>.*?)\n?\s*```\s*$", re.DOTALL)
_BULLET = re.compile(r"^\s*[-*+•]\s+\S", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*\d{1,2}[.)、]\s*\S", re.MULTILINE)
_TABLE = re.compile(r"^\s*\|.+\|\s*\n\s*\|[\s:|-]+\|", re.MULTILINE)
_MARKDOWN = re.compile(
    r"^#{1,6}\s|\*\*[^*\n]+\*\*|^\s*[-*+]\s+\S|^\s*\|.+\|\s*$|```|\[[^\]\n]+\]\(http|(?<!\w)__[^_\n]+__", re.MULTILINE
)
_TAG = re.compile(r"</?[a-zA-Z][\w-]*(?:\s[^<>]*)?/?>")

_SEEN: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern, flags)
    for name, pattern, flags in (
        ("greeting", r"^\s*(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|greetings|welcome|你好|您好|嗨|亲爱的|大家好|欢迎)(?!\w)", re.IGNORECASE),
        ("apology", r"\b(?:sorry|apologi[sz]e|apologies|regret)\b|抱歉|对不起|不好意思|致歉|歉意", re.IGNORECASE),
        ("citation", r"\[\d{1,3}\]|\[[^\]\n]{2,40}\.(?:md|txt|pdf|docx?)[^\]\n]*\]|[（(](?:来源|出处|见|source|see|ref)[^()（）\n]{0,60}[)）]|^\s*(?:sources?|references?|来源|出处|参考)\s*[:：]|【\d+】|\[(?:source|doc|note|来源|笔记)[^\]\n]*\]|[（(][^()（）\n]{1,30}\.(?:md|txt|pdf)[^()（）\n]{0,12}[)）]|《[^》\n]+》|\b(?:according to|source:)|来源[:：]|出处[:：]", re.IGNORECASE | re.MULTILINE),
        ("fence", r"```", 0),
        ("heading", r"^#{1,6}\s+\S", re.MULTILINE),
        ("link", r"https?://|www\.|\]\(http", re.IGNORECASE),
        ("first_person", r"\b(?:I|I'm|I've|I'd|I'll|me|my|mine|myself)\b|(?<!自)我(?!国|们的世界)", 0),
        ("disclaimer", r"\b(?:not (?:a lawyer|a doctor|legal advice|medical advice|financial advice)|consult a (?:professional|doctor|lawyer)|disclaimer|as an AI)\b|仅供参考|不构成(?:\w*)建议|免责|请咨询(?:专业|医生|律师)|作为(?:一个)?(?:AI|人工智能)", re.IGNORECASE),
        ("exclamation", r"[!！]", 0),
        ("parentheses", r"[()（）]", 0),
        ("bold", r"\*\*[^*\n]+\*\*", 0),
        ("digits", r"\d", 0),
        ("opinion", r"\b(?:I (?:think|believe|feel)|in my (?:opinion|view)|personally)\b|我(?:认为|觉得|个人)|在我看来|个人(?:认为|觉得)", re.IGNORECASE),
        ("question", r"[?？]", 0),
        ("question_mark", r"[?？]", 0),
        ("example", r"\b(?:for example|for instance|e\.g\.|such as|example:)|例如|比如|举例|譬如|例[:：]", re.IGNORECASE),
        ("analogy", r"\b(?:like an?\b|as if|just as|think of|imagine|is a bit like|works like)|就像|好比|好像|仿佛|如同|比作|类似于|想象", re.IGNORECASE),
        ("semicolon", r"[;；]", 0),
        ("summary", r"\b(?:in (?:short|summary|conclusion|brief)|to (?:sum up|summari[sz]e)|overall|summary:|take-?away|tl;dr)|总之|综上|总的来说|总而言之|小结|一句话总结|总结[:：]", re.IGNORECASE),
        ("preamble", r"^\s*(?:sure|certainly|of course|great question|here (?:is|are)|absolutely|thanks for|okay|ok,|happy to|好的|当然|没问题|这是个好问题|以下是|很高兴)", re.IGNORECASE),
        ("closing", r"(?:hope (?:this|that) helps|let me know|feel free to|best regards|kind regards|sincerely|happy to help|any (?:other|further|more) questions|good luck|希望(?:对你|对您|这|以上)[^。]{0,8}(?:有(?:所)?帮助|帮到)|如有(?:其他|任何)?(?:问题|疑问)|欢迎(?:随时)?(?:提问|继续|追问)|祝(?:你|您)|此致)[^\n]{0,40}$", re.IGNORECASE),
        ("praise", r"\b(?:great|good|excellent|wonderful|fantastic|brilliant) (?:question|job|work|point|idea)\b|(?:好|很棒|不错|精彩)的?(?:问题|提问|想法)|问得(?:好|真好|很好)", re.IGNORECASE),
        ("explanation", r"\b(?:because|since|therefore|the reason|due to|explanation:|reason(?:ing)?:)|因为|由于|原因(?:是|在于)|理由[:：是]|所以|因此|解释[:：]", re.IGNORECASE),
        ("formula", r"\$[^$\n]+\$|\\\(|\\\[|(?<![<>=!])=(?!=)|\\frac|∑|√", 0),
        ("guess", r"\b(?:probably|maybe|perhaps|might|I guess|presumably|possibly|likely)\b|可能|也许|大概|或许|猜测|推测|估计|应该是", re.IGNORECASE),
        ("code", r"```|`[^`\n]+`|^\s{4}\w+.*[=(]|\b(?:def|import|return|print)\b[ (]", re.MULTILINE),
        ("contact", r"[\w.+-]+@[\w-]+\.\w+|\b1[3-9]\d{9}\b|\+?\d[\d -]{8,}\d", 0),
        ("price", r"[$€¥￥£]\s?\d|\d+(?:\.\d+)?\s?(?:dollars|euros|USD|EUR|RMB|元|块钱|美元)", re.IGNORECASE),
        ("abbreviation", r"\b\w+['’](?:t|re|ll|ve|d|m)\b|\b(?:it|that|there|he|she|what)['’]s\b", re.IGNORECASE),
        ("quote", r"[\"“「][^\"”」\n]{6,}[\"”」]", 0),
        ("warning", r"\b(?:warning|caution|note that|be careful|beware)\b|注意[:：]|警告|风险提示|小心", re.IGNORECASE),
        ("steps", r"\b(?:step \d|first,|firstly|second,|then,)|第[一二三1-3]步|步骤|首先|^\s*1[.)、]", re.IGNORECASE | re.MULTILINE),
    )
}  # fmt: skip
# What cannot be told from words alone when it is absent (a citation may be a name), or present (any clause may guess).
_DEMAND_UNSURE = frozenset({"explanation", "code", "guess", "quote", "warning", "steps", "preamble", "closing", "digits", "parentheses", "first_person",
                            "opinion", "abbreviation", "contact", "price", "semicolon", "apology", "summary", "analogy", "disclaimer", "formula", "praise", "heading"})  # fmt: skip
_BAN_UNSURE = frozenset(
    {
        "quote",
        "code",
        "formula",
        "guess",
        "steps",
        "warning",
        "explanation",
        "digits",
        "citation",
        "analogy",
        "summary",
        "example",
    }
)


def language_share(text: str, code: str) -> float:
    """How much of a text is in a language, 0 to 1, by script and function words. Code and addresses do not count."""
    plain = re.sub(r"https?://\S+|`[^`]*`", " ", text)
    han, words = len(HAN.findall(plain)), _LATIN_WORD.findall(plain)
    kana, hangul, cyrillic = (len(p.findall(plain)) for p in (_KANA, _HANGUL, _CYRILLIC))
    # A Latin word says about as much as one and a half Chinese characters.
    total = han + kana + hangul + cyrillic / 4 + 1.5 * len(words)
    if total == 0:
        return 1.0
    if code in {"ja", "ko", "ru"}:
        mine = {"ja": kana * 2 + (han if kana else 0), "ko": hangul, "ru": cyrillic / 4}[code]
        return min(1.0, mine / total)
    if code == "zh":
        return 0.0 if kana > han / 3 else _chinese_share(han, len(words), total)
    return (1.5 * len(words) / total) * _is_language(words, code)


def languages_of(text: str) -> frozenset[str]:
    """The languages of which a text holds more than names and terms."""
    words = _LATIN_WORD.findall(text)
    found = {"zh"} if HAN.search(text) and not _KANA.search(text) else set()
    found |= {code for code, pattern in (("ja", _KANA), ("ko", _HANGUL), ("ru", _CYRILLIC)) if pattern.search(text)}
    if len(words) >= _MIN_WORDS:
        found |= {code for code in _FUNCTION_WORDS if _hits(words, code) >= 2 and _is_language(words, code)}
    return frozenset(found)


def strip_fence(text: str) -> str:
    """The inside of a text that is one code block, else the text."""
    match = _FENCE.match(text)
    return match["body"] if match else text


def is_form(text: str, name: str) -> bool | None:
    """Whether a text has a form; None where that cannot be told."""
    check = _FORMS.get(name)
    return None if check is None else check(text)


def breaks_ban(text: str, concept: str, objects: frozenset[str] = frozenset()) -> str:
    """The words of a text that are what a ban names, or "". Bans on particular things ("no legal advice") are skipped."""
    if concept == "emoji":
        match = _EMOJI.search(text)
    elif (
        concept in _BAN_UNSURE
        or concept not in _SEEN
        or (len(objects) > 3 and concept not in {"greeting", "exclamation", "apology"})
    ):
        return ""
    else:
        match = _SEEN[concept].search(text)
    return match[0].strip() if match else ""


def meets_demand(text: str, concept: str, place: str = "") -> bool | None:
    """Whether a text holds what is demanded; None where that cannot be told."""
    if concept == "emoji":
        return bool(_EMOJI.search(text))
    if concept == "question_mark":
        return text.rstrip().endswith(("?", "？")) if place == "end" else bool(re.search(r"[?？]", text))
    if concept in _DEMAND_UNSURE or concept not in _SEEN:
        return None
    if concept == "question" and place == "end":
        return text.rstrip().endswith(("?", "？"))
    return bool(_SEEN[concept].search(text))


def emoji_free(text: str) -> str:
    """The text without emoji and the blanks before them."""
    return re.sub(rf"[ \t]*(?:{_EMOJI.pattern})+", "", text)


def spans_of(text: str, concept: str) -> list[tuple[int, int]]:
    """Where a text holds a thing of the lexicon."""
    pattern = _EMOJI if concept == "emoji" else _SEEN.get(concept)
    return [match.span() for match in pattern.finditer(text)] if pattern else []


def _chinese_share(han: int, words: int, total: float) -> float:
    # Chinese with many English terms is still Chinese as long as it has sentences of its own.
    return 1.0 if han >= 8 and han >= words else han / total


def _is_language(words: list[str], code: str) -> float:
    """1 unless the function words speak for another Latin language."""
    if len(words) < _MIN_WORDS:
        return 1.0
    best = max(_FUNCTION_WORDS, key=lambda other: (_hits(words, other), other == code))
    return 1.0 if best == code or _hits(words, best) < 2 else 0.0


def _hits(words: list[str], code: str) -> int:
    known = _FUNCTION_WORDS.get(code, frozenset())
    return sum(word.lower() in known for word in words)


def _is_json(text: str) -> bool:
    try:
        value = json.loads(strip_fence(text), strict=False)
    except ValueError:
        return False
    return isinstance(value, dict | list)


def _is_xml(text: str) -> bool:
    try:
        ElementTree.fromstring(strip_fence(text).strip())  # noqa: S314 - a text of the caller, entities are not resolved
    except ElementTree.ParseError:
        return False
    return True


def _is_csv(text: str) -> bool:
    rows = [row for row in csv.reader(strip_fence(text).splitlines()) if row]
    return (
        bool(rows)
        and not _MARKDOWN.search(text)
        and not _is_json(text)
        and len({len(row) for row in rows}) == 1
        and len(rows[0]) > 1
    )


def _is_yaml(text: str) -> bool:
    lines = [line for line in strip_fence(text).splitlines() if line.strip()]
    return bool(lines) and all(
        re.match(r"\s*(?:- )?[\w\u4e00-\u9fff\"' -]+:(?:\s|$)|\s*- |\s*#", line) for line in lines
    )


def _is_prose(text: str) -> bool:
    return not (_BULLET.search(text) or _TABLE.search(text) or _is_json(text)) and len(_NUMBERED.findall(text)) < 2


def _lines_are(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: (
        len(pattern.findall(text)) >= max(1, len([line for line in text.splitlines() if line.strip()]) // 2)
    )


_FORMS: Mapping[str, Callable[[str], bool]] = {
    "json": _is_json,
    "xml": _is_xml,
    "csv": _is_csv,
    "yaml": _is_yaml,
    "html": lambda text: bool(_TAG.search(text)),
    "table": lambda text: bool(_TABLE.search(text)),
    "bullets": _lines_are(_BULLET),
    "numbered": _lines_are(_NUMBERED),
    "plain": lambda text: not _MARKDOWN.search(text) and not _TAG.search(text) and not _is_json(text),
    "prose": _is_prose,
    "markdown": lambda text: bool(_MARKDOWN.search(text)),
    "label": lambda text: len(text.strip().split()) <= 3 and len(text.strip()) <= 24 and "\n" not in text.strip(),
}
