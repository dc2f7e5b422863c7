"""Text as a reader compares it: script folding, sentence spans, language.

Folding is NFKC (Unicode annex 15), case folding, and traditional to simplified Chinese character by character, so
that ``Ｔｅｎｓｏｒ`` equals ``tensor`` and ``錯誤率`` equals ``错误率``. The only module that imports opencc.
"""

import re
import unicodedata
from functools import cache, lru_cache

# CJK blocks with characters that opencc converts: extension A, unified, compatibility, supplementary planes.
CJK_BLOCKS = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x2FA20), (0x30000, 0x323B0))
# Hangul vowels and trailing consonants compose with the character before them although their class is 0.
JAMO = ("\u1161", "\u11ff")

TERMINATORS = "。！？；!?…"
CLOSERS = "”’」』》〉）)】］]"
PLAIN_QUOTES = "\"'"
HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
LATIN_WORD = re.compile(r"[^\W\d_\u2e80-\U000323af]+")
ENGLISH_GRAMMAR = re.compile(
    r"(?:a|an|the|is|are|was|were|be|do|does|did|of|to|in|on|for|with|by|from|and|or|not|it|its|this|that|than|what|"
    r"which|how|why|when|where|who|can|should|would|will)"
)
CHINESE_GRAMMAR = frozenset("的是了吗么呢什怎为哪几有和与在把被会要不用个就")

_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"'，。；！？（）【】、]+")
_CANDIDATE = re.compile(rf"[\n\r\u2028\u2029]|[{TERMINATORS}.]+")
_REFERENCE = re.compile(r"(?:\[\d{1,3}\])+")
_ABBREVIATION = re.compile(
    r"(?:e\.g|i\.e|a\.k\.a|etc|al|cf|vs|fig|eq|sec|no|vol|pp|ch|ed|approx|resp|mr|mrs|ms|dr|prof|st|inc|ltd|co|jr|sr|[a-z])"
)
# No abbreviation or list marker is longer; looking back further would make one endless line quadratic.
_LOOK_BACK = 16


def fold(text: str) -> str:
    """Fold a text for comparison. Folding twice changes nothing more; the length may change (``ﬁ`` becomes ``fi``)."""
    folded = text
    # Case folding may undo normalisation and the other way round; two rounds reach the fixed point.
    for _ in range(2):
        folded = unicodedata.normalize("NFKC", folded).casefold()
    return unicodedata.normalize("NFKC", folded).translate(_simplified())


def fold_with_map(text: str) -> tuple[str, list[int]]:
    """Fold and keep the way back.

    Returns:
        ``fold(text)`` and, for each of its characters, the index of the source character it came from; indexes
        never decrease. Characters that merge into one point to the first of them.
    """
    folded: list[str] = []
    sources: list[int] = []
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and _joins_previous(text[end]):
            end += 1
        piece = _fold_cluster(text[start:end])
        folded.append(piece)
        sources.extend([start] * len(piece))
        start = end
    return "".join(folded), sources


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Split into sentences.

    A sentence ends at 。！？；!?… or an English full stop, with the quotes and brackets that close there and the
    reference marks behind it, and at a line break. Full stops inside numbers, versions, abbreviations, list markers
    and addresses do not end one.

    Returns:
        Spans ``(start, end)`` in order, without overlap and without blank edges; every character that is not blank
        lies in exactly one.
    """
    addresses = [match.span() for match in _URL.finditer(text)]
    spans: list[tuple[int, int]] = []
    start = position = address = 0
    while (match := _CANDIDATE.search(text, position)) is not None:
        while address < len(addresses) and addresses[address][1] <= match.start():
            address += 1
        if address < len(addresses) and addresses[address][0] < match.start():
            position = addresses[address][1]
            continue
        position = match.end()
        end = _sentence_end(text, start, match)
        if end is not None:
            _append_trimmed(spans, text, start, end)
            start = position = end
    _append_trimmed(spans, text, start, len(text))
    return spans


def detect_language(text: str) -> str:
    """Tell ``"zh"`` from ``"en"`` by script and function words; without any letter it is ``"zh"``, as the notes are."""
    han = HAN.findall(text)
    words = [word.casefold() for word in LATIN_WORD.findall(text)]
    if not han:
        return "en" if words else "zh"
    english = sum(ENGLISH_GRAMMAR.fullmatch(word) is not None for word in words)
    chinese = sum(character in CHINESE_GRAMMAR for character in fold("".join(han)))
    if english != chinese:
        return "en" if english > chinese else "zh"
    return "zh" if len(han) >= len(words) else "en"


def is_meaningful(text: str) -> bool:
    """Whether the text holds at least one letter, digit or CJK character after folding."""
    return any(character.isalnum() for character in fold(text))


def _sentence_end(text: str, start: int, match: re.Match[str]) -> int | None:
    """Where the sentence ends if ``match`` ends one, closing marks included, else None."""
    run = match.group()
    if run in "\n\r\u2028\u2029":
        return match.end()
    if any(character in "。！？；…" for character in run):
        return _with_closers(text, start, match.end())
    stop = match.start()
    following = text[match.end() : match.end() + 1]
    if set(run) == {"."}:
        return _with_closers(text, start, match.end()) if _is_full_stop(text, start, stop, following) else None
    # An ASCII ! or ? may be an operator (!=) or a query (?x=1): it needs blank space, a closer or Chinese behind it.
    closes = not following or following.isspace() or following in CLOSERS + PLAIN_QUOTES or not following.isascii()
    return _with_closers(text, start, match.end()) if closes else None


def _is_full_stop(text: str, start: int, stop: int, following: str) -> bool:
    before = text[max(start, stop - _LOOK_BACK) : stop]
    if stop - start <= _LOOK_BACK and (not before.strip() or before.strip().isdigit()):
        return False  # a list marker such as "1." or a leading dot
    if following and not following.isspace() and following not in CLOSERS + PLAIN_QUOTES:
        return HAN.match(before[-1]) is not None and HAN.match(following) is not None
    return _ABBREVIATION.fullmatch(re.split(r"[\s(（\[\"'“]", before)[-1].casefold()) is None


def _with_closers(text: str, start: int, end: int) -> int:
    while end < len(text):
        character = text[end]
        opened_quote = character in PLAIN_QUOTES and text.count(character, start, end) % 2 == 1
        if character in CLOSERS or opened_quote:
            end += 1
        elif reference := _REFERENCE.match(text, end):
            end = reference.end()
        else:
            break
    return end


def _append_trimmed(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        begin = start + len(piece) - len(piece.lstrip())
        spans.append((begin, begin + len(stripped)))


@lru_cache(maxsize=1 << 16)
def _joins_previous(character: str) -> bool:
    """Whether NFKC may merge the character with the one before it."""
    first = unicodedata.normalize("NFKD", character)[:1]
    return unicodedata.category(first).startswith("M") or JAMO[0] <= first <= JAMO[1]


@lru_cache(maxsize=1 << 16)
def _fold_cluster(cluster: str) -> str:
    return fold(cluster)


@cache
def _simplified() -> dict[int, str]:
    """Character table traditional to simplified. Built once: one character in, one character out."""
    import opencc

    convert = opencc.OpenCC("t2s").convert
    characters = [chr(code) for first, end in CJK_BLOCKS for code in range(first, end)]
    # Line breaks keep opencc from converting phrases; a second pass reaches chains such as 薴 → 苧 → 苎.
    converted = convert(convert("\n".join(characters))).split("\n")
    pairs = zip(characters, converted, strict=True)
    return {ord(source): target for source, target in pairs if source != target and len(target) == 1}
