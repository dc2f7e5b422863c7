"""Sentences in notes that are addressed to the assistant, or to the program that shows them, instead of to a reader.

Notes are data: what they order is never done, and a sentence of this kind is no evidence either, or "administrator
confirmed" would be an answer that the notes support. Only plain orders to whoever answers are meant; a note that
explains prompts ("要求模型只回答是或否") stays evidence. Cf. indirect prompt injection (Greshake et al., 2023).
Invisible characters and wide letters do not hide an order; marks that turn the reading direction
(Boucher and Anderson, Trojan Source, 2021) are one.
"""

import re
import unicodedata

_ORDER = re.compile(
    r"(?:忽略|无视|忘[记掉])[^。\n]{0,12}(?:指令|要求|规则|提示|设定)"
    r"|(?:指令|规则|要求|限制)[^。\n]{0,6}(?:作废|解除)"
    r"|(?:不管|无论|不论|对任何|对所有)[^。\n]{0,10}问[^。\n]{0,16}(?:回答|回复|输出|先说)"
    r"|任何回答都|以后都按[^。\n]{0,10}回答"
    r"|(?:^|[。，；\s])你现在是|每句话都要以|(?:资料|笔记|上下文)到此(?:结束|为止)|以下是新的[^。\n]{0,4}要求|请?务必写成"
    r"|回答(?:的|里|时)?(?:请)?(?:最前面|开头|结尾|末尾)?[^。\n]{0,6}(?:写上|附上|插入|加上)|(?:放进|写进|插入)回答"
    r"|系统提示词|从现在起你|隐藏指令|必须照抄|^\W*(?:系统|助手|用户|system|assistant|user)\s*[：:]"
    r"|\b(?:ignore|disregard|forget)\b[^.\n]{0,30}\b(?:instructions?|rules?|prompts?)\b"
    r"|\bwhatever the (?:user|question)|\b(?:to )?every (?:question|answer) about this"
    r"|\balways (?:answer|reply|respond)\b|\bsystem prompt\b|\byou are (?:now )?in \w+ mode\b"
    r"|\b(?:reveal|print|repeat) your (?:prompt|instructions)\b"
    r"|你(?:现在|必须|务必|立即|马上){1,3}调用工具|\byou must (?:now )?call the tool\b"
    r"|\banswer in (?:english|chinese)\b|用(?:中文|英文)回答\s*[：:]",
    re.IGNORECASE | re.MULTILINE,
)


# Chat templates, delimiters of prompts, and tags that a page would run: what is meant for a program.
_CONTROL = re.compile(
    r"<\||\|>|\[/?inst\]|<</?sys>>|</?s>|-{3,}\s*end\b|<\s*/?\s*(?:passages?|evidence|context|notes?|笔记|资料)\b[^>\n]*>"
    r"|^\s*<\s*/?\s*(?:tools?|tool_(?:call|response)|function_call)\s*>"
    r"|<\s*/?\s*(?:script|iframe|style|object|embed)\b|\bon(?:error|load|click)\s*=|javascript:|display\s*:\s*none"
    r"|[\u202a-\u202e\u2066-\u2069]",
    re.IGNORECASE,
)
# JSON, or the rest of it behind the end of a "sentence" inside its strings.
_DATA = re.compile(r"""^\W*[{,]\s*"[\w -]+"\s*:""")
# An entry of a list of references: "[12] Somebody, Title, 2020".
_REFERENCE = re.compile(r"^\s*\[\d{1,3}\]\s+\S")


def gives_orders(text: str) -> bool:
    """Whether a text holds a plain order to the assistant, or marks that are meant for a program."""
    return _CONTROL.search(text) is not None or _ORDER.search(_visible(text)) is not None


def is_prose(text: str) -> bool:
    """Whether a sentence can be shown as an answer: neither an order, nor a piece of JSON, nor a reference."""
    return not (gives_orders(text) or _DATA.search(text) or _REFERENCE.search(text))


def _visible(text: str) -> str:
    """A text as it is read: compatibility forms folded, invisible characters removed."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
