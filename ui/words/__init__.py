"""Everything the page says, in Chinese and in English. Chosen by the reader, else by the browser's language."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, get_args

from rag.errors import (
    DamagedIndexError,
    EngineError,
    IndexMissingError,
    MingbaiError,
    ModelError,
    QuestionError,
    SettingsError,
    StaleIndexError,
    StorageError,
    UsageError,
)
from rag.types import Leg, Mode
from ui.words.agents import AGENTS
from ui.words.chat import CHAT
from ui.words.evals import EVALS
from ui.words.notes import NOTES
from ui.words.pages import COMPARE, FRAME, LAB, MODELS
from ui.words.reasons import why as why

Lang = Literal["zh", "en"]
_STAGES = frozenset(("load", "search", "judge", "write", "check"))
LANGUAGES: tuple[Lang, ...] = get_args(Lang)
NAMES: Mapping[Lang, str] = {"zh": "中文", "en": "English"}

_WORDS: Mapping[str, tuple[str, str]] = {**CHAT, **FRAME, **COMPARE, **NOTES, **LAB, **MODELS, **AGENTS, **EVALS}

_MODE_NAMES: Mapping[Mode, tuple[str, str]] = {
    Mode.RCG: ("只用笔记", "notes only"),
    Mode.RAG: ("笔记 + 模型", "notes + model"),
    Mode.ROG: ("不查笔记", "no notes"),
}

_MODES: Mapping[Mode, tuple[str, str]] = {
    Mode.RCG: (
        "只说笔记里有依据的话，每句带出处；笔记里没有就直说。",
        "Says only what your notes support, each sentence cited; says so when they do not.",
    ),
    Mode.RAG: (
        "笔记和模型知识一起用，每句标明来自哪一边。",
        "Uses your notes and the model's knowledge; every sentence shows which.",
    ),
    Mode.ROG: (
        "完全不查笔记，只凭模型自己的知识，没有出处。",
        "Does not look at your notes: the model's own knowledge, without sources.",
    ),
}

_LEGS: Mapping[Leg, tuple[str, str]] = {
    Leg.TERM: ("术语", "term"),
    Leg.LINK: ("关联", "link"),
    Leg.DENSE: ("语义", "dense"),
    Leg.LEXICAL: ("关键词", "lexical"),
    Leg.HYBRID: ("混合", "hybrid"),
    Leg.RERANK: ("重排", "rerank"),
}

# The first class that fits names the problem, so subclasses stand before their bases.
_PROBLEMS: Mapping[type[MingbaiError], tuple[str, str]] = {
    IndexMissingError: ("还没有笔记索引", "No notes have been indexed yet"),
    StaleIndexError: ("索引和现在的设置不一致", "The index does not fit the settings"),
    DamagedIndexError: ("索引损坏", "The index is damaged"),
    ModelError: ("模型还不能用", "A model cannot be used"),
    QuestionError: ("这个问题没法回答", "This question cannot be answered"),
    SettingsError: ("设置有误", "A setting is wrong"),
    UsageError: ("这样不行", "This cannot be done"),
    StorageError: ("没法读写磁盘", "The disk cannot be read or written"),
    EngineError: ("模型运行出错", "The model failed"),
    MingbaiError: ("出了问题", "Something went wrong"),
}


def say(lang: Lang, key: str, **values: object) -> str:
    """A phrase of the page with its values filled in."""
    return _of(lang, _WORDS[key]).format(**values)


def stage(lang: Lang, name: str, **values: object) -> str:
    """What a stage of an answer is called; its own name where the page does not know it yet."""
    return say(lang, name, **values) if name in _STAGES else name


def what_is(lang: Lang, name: str) -> str:
    """The question about an entry; Chinese puts a blank only behind a Latin name."""
    blank = " " if lang == "zh" and name[-1:].isascii() else ""
    return say(lang, "what_is", name=name + blank)


def work_stage(lang: Lang, name: str) -> str:
    """What a stage of an ingest or a download is called; its own name where there is no word for it."""
    key = f"stage_{name or 'start'}"
    return say(lang, key) if key in _WORDS else name


def file_status(lang: Lang, status: StrEnum) -> str:
    """What happened to a file in an ingest."""
    return say(lang, f"status_{status.value}")


def case_type(lang: Lang, kind: StrEnum) -> str:
    """What a kind of question is called."""
    return say(lang, f"type_{kind.value}")


def model_kind(lang: Lang, kind: StrEnum) -> str:
    """What a model is for."""
    return say(lang, f"kind_{kind.value}")


def model_state(lang: Lang, state: str) -> str:
    """How a model stands on this machine."""
    return say(lang, f"state_{state}")


def table_name(lang: Lang, title: str) -> str:
    """What a table of the harness is called; its own title where there is no word for it."""
    key = f"table_{title.lower().replace(' ', '_')}"
    return say(lang, key) if key in _WORDS else title


def finding_name(lang: Lang, kind: str, code: str) -> str:
    """What a finding of the prompt agents is called: its kind, and what it is about where there is a word for it."""
    about = f"code_{code}"
    name = say(lang, f"finding_{kind}")
    return f"{name} · {say(lang, about)}" if about in _WORDS else name


def step_name(lang: Lang, name: str) -> str:
    """What a step of an agent is called; its own name, such as that of a workflow's node, where there is no word."""
    key = f"step_{name.replace(' ', '_')}"
    return say(lang, key) if key in _WORDS else name


def mode_name(lang: Lang, mode: Mode) -> str:
    """What a mode is called: two or three words."""
    return _of(lang, _MODE_NAMES[mode])


def mode_line(lang: Lang, mode: Mode) -> str:
    """What a mode does: one line."""
    return _of(lang, _MODES[mode])


def leg_line(lang: Lang, leg: Leg) -> str:
    """What a way of searching finds: one line."""
    return say(lang, f"leg_line_{leg.value}")


def leg_name(lang: Lang, leg: Leg) -> str:
    """What a way of searching is called."""
    return _of(lang, _LEGS[leg])


def problem(lang: Lang, error: BaseException) -> str:
    """The headline above an error's own message."""
    fits = (words for kind, words in _PROBLEMS.items() if isinstance(error, kind))
    return _of(lang, next(fits, _PROBLEMS[MingbaiError]))


def lines(lang: Lang, start: int, end: int) -> str:
    """A range of lines, or one line."""
    return say(lang, "line" if start == end else "lines", start=start, end=end)


def language_of(locale: str | None, setting: str = "auto") -> Lang:
    """The language to begin with: the setting, else Chinese for a Chinese browser, else English.

    Args:
        locale: the browser's language such as "zh-CN"; None where it is not known.
        setting: "zh", "en" or "auto".
    """
    for lang in LANGUAGES:
        if setting == lang:
            return lang
    return "en" if locale and not locale.lower().startswith("zh") else "zh"


def _of(lang: Lang, words: tuple[str, str]) -> str:
    return words[LANGUAGES.index(lang)]
