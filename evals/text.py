"""Text as the metrics compare it: one script, one width, one way to write numbers, and claims cut by rule."""

import re
import unicodedata
from functools import lru_cache

import rag.text
from evals import numerals

CACHE_SIZE = 32_768
"""Texts kept normalised: passages of a run repeat between cases, a thousand answers bring about ten thousand."""

_CJK = "\u3400-\u4dbf\u4e00-\u9fff"
_CJK_RUN = re.compile(f"[{_CJK}]+")
_DASHES = re.compile("[‐‑‒–—−]+")
_TIMES = re.compile(r"(?<=\d)\s*[×x✕*]\s*(?=\d)")
_SPACE = re.compile(r"(?<!\d)\s+|\s+(?!\d)")
_MARKER = re.compile(r"\s?\[\d{1,3}(?:\s*[,，、-]\s*\d{1,3})*\]|\s?【\d{1,3}】")
_TERM = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_./+][A-Za-z0-9]+)*")
_PART = re.compile(r"[a-z]+|\d+")
_ACRONYM = re.compile(r"[A-Z]{2,5}")
_BULLET = re.compile(r"^\s*(?:[-*+•·#>]+\s+|\(?\d{1,2}[.)、:]\s*|[①-⑳]\s*)+")

_STOP_CHARS = frozenset("的了是在和与也都就而及或之其它他这那把被为以于对个等时会要可能使用进行它们我你们有")
_STOP_WORDS = frozenset(
    "a an the is are was were be been of in on at to for from by with as and or but if then than that this these those "
    "it its they them their which who what when where how why can could may might will would should do does did has "
    "have had not no so such into over under also very more most only just all each both some any there here we you i "
    "he she one".split()
)


@lru_cache(CACHE_SIZE)
def compatible(text: str) -> str:
    """NFKC with plain hyphens; case, script and spaces stay. A full-width comma never joins digits."""
    return _DASHES.sub("-", unicodedata.normalize("NFKC", text.replace("，", "， ")))


@lru_cache(CACHE_SIZE)
def folded(text: str) -> str:
    """``rag.text.fold``, remembered: NFKC, case and script."""
    return rag.text.fold(text)


@lru_cache(CACHE_SIZE)
def normalise(text: str) -> str:
    """The form in which texts are compared: folded, numbers canonical, lower case, no spaces (but 1969 3 stays two)."""
    with_numbers = _TIMES.sub("*", numerals.canonical(compatible(text)))
    return " ".join(_SPACE.sub("", rag.text.fold(with_numbers)).split())


def strip_markers(text: str) -> str:
    """The text without its ``[n]`` citation markers."""
    return _MARKER.sub("", text)


def holds_form(text: str, form: str) -> bool:
    """Whether an accepted surface form occurs in a text, both normalised.

    A form that begins or ends with a digit must not touch another digit (``4层`` is not in ``14层``), and a short
    acronym must be a whole Latin word (``SIM`` is not in ``similar``). Otherwise it is a plain substring test.
    """
    if _ACRONYM.fullmatch(form):
        return re.search(rf"(?<![a-z]){form.casefold()}s?(?![a-z])", folded(text)) is not None
    wanted = normalise(form)
    if not wanted:
        return False
    left = r"(?<!\d)(?<!\d\.)" if wanted[0].isdigit() else ""
    right = r"(?!\d)(?!\.\d)" if wanted[-1].isdigit() else ""
    return re.search(left + re.escape(wanted) + right, normalise(text)) is not None


def language(text: str) -> str:
    """``zh`` or ``en``; empty for a text without letters, such as a bare number."""
    has_letters = rag.text.HAN.search(text) or rag.text.LATIN_WORD.search(text)
    return rag.text.detect_language(text) if has_letters else ""


def claims(text: str) -> list[str]:
    """The statements of an answer by rule: cut at 。！？； and English sentence ends, lines and list items.

    Markers and bullets are removed. Lead-ins that end with a colon, and pieces without two
    letters or a digit, state nothing.
    """
    found = []
    for piece in sentences(strip_markers(text)):
        claim = _BULLET.sub("", piece).strip(" \t*_`\"'")
        if not claim.endswith((":", "：")) and _says_something(claim):
            found.append(claim)
    return found


def sentences(text: str) -> list[str]:
    """The sentences of any text in order; lines end sentences."""
    return [text[start:end] for start, end in rag.text.split_sentences(text)]


def _says_something(claim: str) -> bool:
    letters = sum(c.isalpha() for c in claim)
    return letters >= 2 or any(c.isdigit() for c in claim)


@lru_cache(CACHE_SIZE)
def character_bigrams(text: str) -> frozenset[str]:
    """All pairs of neighbouring characters of the normalised text without punctuation."""
    letters = "".join(c for c in normalise(strip_markers(text)) if c.isalnum())
    return frozenset(letters[i : i + 2] for i in range(len(letters) - 1))


@lru_cache(CACHE_SIZE)
def content_units(text: str) -> frozenset[str]:
    """What a text is about: Chinese character bigrams without function characters, stemmed Latin words, numbers."""
    plain = folded(text)
    units = {_stem(w) for w in _PART.findall(plain) if w not in _STOP_WORDS and not w.isdigit()}
    for run in _CJK_RUN.findall(plain):
        kept = "".join(" " if c in _STOP_CHARS else c for c in run)
        for word in kept.split():
            units.update(word[i : i + 2] for i in range(len(word) - 1))
            if len(word) == 1:
                units.add(word)
    return frozenset(units) | numerals.stated_numbers(compatible(text))


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word.removesuffix("e") if len(word) > 4 else word


@lru_cache(CACHE_SIZE)
def latin_terms(text: str) -> frozenset[str]:
    """Names and terms in Latin letters, lower case.

    In a Chinese text that is every Latin word of two letters or more; in an English text the words that look like
    names: with a digit, a joint or a capital inside, or a capital first letter not at the start of a sentence.
    """
    cased = compatible(strip_markers(text))
    if language(cased) == "zh":
        found = (m[0] for m in _TERM.finditer(cased) if len(m[0]) >= 2)
    else:
        found = (m[0] for m in _TERM.finditer(cased) if _looks_like_name(cased, m))
    return frozenset(t.casefold() for t in found if t.casefold() not in _STOP_WORDS)


def _looks_like_name(text: str, match: re.Match[str]) -> bool:
    word = match[0]
    if len(word) < 2:
        return False
    if any(c.isdigit() for c in word) or any(c.isupper() for c in word[1:]):
        return True
    before = text[: match.start()].rstrip()
    return word[0].isupper() and bool(before) and before[-1] not in ".!?:;。！？\"'(-"


@lru_cache(CACHE_SIZE)
def term_vocabulary(text: str) -> frozenset[str]:
    """Every Latin word of a text in all the ways a claim may write it: joined, in parts, without digits, singular."""
    words: set[str] = set()
    for match in _TERM.finditer(compatible(text)):
        term = match[0].casefold()
        parts = [p for p in re.split(r"[-_./+]", term) if p]
        words.update((re.sub(r"[-_./+]", "", term), *parts, *_PART.findall(term)))
    return frozenset(words | {w.removesuffix("s") for w in words if len(w) > 3})


def missing_terms(terms: frozenset[str], vocabulary: frozenset[str]) -> frozenset[str]:
    """The terms that a vocabulary (see :func:`term_vocabulary`) does not hold, neither whole nor in parts."""
    return frozenset(t for t in terms if not _known(t, vocabulary))


def _known(term: str, vocabulary: frozenset[str]) -> bool:
    joined = re.sub(r"[-_./+]", "", term)
    if joined in vocabulary or joined.removesuffix("s") in vocabulary:
        return True
    parts = [p for p in re.split(r"[-_./+]", term) if p]
    return len(parts) > 1 and all(p in vocabulary or p.isdigit() for p in parts)
