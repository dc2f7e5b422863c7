"""What Mingbai itself says inside an answer, in Chinese and in English; never matched on, the state is a field."""

from collections.abc import Sequence

from rag.types import Mode, Sentence, Support

YES_NO = {"zh": ("是", "否"), "en": ("Yes", "No")}

CUT = {
    "zh": {"length": "回答达到长度上限，可能不完整。", "repetition": "模型开始重复，已截断。"},
    "en": {
        "length": "The answer reached its length limit and may be incomplete.",
        "repetition": "The model began to repeat itself and was cut.",
    },
}

LEFT_OUT = {
    "zh": "有 {count} 段笔记因超出长度预算没有放进提示。",
    "en": "{count} passages were left out because they exceed the token budget.",
}

_OWN_KNOWLEDGE = {
    "zh": "（未查阅笔记，以下是模型自己的知识。）",
    "en": "(The notes were not consulted: this is the model's own knowledge.)",
}
_OWN_SENTENCE = {"zh": "〔模型知识〕", "en": " [model's own]"}
_ELSEWHERE = {"zh": "笔记另一处的说法不同：“{quote}”", "en": "The notes say otherwise elsewhere: “{quote}”"}
_REFUSAL = {"zh": "笔记里没有写到这个问题的答案。", "en": "The notes do not hold the answer to this question."}
_NEAREST = {"zh": "最接近的条目：{names}。", "en": " The nearest entries: {names}."}


def refusal(language: str, nearest: Sequence[str]) -> str:
    """The text of a refusal, naming the nearest entries."""
    if not nearest:
        return _REFUSAL[language]
    names = ("、" if language == "zh" else ", ").join(nearest)
    return _REFUSAL[language] + _NEAREST[language].format(names=names)


def compose(mode: Mode, language: str, sentences: Sequence[Sentence]) -> str:
    """The text that is shown: sentences with their markers, and what the mode owes the reader."""
    joint = "" if language == "zh" else " "
    body = joint.join(marked(mode, language, sentence) for sentence in sentences)
    return preface(mode, language) + body.strip()


def elsewhere(language: str, quote: str) -> str:
    """A sentence that puts a contradicting place of the notes beside the answer."""
    return _ELSEWHERE[language].format(quote=quote)


def preface(mode: Mode, language: str) -> str:
    """What an answer in this mode begins with."""
    return f"{_OWN_KNOWLEDGE[language]}\n" if mode is Mode.ROG else ""


def marked(mode: Mode, language: str, sentence: Sentence) -> str:
    """A sentence with its citation markers, or with the mark of the model's own knowledge."""
    markers = "".join(f"[{marker}]" for marker in sorted({c.marker for c in sentence.citations}))
    own = _OWN_SENTENCE[language] if mode is Mode.RAG and sentence.support is Support.OWN else ""
    line = "\n" if sentence.support is Support.QUOTED else ""
    return f"{line}{sentence.text}{markers}{own}"
