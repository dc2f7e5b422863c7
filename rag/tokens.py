"""Words for the lexical leg: jieba and n-grams for Chinese, whole names for Latin text.

The only module that imports jieba. It owns a private ``jieba.Tokenizer`` (the global one would carry our terms into
other libraries) whose dictionary cache lies where only the user can write: jieba reads it with ``marshal``.
"""

import hashlib
import logging
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, cast

import platformdirs

from rag.errors import StorageError
from rag.text import fold
from rag.types import Chunk

# Function words say nothing about what a note is about, yet weigh much in it: few lines of a Chinese note hold "the",
# and no line that answers a question holds its "什么". Measured with BM25 on the dev questions (all evidence in the
# first 5): 0.71 with them, 0.77 without the English ones, 0.81 without both.
_ENGLISH = """
    a an the this that these those it its there here he she they them their we us our you your i me my is are was were
    be been being am do does did done doing have has had having can could should would will shall may might must of to
    in on at for with by from into about between and or not no nor but if than then as so such each both any some all
    very just only also vs versus what which how why when where who whom whose
"""
_CHINESE = """
    的 了 是 在 有 和 与 跟 及 或 也 都 就 还 又 把 被 让 给 对 从 到 用 于 而 但 要 会 能 不 没 所 之 以 其 这 那 它 他
    我 你 吗 呢 吧 啊 呀 哇 嘛 哪 啥 咋 几 谁 各 叫 上 下 里 中 时 可以 没有 哪个 哪些 哪种 哪里 什么 怎么 怎样 如何
    为什么 为啥 为何 多少 这个 那个 这些 那些 它们 我们 一个 一种 一下 到底 究竟 来着 其中 分别 各自 请问 时候
"""
FUNCTION_WORDS = frozenset([*_ENGLISH.split(), *_CHINESE.split()])
# Characters that are function words by themselves or half of one: no unigram, and no bigram that touches one.
FUNCTION_CHARACTERS = frozenset(
    "的了是在有和与跟及或也都就还又把被让给对从到用于而但吗呢吧啊呀哇嘛哪什么怎为啥咋多少几谁这那它们他我你要会能"
    "可以不没个种些其请问里时候所之"
)
# A Chinese word of two characters yields up to four tokens, a Latin name one: without balance the names drown
# (recall@5 0.81 with weight 1, 0.85 with 2, 0.84 with 3).
NAME_WEIGHT = 2

# Raise it with every change that gives other tokens: the index is then built anew.
TOKENIZER_VERSION = 1
# How often the names of a chunk's entry count: 0 gave recall@5 0.83 on the dev questions, 1 to 4 all 0.85.
TITLE_WEIGHT = 2

# A Latin name with its inner joints ("gpt-3", "llm.int8", "c++"), a number ("±1", "0.2%", "64,895.00").
_LATIN = "[^\\W_\u2e80-\U000323af]"
_COMMA = r"(?<=\d),(?=\d{3}(?!\d))"
_NAME = re.compile(rf"±?{_LATIN}+(?:(?:[-._+'’&]|{_COMMA}){_LATIN}+)*(?:%|\+\+|#)?")
_JOINT = re.compile(r"[-._+'’&,]")
# Kana and Hangul are cut as Chinese is: jieba leaves them as characters, the bigrams carry them.
_CJK_RUN = re.compile(
    "[\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af]+"
)
_PIECE = re.compile(f"({_CJK_RUN.pattern})|({_NAME.pattern})")
_SAME_KIND = re.compile(r"\d+|\D+")
_NUMBER = re.compile(r"±?\d+(?:[.,]\d+)*%?")


class _Segmenter(Protocol):
    def lcut_for_search(self, sentence: str) -> list[str]: ...


class Tokenizer:
    """Turns text into tokens; equal text, terms and versions give equal tokens. Safe to share between threads."""

    def __init__(self, terms: Sequence[str] = ()) -> None:
        self._terms = sorted({term for term in map(fold, terms) if len(term) > 1 and _CJK_RUN.fullmatch(term)})
        self._lock = threading.Lock()
        self._jieba: _Segmenter | None = None

    @property
    def fingerprint(self) -> str:
        """A hash that changes whenever tokens may change: our version, jieba's, and the terms."""
        state = "\n".join([str(TOKENIZER_VERSION), version("jieba"), *self._terms])
        return hashlib.sha256(state.encode()).hexdigest()

    def tokens(self, text: str) -> list[str]:
        """The tokens of a text, in order, repeated as often as they occur."""
        found: list[str] = []
        for match in _PIECE.finditer(fold(text)):
            run, name = match.group(1), match.group(2)
            found.extend(self._run_tokens(run) if run else _name_tokens(name) * NAME_WEIGHT)
        return found

    def _run_tokens(self, run: str) -> Iterator[str]:
        words = self._segmenter().lcut_for_search(run)
        yield from (word for word in words if word not in FUNCTION_WORDS)
        is_content = [character not in FUNCTION_CHARACTERS for character in run]
        yield from (character for character, kept in zip(run, is_content, strict=True) if kept)
        yield from (run[at : at + 2] for at in range(len(run) - 1) if is_content[at] and is_content[at + 1])

    def _segmenter(self) -> _Segmenter:
        with self._lock:
            if self._jieba is None:
                self._jieba = _load_jieba(self._terms)
            return self._jieba


def chunk_tokens(chunk: Chunk, tokenizer: Tokenizer) -> list[str]:
    """What the lexical index holds of a chunk: its entry's names (repeated), its outline path, its text."""
    names = " \n".join(dict.fromkeys([chunk.entry, *chunk.aliases]))
    return [
        *tokenizer.tokens(names) * TITLE_WEIGHT,
        *tokenizer.tokens(" \n".join(chunk.path[:-1])),
        *tokenizer.tokens(chunk.text),
    ]


def _name_tokens(name: str) -> list[str]:
    """A name whole, then its parts between joints, then its runs of letters and of digits."""
    if name in FUNCTION_WORDS:
        return []
    if _NUMBER.fullmatch(name):
        return list(dict.fromkeys([name, name.strip("±%")]))
    parts = [part for part in _JOINT.split(name.rstrip("+#%")) if part]
    runs = [run for part in parts for run in _SAME_KIND.findall(part)]
    return [token for token in dict.fromkeys([name, *parts, *runs]) if token not in FUNCTION_WORDS]


def _load_jieba(terms: Sequence[str]) -> _Segmenter:
    with warnings.catch_warnings():
        # jieba 0.42 imports pkg_resources where it exists and holds escapes that newer Pythons warn about.
        warnings.filterwarnings("ignore", message=".*pkg_resources.*")
        warnings.filterwarnings("ignore", message=".*invalid escape sequence.*")
        import jieba
    jieba.setLogLevel(logging.ERROR)
    segmenter = jieba.Tokenizer()
    segmenter.tmp_dir = str(_private_folder())
    segmenter.initialize()
    for term in terms:
        segmenter.add_word(term)
    return cast(_Segmenter, segmenter)


def _private_folder() -> Path:
    folder = Path(platformdirs.user_cache_dir("mingbai")) / "jieba"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StorageError(f"The folder {folder} cannot be used: {error.strerror}. Free or own it.") from error
    return folder
