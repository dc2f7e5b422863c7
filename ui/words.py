"""Everything the page says, in Chinese and in English. Chosen by the reader, else by the browser's language."""

from collections.abc import Mapping
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
)
from rag.types import Leg, Mode

Lang = Literal["zh", "en"]
_STAGES = frozenset(("load", "search", "judge", "write", "check"))
LANGUAGES: tuple[Lang, ...] = get_args(Lang)
NAMES: Mapping[Lang, str] = {"zh": "中文", "en": "English"}

_WORDS: Mapping[str, tuple[str, str]] = {
    "brand": ("明白", "Mingbai"),
    "tagline": ("问问你自己的笔记", "Ask your own notes"),
    "promise": (
        "默认只说笔记里有依据的话，每一句都能点开出处。",
        "By default it says only what your notes support, and every sentence opens at its source. ",
    ),
    "local": ("模型和笔记都在这台电脑上。", "The model and the notes stay on this computer."),
    "try": ("试试这些问题", "Try one of these"),
    "what_is": ("{name}是什么？", "What is {name}?"),
    "placeholder": ("问一个笔记里的问题…", "Ask something about your notes…"),
    "placeholder_busy": ("正在回答，可以随时停止", "Answering; you can stop it any time"),
    "placeholder_broken": ("先解决上面的问题，再来提问", "Solve the problem above first, then ask"),
    "mode": ("回答方式", "How to answer"),
    "stop": ("停止", "Stop"),
    "stopping": ("正在停止…", "Stopping…"),
    "new_chat": ("新对话", "New chat"),
    "chats": ("对话记录", "Chats"),
    "no_chats": ("还没有对话。", "No chats yet."),
    "untitled": ("未命名", "Untitled"),
    "chat_menu": ("管理", "Manage"),
    "chat_name": ("名称", "Name"),
    "save_name": ("保存名称", "Save name"),
    "export": ("导出 Markdown", "Export Markdown"),
    "delete": ("删除对话", "Delete chat"),
    "delete_sure": ("删除后无法恢复。", "This cannot be undone."),
    "delete_yes": ("确定删除", "Delete for good"),
    "delete_no": ("取消", "Cancel"),
    "unknown_chat": (
        "没有找到这个对话，它可能已被删除。",
        "This chat was not found. It may have been deleted.",
    ),
    "language": ("语言", "Language"),
    "your_question": ("问题", "Question"),
    "the_answer": ("回答", "Answer"),
    "notes": ("笔记", "Notes"),
    "model": ("模型", "Model"),
    "facts": (
        "{documents} 份文档 · {entries} 个条目 · {chunks} 个片段",
        "{documents} documents · {entries} entries · {chunks} chunks",
    ),
    "indexed_on": ("索引建于 {date}", "Indexed {date}"),
    "opening": ("正在打开笔记…", "Opening the notes…"),
    "warming": ("正在加载模型…可以先提问", "Loading the models… you may ask already"),
    "ready": ("就绪", "Ready"),
    "load": ("加载模型", "loading the models"),
    "queue": ("排队，前面还有 {count} 个问题", "queued, {count} ahead"),
    "search": ("查找", "searching"),
    "judge": ("读 {passages} 段，判断够不够回答", "reading {passages} passages"),
    "judged": ("判断", "judging"),
    "write": ("写作", "writing"),
    "written": ("已写 {count} 字", "{count} characters"),
    "check": ("核对", "checking"),
    "seconds": ("{seconds} 秒", "{seconds} s"),
    "own": ("模型知识", "model's own"),
    "own_hint": ("这一句不是来自笔记", "This sentence does not come from the notes"),
    "own_all": (
        "没有查阅笔记，以下是模型自己的知识，可能有错。",
        "The notes were not consulted. This is the model's own knowledge and may be wrong.",
    ),
    "unsupported": ("没有依据", "unsupported"),
    "refused": ("笔记里没有写到这个问题的答案。", "The notes do not hold the answer to this question."),
    "nearest": ("最接近的条目", "Nearest entries"),
    "wider": ("改用“{name}”再问一次", "Ask again with {name}"),
    "conflict": ("笔记之间有矛盾，两边的说法都列在下面。", "The notes disagree. Both sides are shown below."),
    "empty_answer": ("停止时还没有写出可以显示的句子。", "Nothing could be shown before it was stopped."),
    "nothing": ("模型没有写出内容。", "The model wrote nothing."),
    "stopped": ("已停止，回答不完整。", "Stopped; the answer is incomplete."),
    "interrupted": ("程序在回答时退出了，这个问题没有答完。", "The program ended before this was answered."),
    "again": ("再问一次", "Ask again"),
    "sources": ("出处", "Sources"),
    "lines": ("第 {start}–{end} 行", "lines {start}–{end}"),
    "line": ("第 {start} 行", "line {start}"),
    "also_at": ("同样的文字还在", "The same text is also in"),
    "details": ("细节", "Details"),
    "passages": ("读到的片段", "Passages read"),
    "rank": ("名次", "Rank"),
    "entry": ("条目", "Entry"),
    "place": ("位置", "Place"),
    "found_by": ("怎么找到的", "Found by"),
    "score": ("得分", "Score"),
    "timings": ("用时", "Time"),
    "total": ("合计", "total"),
    "first_token": ("第一个字", "first token"),
    "tokens": ("词元", "Tokens"),
    "prompt": ("提示", "prompt"),
    "completion": ("回答", "completion"),
    "reused": ("复用", "reused"),
    "prompt_hash": ("提示词版本", "Prompt hash"),
    "seed": ("随机种子", "Seed"),
    "trace": ("步骤", "Steps"),
    "run_this": ("在终端运行", "Run this in a terminal"),
    "run_ingest": ("在终端运行，把 NOTES 换成你的笔记文件夹", "Run this in a terminal; NOTES is your folder of notes"),
    "retry": ("重试", "Try again"),
    "unexpected": (
        "出现了没有预料到的错误（{kind}）。详情写在启动页面的终端里。",
        "Something unexpected went wrong ({kind}). The terminal that runs this page has the details.",
    ),
}

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


def mode_name(lang: Lang, mode: Mode) -> str:
    """What a mode is called: two or three words."""
    return _of(lang, _MODE_NAMES[mode])


def mode_line(lang: Lang, mode: Mode) -> str:
    """What a mode does: one line."""
    return _of(lang, _MODES[mode])


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
