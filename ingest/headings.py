"""The names in a heading: ``RNN（Recurrent Neural Network，循环网络）：`` holds one title and several aliases."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|\[\[([^\]]*)\]\]|`([^`]*)`|\*\*(.+?)\*\*|~~(.+?)~~|<[^<>]{1,200}>")
_NUMBER = re.compile(
    rf"^(?:\d+(?:\.\d+)*[.、)]\s*(?=\D)|\d+(?:\.\d+)+\s+|\(?[一二三四五六七八九十]+[、)]\s*|第[\d{_HAN}]{{1,4}}[章节]\s*)"
)
_TRAILING = " \t:;,、.。"
_COLON = re.compile(r":(?![\d/\\])")
_CONTROL = re.compile(r"[\x00-\x1f]")
# 或 joins two names of one thing, 和 and 与 join two things.
_OR = re.compile(r"\)\s*或\s*")
_SEPARATOR = re.compile(r"[,、;]")
_JOINED = re.compile(r"\0\s*[和与]\s*|(?<=[A-Za-z0-9])\s*[和与]\s*(?=[A-Za-z0-9])")
_THAT_IS = re.compile(rf"(?<=[{_HAN}])即(?=[A-Za-z])")
_CALLED = re.compile(
    r"(?:简称|縮寫作|縮寫為|縮寫|缩写作|缩写为|缩写|也被称为|也称为|也称|又称为|又称|又叫|也叫|通常叫作|叫作|叫做|称为|称作|全称|"
    r"英文名|英文|英語|英语)(?:为|作|是)?\s*:?\s*"
)
_EXAMPLE = re.compile(r"^(?:比如|例如|如|eg|e\.g)")
# Words that say what kind of thing a Latin name is: CBAM模块 is asked for as CBAM.
_KIND = re.compile(
    r"^([A-Za-z][A-Za-z0-9_.+\-]+)\s*(?:激活函数|注意力机制|模型|模块|算法|理论|函数|曲线|原则|定理|指标|机制|层|库|值)$"
)
_HAN_THEN_LATIN = re.compile(rf"^(.*[{_HAN}])(?<![和与的或])\s*([A-Za-z][A-Za-z0-9_.\-]*)$")
# 分层softmax is no 分层: a short prefix says of what kind the Latin name is.
_MIN_HAN_PREFIX = 3
_QUOTED = re.compile(r"[“\"「『《]([^”\"」』》]+)[”\"」』》]")
# Empty brackets belong to the name of a function.
_CALL = "()"
_CALL_MARK = "\1"
# A part of a heading that ends like this, or is longer than this, is a clause and not a name.
_CLAUSE = re.compile(r"[了吗呢的。!?]$")
_MAX_NAME = 60
# Nobody names a thing with more characters; a longer line is a paragraph behind a number sign.
_MAX_HEADING = 240
_MAX_HAN_NAME = 16


@dataclass(frozen=True, slots=True)
class Names:
    """What a heading names. ``aliases`` are all other names, each once, the whole cleaned heading among them."""

    title: str
    aliases: tuple[str, ...]


def clean(raw: str) -> str:
    """The heading as one line of plain text after NFKC: no markup, no numbering, no closing marks."""
    text = _CONTROL.sub(" ", unicodedata.normalize("NFKC", raw[:_MAX_HEADING]))
    text = _MARKUP.sub(lambda match: next((group for group in match.groups() if group), ""), text)
    text = " ".join(text.split()).strip("*_ ")
    bare = _NUMBER.sub("", text) or text
    return bare.rstrip(_TRAILING) or bare or text


def parse(raw: str) -> Names:
    """Find the title and the aliases of a heading. An empty heading has the title ``""`` and no aliases."""
    whole = clean(raw)
    if not whole or _is_clause(whole):
        return Names(whole, ())
    main, _, translated = _split_colon(whole)
    first, *others = _synonyms(main)
    title, aliases = _names(first)
    for part in [*others, *_pieces(translated)]:
        name, more = _names(_stated(part))
        aliases += [name, *more]
    return Names(title, tuple(_distinct([*aliases, whole], title)))


def _is_clause(text: str) -> bool:
    return _CLAUSE.search(text) is not None


def _split_colon(text: str) -> tuple[str, str, str]:
    """Cut at the first colon outside of brackets."""
    for match in _COLON.finditer(text):
        if _depth(text[: match.start()]) == 0:
            return text[: match.start()].rstrip(), ":", text[match.end() :].strip()
    return text, "", ""


def _depth(text: str) -> int:
    depth = 0
    for character in text:
        depth = depth + 1 if character == "(" else max(0, depth - 1) if character == ")" else depth
    return depth


def _synonyms(main: str) -> list[str]:
    """Names that stand side by side: ``A(a)或B(b)``, ``A，B``, ``A即B``. At least one."""
    parts = [piece for half in _OR.sub(")\0", main).split("\0") for piece in _THAT_IS.sub("\0", half).split("\0")]
    split = [name for part in parts for name in _pieces(part)]
    return split or [main]


def _pieces(text: str) -> list[str]:
    """Cut at commas outside of brackets, unless the parts are clauses of a sentence or words of an English title."""
    pieces = _listed(text)
    are_names = re.search(f"[{_HAN}]", text) or all(" " not in piece for piece in pieces)
    if are_names and all(_is_name(piece.partition("(")[0]) for piece in pieces):
        return pieces
    return [text.strip()] if text.strip() else []


def _listed(text: str) -> list[str]:
    """Cut at every comma outside of brackets."""
    pieces: list[str] = []
    start = 0
    for match in _SEPARATOR.finditer(text):
        if _depth(text[: match.start()]) == 0:
            pieces.append(text[start : match.start()])
            start = match.end()
    return [piece.strip() for piece in [*pieces, text[start:]] if piece.strip()]


def _is_name(text: str) -> bool:
    return len(text) <= _MAX_NAME and len(re.findall(f"[{_HAN}]", text)) <= _MAX_HAN_NAME and not _is_clause(text)


def _names(text: str) -> tuple[str, list[str]]:
    """The name outside of the brackets, and every other name inside and around them."""
    outside, inside = _brackets(text)
    main = " ".join(outside.replace("\0", "").split()).strip(_TRAILING) or text.strip("() ")
    aliases = [*_variants(main), *_around(outside, inside)]
    for content in inside:
        # A single character in brackets is a variant of the one before it, not a name.
        for piece in _listed(content) if len(content) > 1 else ():
            name, more = _names(_stated(piece)) if "(" in piece else (_stated(piece), [])
            if not _EXAMPLE.match(name):
                aliases += [name, *more]
                aliases += [match[1] for match in [_KIND.match(name)] if match]
    return main, aliases


def _around(outside: str, inside: list[str]) -> Iterator[str]:
    """Names that brackets divide: ``A(a)和B(b)`` holds two, ``准(正)确率`` is said in two ways."""
    joined = [part.replace("\0", "").strip() for part in _JOINED.split(outside)]
    if len(joined) > 1:
        yield from joined if all(_stands_alone(part) for part in joined) else ()
        return
    before, _, after = outside.partition("\0")
    after = after.replace("\0", "")
    if before.strip() and after.strip():
        yield before[:-1] + inside[0] + after if len(inside[0]) == 1 else before.strip(_TRAILING)


def _brackets(text: str) -> tuple[str, list[str]]:
    """The text outside of the outermost brackets, a NUL for each pair, and what is inside; unbalanced ones too."""
    outside: list[str] = []
    inside: list[str] = []
    depth = 0
    for character in text.replace(_CALL, _CALL_MARK):
        if character == "(":
            depth += 1
            if depth == 1:
                outside.append("\0")
                inside.append("")
                continue
        elif character == ")":
            depth -= 1
            if depth <= 0:
                depth = 0
                continue
        if depth:
            inside[-1] += character
        else:
            outside.append(character)
    return "".join(outside).replace(_CALL_MARK, _CALL), [
        content.strip().replace(_CALL_MARK, _CALL) for content in inside
    ]


def _stated(text: str) -> str:
    """``简称 X`` and ``缩写为X`` name X."""
    match = _CALLED.search(text)
    return text[match.end() :].strip() if match and text[match.end() :].strip() else text.strip()


def _variants(name: str) -> Iterator[str]:
    """Shorter names that a person would ask for: the parts of ``召回率recall``, ``A/B``, ``T5 模型``, ``f()``."""
    if match := _KIND.match(name):
        yield match[1]
    if match := _HAN_THEN_LATIN.match(name):
        is_acronym = match[2].isupper() or "." in match[2]
        if is_acronym or len(match[1].strip()) >= _MIN_HAN_PREFIX:
            yield match[1].strip()
        if is_acronym:
            yield match[2]
    for match in _QUOTED.finditer(name):
        yield match[1]
        yield re.sub(r"[“”\"「」『』《》]", "", name)
    yield name.removesuffix(_CALL)
    for separator in "/&":
        parts = name.split(separator)
        if len(parts) > 1 and " " not in name and all(_stands_alone(part) for part in parts):
            yield from parts


def _stands_alone(part: str) -> bool:
    return len(part) > 1 and "的" not in part and _is_name(part)


def _distinct(names: Iterable[str], title: str) -> Iterator[str]:
    seen = {title}
    for name in names:
        cleaned = name.strip(_TRAILING)
        is_word = len(cleaned) > 1 or re.match(f"[{_HAN}]", cleaned) is not None
        if is_word and any(character.isalnum() for character in cleaned) and cleaned not in seen:
            seen.add(cleaned)
            yield cleaned
