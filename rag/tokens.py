"""Words for the lexical leg: jieba and n-grams for Chinese, whole names for Latin text.

The only module that imports jieba. It owns a private ``jieba.Tokenizer`` (the global one would carry our terms into other
libraries) whose dictionary cache lies in a folder that only the user can write: jieba reads it with ``marshal``.
"""

import hashlib
import logging
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs

from rag.text import HAN, fold
from rag.types import Chunk

# Raise it with every change that gives other tokens: the index is then built anew.
TOKENIZER_VERSION = 1
TITLE_WEIGHT = 2

# A Latin name with its inner joints ("gpt-3", "llm.int8", "c++"), a number ("±1", "0.2%", "64,895.00").
_LATIN = "[^\\W_\u2e80-\U000323af]"
_NAME = re.compile(rf"±?{_LATIN}+(?:[-._+'’&,]{_LATIN}+)*(?:%|\+\+|#)?")
_JOINT = re.compile(r"[-._+'’&,]")
_HAN_RUN = re.compile(f"{HAN.pattern}+")
_PIECE = re.compile(f"({_HAN_RUN.pattern})|({_NAME.pattern})")
_NUMBER = re.compile(r"±?\d+(?:[.,]\d+)*%?")


class Tokenizer:
    """Turns text into tokens; equal text, terms and versions give equal tokens. Safe to share between threads."""

    def __init__(self, terms: Sequence[str] = ()) -> None:
        self._terms = sorted({term for term in map(fold, terms) if len(term) > 1 and _HAN_RUN.fullmatch(term)})
        self._lock = threading.Lock()
        self._jieba: Any = None

    @property
    def fingerprint(self) -> str:
        """A hash that changes whenever tokens may change: our version, jieba's, and the terms."""
        state = "\n".join([str(TOKENIZER_VERSION), version("jieba"), *self._terms])
        return hashlib.sha256(state.encode()).hexdigest()

    def tokens(self, text: str) -> list[str]:
        """The tokens of a text, in order, repeated as often as they occur."""
        found: list[str] = []
        for match in _PIECE.finditer(fold(text)):
            han, name = match.group(1), match.group(2)
            found.extend(self._han_tokens(han) if han else _name_tokens(name))
        return found

    def _han_tokens(self, run: str) -> Iterator[str]:
        words: list[str] = self._segmenter().lcut_for_search(run)
        yield from words
        yield from run
        yield from (run[start : start + 2] for start in range(len(run) - 1))

    def _segmenter(self) -> Any:
        with self._lock:
            if self._jieba is None:
                self._jieba = _load_jieba(self._terms)
            return self._jieba


def chunk_tokens(chunk: Chunk, tokenizer: Tokenizer) -> list[str]:
    """What the lexical index holds of a chunk: its text, its outline path and its entry's names, weighted by repetition."""
    names = " \n".join(dict.fromkeys([chunk.entry, *chunk.aliases]))
    return [
        *tokenizer.tokens(names) * TITLE_WEIGHT,
        *tokenizer.tokens(" \n".join(chunk.path[:-1])),
        *tokenizer.tokens(chunk.text),
    ]


def _name_tokens(name: str) -> Iterator[str]:
    yield name
    if _NUMBER.fullmatch(name):
        if not name.isdigit():
            yield name.strip("±%")
        return
    parts = [part for part in _JOINT.split(name.rstrip("+#%")) if part]
    if len(parts) > 1:
        yield from parts


def _load_jieba(terms: Sequence[str]) -> Any:
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
    return segmenter


def _private_folder() -> Path:
    folder = Path(platformdirs.user_cache_dir("mingbai")) / "jieba"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
