# ruff: noqa: E501 - a pattern or a table is read as one line
"""What one clause of a prompt demands, forbids or allows: lengths, languages, forms, manners, contents."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agents.prompts import content, polarity
from agents.prompts.cues import FORMAT_CUE, INPUT, LANGUAGE_AFTER, LANGUAGE_CUE, ONLY, POSITIVE, SUBJECT
from agents.prompts.lengths import lengths_in, points_in
from agents.prompts.lexicon import STRUCTURED, concepts_in, formats_in, languages_in, opposite_tones, tones_in
from agents.prompts.limits import limits_in
from agents.prompts.polarity import Polarity
from agents.prompts.types import Content, Demand, Format, Kind, Languages, Pattern, Tone

_QUOTED = r"(?:[\"“「『'](?P<{0}>[^\"”」』\n]{{1,80}})[\"”」』'])"
_LITERALS = (
    ("start", re.compile(r"\b(?:start|begin|open)s?(?:ning)?\b[^\"“.]{0,40}?\bwith\b[^\"“.]{0,30}?" + _QUOTED.format("en")
                         + r"|(?:以|用)[^“「\"，。]{0,8}" + _QUOTED.format("zh") + r"[^，。]{0,8}?(?:开头|开始|起头|打头)"
                         + r"|(?:开头|第一句|首句)[^“「\"，。]{0,8}" + _QUOTED.format("zh2"), re.IGNORECASE)),
    ("end", re.compile(r"\b(?:(?:end|finish|close|conclude)s?(?:ing)?|sign(?:ing)? off)\b[^\"“.]{0,40}?\bwith\b[^\"“.]{0,30}?" + _QUOTED.format("en")
                       + r"|(?:以|用)[^“「\"，。]{0,8}" + _QUOTED.format("zh") + r"[^，。]{0,8}?(?:结尾|结束|收尾|作结)"
                       + r"|(?:末尾|最后|结尾|文末|句末)[^“「\"，。]{0,14}" + _QUOTED.format("zh2"), re.IGNORECASE)),
    ("address", re.compile(r"\b(?:address|call|refer to)\b (?:the )?(?:users?|readers?|customers?|guests?|them)[^\"“.]{0,12}?" + _QUOTED.format("en")
                           + r"|称呼[^“「\"，。]{0,8}(?:为|成|作|用)" + _QUOTED.format("zh") + r"|用" + _QUOTED.format("zh2") + r"来?称呼", re.IGNORECASE)),
    ("", re.compile(r"\b(?:use|say|write|mention|includ|contain|add|utter|insert|print|employ|us)(?:e|es|s|ing)?\b(?: the)?(?: exact)?(?: words?| phrases?| line| sentence| term| disclaimer| notice)?\s*" + _QUOTED.format("en")
                    + r"|(?:出现|使用|包含|写上|写出|加上|说|写|提到|带上|附上)[^“「\"，。]{0,6}" + _QUOTED.format("zh")
                    + r"|(?:the )?(?:words?|phrase) " + _QUOTED.format("en2"), re.IGNORECASE)),
)  # fmt: skip
# A text in quotes is demanded of every answer only where the clause says so.
_EVERYWHERE = re.compile(
    r"\b(?:must|always|every|each|includ\w+|contain\w*|mention)\b|必须|务必|每|都|一定|始终|包含|出现|附上|带上",
    re.IGNORECASE,
)
# "The word X must not be used for newsletters" bans it there only.
_ONLY_THERE = re.compile(r"\b(?:for|in|when|about|if)\b", re.IGNORECASE)
_PLACE_START = re.compile(r"\b(?:start|begin|open)s?\b|开头|开篇|首先", re.IGNORECASE)
_PLACE_END = re.compile(r"\b(?:end|finish|close|conclude)s?\b|结尾|末尾|最后", re.IGNORECASE)
_ORDER_ONLY = frozenset({"answer", "evidence", "definition", "title", "date", "translation", "units", "digits", "confidence",
                         "code", "background", "ending_punctuation", "capital"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A demand before it has its place: kind, demand, where in the clause it is said."""

    kind: Kind
    demand: Demand
    at: int
    target: str | None = None


def demands_in(text: str, inherited: bool) -> Iterator[Found]:
    """The demands of a clause; ``inherited``: a negation of the clause before goes on here."""
    if polarity.is_description(text) and not re.search(r"\bmust\b|必须|务必", text):
        return iter(())
    found = [*_lengths(text), *_languages(text, inherited), *_formats(text, inherited), *_tones(text, inherited)]
    found += [one for one in _limits(text, inherited) if one.demand not in [other.demand for other in found]]
    if polarity.is_task(text):
        return iter(found)
    if words := content.units(polarity.stated_in(text)):
        place = _place(text, Polarity.MUST)
        return iter([*found, Found(Kind.REQUIRED, Content("statement", place=place, units=words), 0, "")])
    literals = list(_literals(text, inherited))
    found += list(_patterns(text)) if not inherited and not polarity.is_negated(text) else []
    found += literals or [one for one in _contents(text, inherited) if not _is_named_part(text, one, found)]
    if any(one.demand == _NOTHING_FROM_OUTSIDE for one in found):
        # "Cite only the documents" limits the sources and demands no marks.
        found = [one for one in found if getattr(one.demand, "concept", "") != "citation"]
    if not found and len(text.strip()) > 3:
        words = content.units(text)
        if words:
            kind = Kind.FORBIDDEN if inherited or polarity.is_negated(text) else Kind.REQUIRED
            may = polarity.is_permission(text) and kind is Kind.REQUIRED
            found = [Found(kind, Content("", kind is Kind.FORBIDDEN, may, units=words), 0)]
    return iter(found)


_NOTHING_FROM_OUTSIDE = Content("outside", is_forbidden=True)
_PATTERN = re.compile(
    r"(?:格式(?:为|是)?|写成|形如|\b(?:in the )?(?:form|format)(?: is)?|\bwritten as|\blook(?:s)? like)\s*[:：]?\s*[“\"「`'](?P<a>[\w\u4e00-\u9fff ]{1,16}?)(?P<gap>\s*[^\w\s\u4e00-\u9fff“”\"「」`'/|,，、.。{}\[\]]{1,3}\s*)(?P<b>[\w\u4e00-\u9fff ]{1,16})[”\"」`']",
    re.IGNORECASE,
)


def _patterns(text: str) -> Iterator[Found]:
    """A pattern such as “term - meaning”: what is checked is the mark between the two."""
    if match := _PATTERN.search(text):
        yield Found(Kind.FORMAT, Pattern(match["gap"]), match.start(), "")


def _lengths(text: str) -> Iterator[Found]:
    found = list(lengths_in(text))
    for one in found:
        yield Found(Kind.LENGTH, one.length, one.start)
    if not found and (points := points_in(text)) and not polarity.is_negated(text):
        yield Found(Kind.LENGTH, points.length, points.start, "")


def _languages(text: str, inherited: bool) -> Iterator[Found]:
    wanted: set[str] = set()
    at = 0
    for code, start, end in languages_in(text):
        before, after = text[:start], text[end:]
        is_cued = LANGUAGE_CUE.search(before) or (LANGUAGE_AFTER.match(after) and not before.strip())
        is_asked = LANGUAGE_AFTER.match(after) and re.search(r"用|use|only|no\b|不", before)
        if code != "mirror" and (not is_cued or SUBJECT.search(before)) and not is_asked:
            continue
        said = polarity.polarity(text, start, end, inherited)
        if said is Polarity.NOT:
            yield Found(Kind.LANGUAGE, Languages(frozenset({code}), is_forbidden=True), start)
        elif said is Polarity.MUST:
            wanted.add(code)
            at = start
    if wanted:
        yield Found(Kind.LANGUAGE, Languages(frozenset(wanted)), at)


def _formats(text: str, inherited: bool) -> Iterator[Found]:
    spans = list(formats_in(text))
    for name, start, end in spans:
        before = text[:start]
        if any(other != name and a <= start and end <= b and (b - a) > (end - start) for other, a, b in spans):
            continue
        is_nothing_else = bool(_BESIDES_BEFORE.search(before) or _BESIDES_AFTER.match(text[end:]))
        is_named = not before.strip() or is_nothing_else or FORMAT_CUE.search(before)
        if INPUT.search(before) or not is_named:
            continue
        said = polarity.polarity(text, start, end, inherited)
        if said is Polarity.MAY:
            continue
        if is_nothing_else and (said is Polarity.NOT or polarity.is_negated(text)):
            yield Found(Kind.FORMAT, Format(name, is_only=True), start)
            yield Found(Kind.FORBIDDEN, Content("extra", is_forbidden=True), start, "")
            continue
        if _AROUND_AFTER.match(text[end:]) or _AROUND_BEFORE.search(before):
            yield Found(Kind.REQUIRED, Content("closing"), start, "")
            continue
        is_only = bool(ONLY.search(text)) and said is Polarity.MUST
        yield Found(Kind.FORMAT, Format(name, said is Polarity.NOT, is_only), start)
        if is_only and (name in STRUCTURED or name == "label"):
            yield Found(Kind.FORBIDDEN, Content("extra", is_forbidden=True), start, "")


_BESIDES_BEFORE = re.compile(
    r"\b(?:other than|besides|except|apart from|outside(?: of)?|but|beyond|before or after)\s+(?:the |this |a )?$|除(?:了)?\s*$",
    re.IGNORECASE,
)
_BESIDES_AFTER = re.compile(r"^\s*(?:对象|数组)?(?:之外|以外|外)")
_AROUND_AFTER = re.compile(r"^\s*(?:对象|代码|之|的)?(?:前面?|后面?|下方|上方|之前|之后)(?:[，,]|附|写|加|再|先|给|补)")
_AROUND_BEFORE = re.compile(
    r"\b(?:before|after|below|above|following|in front of|underneath)\s+(?:the |this )?$", re.IGNORECASE
)


# "Not too warm" forbids the excess, not the warmth.
_TOO_MUCH = re.compile(r"(?:\b(?:too|overly|excessively|unduly)\s*|过分|过于|过度|太)$", re.IGNORECASE)


# "Rude customers" are not the manner of the answer.
_OF_OTHERS = re.compile(
    r"\s*(?:customers?|users?|guests?|readers?|people|callers?|messages?|comments?|reviews?|e?mails?)\b|的[^，。的]{0,2}(?:顾客|客户|客人|用户|读者|作者|学生|对方|评论|留言|来信|邮件|消息)",
    re.IGNORECASE,
)


def _tones(text: str, inherited: bool) -> Iterator[Found]:
    named = list(tones_in(text))
    for name, start, end in named:
        if any(opposite_tones(name, other) for other, _, _ in named):
            continue  # "use the terms, and explain them in plain words" wants both
        if _OF_OTHERS.match(text[end:]):
            continue
        said = polarity.polarity(text, start, end, inherited)
        if said is not Polarity.MAY and not (said is Polarity.NOT and _TOO_MUCH.search(text[:start])):
            yield Found(Kind.TONE, Tone(name, said is Polarity.NOT), start)


# "The second line starts with …" says where in the answer it stands, not what the answer starts with.
_OF_A_LINE = re.compile(
    r"\b(?:second|third|fourth|next|last|each|every) (?:line|row|paragraph|sentence|bullet|point)\b|(?:第[二三四五\d]|[每各下])[一]?[行段条句点]",
    re.IGNORECASE,
)


def _literals(text: str, inherited: bool) -> Iterator[Found]:
    for place, pattern in _LITERALS:
        for match in pattern.finditer(text):
            group = next(name for name, value in match.groupdict().items() if value)
            start = match.start(group)
            said = polarity.polarity(text, match.start(), start, inherited)
            if not place and said is not Polarity.NOT and not _EVERYWHERE.search(text):
                continue
            if said is Polarity.NOT and _ONLY_THERE.search(text[match.end() :]):
                continue
            kind = Kind.FORBIDDEN if said is Polarity.NOT else Kind.REQUIRED
            at = "" if place in {"start", "end"} and _OF_A_LINE.search(text[:start]) else place
            demand = Content(
                match[group].strip(), said is Polarity.NOT, said is Polarity.MAY, is_literal=True, place=at
            )
            yield Found(kind, demand, start, "")
            for more in re.finditer(r"[、,，或or\s]+[\"“「]([^\"”」\n]{1,40})[\"”」]", text[match.end() :]):
                if said is Polarity.NOT:
                    yield Found(kind, Content(more[1].strip(), is_forbidden=True, is_literal=True), start, "")
        if any(pattern.finditer(text)) and pattern.search(text):
            return


_VERB = re.compile(
    r"(?:explain|justify|describe|say|tell|cite|apologi[sz]e|greet|quote|summari[sz]e|restate|repeat|guess|estimate|ask|define|解释|说明|总结|引用|举例|道歉|问候|复述|夸|反问)",
    re.IGNORECASE,
)
_FIELD_LIST = re.compile(r"\b(?:fields?|keys?|columns?|properties|schema)\b|字段|键|列名|几列|\{", re.IGNORECASE)


def _is_named_part(text: str, one: Found, found: list[Found]) -> bool:
    """Whether a thing is only the part that another demand is about, or a field of the output."""
    if re.search(r"\b(?:in|within|inside) (?:the |your |its )?$", text[: one.at], re.IGNORECASE):
        return bool(found)
    if getattr(one.demand, "is_forbidden", False):
        return False
    has_form = any(other.kind in (Kind.LENGTH, Kind.FORMAT, Kind.LANGUAGE) for other in found) and not _VERB.match(
        text[one.at :]
    )
    return bool(_FIELD_LIST.search(text)) or (has_form and not POSITIVE.search(text[: one.at]))


def _limits(text: str, inherited: bool) -> Iterator[Found]:
    if not inherited and not polarity.is_negated(text):
        for demand, at in limits_in(text):
            yield Found(Kind.FORBIDDEN if demand.is_forbidden else Kind.REQUIRED, demand, at, "")


def _contents(text: str, inherited: bool) -> Iterator[Found]:
    named: list[tuple[str, int, int]] = [c for c in concepts_in(text) if c[0] not in _ORDER_ONLY]
    words = content.units(text)
    for concept, start, end in named:
        if any(other != concept and a <= start and end <= b and (b - a) > (end - start) for other, a, b in named):
            continue
        said = polarity.polarity(text, start, end, inherited)
        if concept == "extra" and re.match(r"no|nothing|any|其他|其它|额外|多余|别的", text[start:end], re.IGNORECASE):
            said = (
                Polarity.NOT if re.match(r"no", text[start:end], re.IGNORECASE) or polarity.is_negated(text) else said
            )
        if said is Polarity.MUST and (concept == "extra" or not POSITIVE.search(text[:end])):
            continue
        kind = Kind.FORBIDDEN if said is Polarity.NOT else Kind.REQUIRED
        field = polarity.field_in(text)
        objects = words - content.units(text[start:end])
        demand = Content(concept, said is Polarity.NOT, said is Polarity.MAY, place=_place(text, said), units=objects)
        yield Found(kind, demand, start, f"field:{field}" if field else "")


def _place(text: str, said: Polarity) -> str:
    if said is Polarity.NOT:
        return ""
    return "start" if _PLACE_START.search(text) else "end" if _PLACE_END.search(text) else ""
