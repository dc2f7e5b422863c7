"""Sentences in notes that give the assistant orders instead of saying something about their subject.

Notes are data: what they order is never done, and a sentence of this kind is no evidence either, or "administrator
confirmed" would be an answer that the notes support. Only plain orders to whoever answers are meant; a note that
explains prompts ("要求模型只回答是或否") stays evidence. Cf. indirect prompt injection (Greshake et al., 2023).
"""

import re

_ORDER = re.compile(
    r"(?:忽略|无视|忘[记掉])[^。\n]{0,12}(?:指令|要求|规则|提示|设定)"
    r"|(?:指令|规则|要求|限制)[^。\n]{0,6}(?:作废|解除)"
    r"|(?:不管|无论|不论|对任何|对所有)[^。\n]{0,10}问[^。\n]{0,16}(?:回答|回复|输出|先说)"
    r"|任何回答都|以后都按[^。\n]{0,10}回答"
    r"|回答(?:的|里|时)?(?:请)?(?:最前面|开头|结尾|末尾)?[^。\n]{0,6}(?:写上|附上|插入|加上)|(?:放进|写进|插入)回答"
    r"|系统提示词|从现在起你|隐藏指令|必须照抄|^\W*(?:系统|助手|用户|system|assistant|user)\s*[：:]"
    r"|\b(?:ignore|disregard|forget)\b[^.\n]{0,30}\b(?:instructions?|rules?|prompts?)\b"
    r"|\bwhatever the (?:user|question)|\b(?:to )?every (?:question|answer) about this"
    r"|\balways (?:answer|reply|respond)\b|\bsystem prompt\b|\byou are (?:now )?in \w+ mode\b|<\|",
    re.IGNORECASE | re.MULTILINE,
)


def gives_orders(text: str) -> bool:
    """Whether a text holds a plain order to the assistant."""
    return _ORDER.search(text) is not None
