# ruff: noqa: E501 - a pattern or a table is read as one line
"""Why two demands exclude each other, whatever rules they belong to."""

from agents.prompts import content
from agents.prompts.example_language import WRONG_SCRIPT
from agents.prompts.lexicon import EXTRA_TEXT, exclusive_formats, opposite_tones
from agents.prompts.special import is_compatible, same_case
from agents.prompts.surface import language_share
from agents.prompts.types import (
    Brevity,
    Content,
    Fallback,
    Format,
    Labels,
    Languages,
    Length,
    Order,
    Tone,
    Unit,
)

SENTENCE_WORDS = 60
"""More words than the longest sentence that "two sentences" may mean."""
SENTENCE_CHARACTERS = 150
SHORT_AT_LEAST = {Unit.WORDS: 150, Unit.CHARACTERS: 250, Unit.SENTENCES: 8, Unit.PARAGRAPHS: 3}
"""A text of at least so much is not short."""
LONG_AT_MOST = {Unit.WORDS: 40, Unit.CHARACTERS: 80, Unit.SENTENCES: 2, Unit.LINES: 2}
"""A text of at most so much is not detailed."""
FEW_WORDS = 3
"""So many words hold no explanation."""
_DATA_FORMS = frozenset({"json", "xml", "yaml", "csv"})
_OF_SOMETHING = frozenset({"quote", "code", "explanation", "example", "names", "warning", "summary"})
_COARSE_TO_FINE = (Unit.PARAGRAPHS, Unit.SENTENCES, Unit.WORDS, Unit.CHARACTERS)


def demands_clash(a: object, b: object) -> str:  # noqa: PLR0911 - one return per kind of clash
    """Why both cannot be met, or ""; it may matter which comes first."""
    if isinstance(a, Length):
        return _length_clash(a, b)
    if isinstance(a, Brevity) and isinstance(b, Brevity):
        return "length: one wants it short, the other long" if a.is_short != b.is_short else ""
    if isinstance(a, Languages) and isinstance(b, Languages):
        return _language_clash(a, b)
    if isinstance(a, Format):
        return _format_clash(a, b)
    if isinstance(a, Tone) and isinstance(b, Tone):
        return _tone_clash(a, b)
    if isinstance(a, Fallback) and isinstance(b, Fallback):
        same = same_case(a.case, b.case)
        return "fallback: two things to do in one case" if same and not is_compatible(a, b) else ""
    if isinstance(a, Content) and isinstance(b, Content):
        return _content_clash(a, b)
    if isinstance(a, Content) and isinstance(b, Fallback):
        return _fallback_ban(a, b)
    if isinstance(a, Order) and isinstance(b, Order):
        return _order_clash(a, b)
    return _labels_clash(a, b) or _labels_clash(b, a)


def _length_clash(a: Length, b: object) -> str:  # noqa: PLR0911 - one return per kind of clash
    if isinstance(b, Brevity):
        bound = SHORT_AT_LEAST.get(a.unit) if b.is_short else LONG_AT_MOST.get(a.unit)
        if bound is None:
            return ""
        if b.is_short and a.low is not None and a.low >= bound:
            return "length: short, and at least so much"
        is_too_little = not b.is_short and a.high is not None and a.high <= bound
        return "length: detailed, and at most so little" if is_too_little else ""
    if isinstance(b, Content):
        is_word = a.unit is Unit.WORDS and a.high is not None and a.high <= FEW_WORDS
        wants_more = b.concept in EXTRA_TEXT and not b.is_forbidden and not b.is_permission
        return "length: a word or two, and a text beside it" if is_word and wants_more else ""
    if not isinstance(b, Length):
        return ""
    if a.unit is b.unit:
        if a.of != b.of:
            return ""
        return "length: the ranges do not meet" if _above(a, b) or _above(b, a) else ""
    return "length: the ranges do not meet" if _implies_more(a, b) or _implies_more(b, a) else ""


def _above(a: Length, b: Length) -> bool:
    return a.low is not None and b.high is not None and a.low > b.high


def _implies_more(low: Length, high: Length) -> bool:
    """Whether the least that ``low`` allows is more than the most that ``high`` allows, in different units."""
    if low.low is None or high.high is None:
        return False
    if low.unit is Unit.ITEMS and high.unit in (Unit.SENTENCES, Unit.LINES, Unit.PARAGRAPHS):
        return high.unit is not Unit.PARAGRAPHS and low.low >= 2 and high.high < low.low
    if low.unit not in _COARSE_TO_FINE or high.unit not in _COARSE_TO_FINE:
        return False
    if _COARSE_TO_FINE.index(low.unit) < _COARSE_TO_FINE.index(high.unit):
        return low.low > high.high
    size = {Unit.WORDS: SENTENCE_WORDS, Unit.CHARACTERS: SENTENCE_CHARACTERS}.get(low.unit)
    return high.unit is Unit.SENTENCES and size is not None and low.low > high.high * size


def _language_clash(a: Languages, b: Languages) -> str:
    if a.is_forbidden and not b.is_forbidden:
        return "language: demanded and forbidden" if b.codes <= a.codes else ""
    if a.is_forbidden or b.is_forbidden or a.codes & b.codes:
        return ""
    return "language: two different ones"


def _format_clash(a: Format, b: object) -> str:  # noqa: PLR0911 - one return per kind of clash
    if isinstance(b, Format):
        if a.is_forbidden != b.is_forbidden:
            wanted, banned = (b, a) if a.is_forbidden else (a, b)
            return "format: demanded and forbidden" if _is_kind_of(wanted.name, banned.name) else ""
        exclusive = not a.is_forbidden and exclusive_formats(a.name, b.name)
        return "format: two that exclude each other" if exclusive else ""
    if isinstance(b, Length) and not a.is_forbidden and a.name == "label":
        too_long = b.unit in (Unit.WORDS, Unit.SENTENCES, Unit.PARAGRAPHS) and (b.low or 0) > (
            3 if b.unit is Unit.WORDS else 1
        )
        return "format: a label, and a longer text" if too_long else ""
    if isinstance(b, Length) and not a.is_forbidden and a.name == "prose":
        return "format: one text, and several items" if b.unit is Unit.ITEMS and (b.low or 0) > 1 else ""
    if isinstance(b, Content) and a.name == "label" and not a.is_forbidden:
        is_more = b.concept in EXTRA_TEXT - {"extra"} and not b.is_forbidden and not b.is_permission
        return "format: a label, and a text beside it" if is_more else ""
    if (
        isinstance(b, Content)
        and a.name in _DATA_FORMS
        and not a.is_forbidden
        and not b.is_forbidden
        and not b.is_permission
    ):
        # What begins or ends the answer may be a value of the data, unless nothing but the data may be there.
        is_around = a.is_only and b.place and (b.is_literal or b.concept in EXTRA_TEXT)
        return (
            "format: data, and text around it"
            if is_around or b.concept in {"greeting", "apology", "heading", "bold", "closing", "preamble"}
            else ""
        )
    if isinstance(b, Length) and a.is_forbidden and a.name == "bullets":
        return (
            "format: bullets forbidden, and a number of them wanted"
            if b.unit is Unit.ITEMS and (b.low or 0) > 1
            else ""
        )
    return ""


def _fallback_ban(ban: Content, fallback: Fallback) -> str:
    """A ban without condition on the very thing that a fallback does: "never guess", "if unsure, guess"."""
    banned = {"ask": {"question"}, "guess": {"guess", "outside"}}.get(fallback.action, set())
    return "fallback: it does what is forbidden" if ban.is_forbidden and ban.concept in banned else ""


def _is_kind_of(wanted: str, banned: str) -> bool:
    kinds = {"markdown": {"markdown", "table", "bullets", "numbered"}, "bullets": {"bullets", "numbered"}}
    return wanted in kinds.get(banned, {banned})


def _tone_clash(a: Tone, b: Tone) -> str:
    if a.is_forbidden != b.is_forbidden:
        return "tone: demanded and forbidden" if a.name == b.name else ""
    return "tone: opposite manners" if not a.is_forbidden and opposite_tones(a.name, b.name) else ""


def _content_clash(a: Content, b: Content) -> str:  # noqa: PLR0911 - one return per kind of clash
    if a.is_forbidden == b.is_forbidden:
        differs = a.is_literal and b.is_literal and a.concept != b.concept
        is_clash = a.place and a.place == b.place and differs and not a.is_forbidden
        return f"place: two texts at the same {a.place}" if is_clash else ""
    banned, wanted = (a, b) if a.is_forbidden else (b, a)
    if banned.is_literal != wanted.is_literal:
        return ""
    if banned.is_literal:
        return "content: demanded and forbidden" if banned.concept in wanted.concept else ""
    if banned.concept == "extra":
        is_extra = wanted.concept in EXTRA_TEXT - {"extra"} and not wanted.is_permission
        return "content: nothing else, and something else" if is_extra else ""
    if (banned.concept, wanted.concept) == ("question_mark", "question"):
        return "content: a question, and no question mark"
    if banned.concept != wanted.concept:
        return ""
    if not banned.concept:
        is_same = content.same_matter(banned.units, wanted.units) or content.same_object(banned.units, wanted.units)
        return "content: demanded and forbidden" if is_same else ""
    return "content: demanded and forbidden" if _same_object(banned, wanted) else ""


def _same_object(a: Content, b: Content) -> bool:
    """Of one concept; where it is one of many things (which quote?) and both say which, that must be the same in part."""
    return a.concept not in _OF_SOMETHING or not (a.units and b.units) or bool(a.units & b.units)


def _order_clash(a: Order, b: Order) -> str:
    if (a.first, a.then) == (b.then, b.first):
        return "order: each before the other"
    if a.first == b.first == "^" or a.then == b.then == "$":
        return "order: two parts at one end" if a != b else ""
    if a.first == "^" and b.then == "$" and a.then == b.first:
        return "order: one part at both ends"
    if (a.first == "^" and b.then == a.then and b.first not in {"^", "$"}) or (
        a.then == "$" and b.first == a.first and b.then not in {"^", "$"}
    ):
        return "order: a part at one end, and another beyond it"
    return ""


def _labels_clash(a: object, b: object) -> str:
    if not isinstance(a, Labels):
        return ""
    if isinstance(b, Labels):
        disjoint = not {v.casefold() for v in a.values} & {v.casefold() for v in b.values}
        return "labels: two lists without a common label" if disjoint else ""
    if isinstance(b, Languages) and not b.is_forbidden and not b.codes - {"zh", "en"}:
        is_other = not any(language_share(value, code) >= WRONG_SCRIPT for value in a.values for code in b.codes)
        return "labels: in another language than is demanded" if is_other else ""
    return ""
