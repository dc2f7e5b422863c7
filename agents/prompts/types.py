"""The nouns of the prompt agents: a prompt read as typed rules with spans, what is wrong with it, and what to change.

Offsets count characters of the prompt: ``prompt[rule.start:rule.end] == rule.text`` for every rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Literal

from agents.run import Cost, Step

FindingType = Literal["contradiction", "format", "fewshot"]
Severity = Literal["error", "warning"]
Source = Literal["solver", "model"]


class Kind(StrEnum):
    """What a rule is about."""

    LENGTH = "length"
    LANGUAGE = "language"
    FORMAT = "format"
    REQUIRED = "required"
    FORBIDDEN = "forbidden"
    TONE = "tone"
    ORDER = "order"
    FALLBACK = "fallback"
    SCOPE = "scope"


class Unit(StrEnum):
    """What a length counts. A character is a Chinese character, Latin letter or digit; punctuation is not counted."""

    CHARACTERS = "characters"
    WORDS = "words"
    SENTENCES = "sentences"
    ITEMS = "items"
    LINES = "lines"
    PARAGRAPHS = "paragraphs"


@dataclass(frozen=True, slots=True)
class Example:
    """A few-shot pair. The user turn is never changed."""

    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class Length:
    """Between ``low`` and ``high`` units, both inclusive; None is open.

    ``of`` is what the items are ("step", "row") where a clause names it, and empty for mere points or bullets.
    """

    unit: Unit
    low: int | None
    high: int | None
    of: str = ""


@dataclass(frozen=True, slots=True)
class Brevity:
    """A length without a number: short or long."""

    is_short: bool


@dataclass(frozen=True, slots=True)
class Languages:
    """The languages that the answer is in, or must not be in. "mirror" is the language of the question."""

    codes: frozenset[str]
    is_forbidden: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """A form of the answer ("json", "table", "bullets", "plain", …), wanted or not; ``is_only``: nothing around it."""

    name: str
    is_forbidden: bool = False
    is_only: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """Something that the answer must hold, must not hold, or may hold.

    ``concept`` is a name of the lexicon ("emoji") or, with ``is_literal``, the very text. ``place`` is "start",
    "end" or "" for anywhere. ``units`` are the content words where the lexicon has no concept for it.
    """

    concept: str
    is_forbidden: bool = False
    is_permission: bool = False
    is_literal: bool = False
    place: str = ""
    units: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tone:
    """A manner of speaking by its lexicon name, wanted or not."""

    name: str
    is_forbidden: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """``first`` comes before ``then``; "^" is the very beginning and "$" the very end."""

    first: str
    then: str


@dataclass(frozen=True, slots=True)
class Fallback:
    """What to do in a case: ``action`` is "say", "guess", "ask", "refuse", "null", "omit", …; ``literal`` its words."""

    case: str
    action: str
    literal: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """The answer is one of these labels."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Each line of the answer holds this mark, as " - " in "term - meaning"."""

    mark: str


@dataclass(frozen=True, slots=True)
class Priority:
    """Some rule wins over others. Without ``topics`` it orders all rules (later over earlier, and the like)."""

    topics: frozenset[str]


Demand = Length | Brevity | Languages | Format | Content | Tone | Order | Fallback | Labels | Pattern | Priority


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand of a prompt.

    ``start``/``end`` is the clause that states it, ``sentence`` the span of the whole sentence. ``condition`` is
    empty for a rule that always holds; ``target`` is empty for the whole answer, else the part it speaks of.
    ``is_universal`` rules say that they hold without exception, ``is_exception`` ones that they are one.
    """

    id: str
    kind: Kind
    start: int
    end: int
    text: str
    sentence: tuple[int, int]
    demand: Demand
    condition: str = ""
    target: str = ""
    is_universal: bool = False
    is_exception: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two rules the same whatever their place and words."""
        return self.kind, self.demand, self.condition, self.target


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. ``code`` names the check; ``detail`` says it in a sentence; spans are those of the quotes."""

    type: FindingType
    code: str
    detail: str
    severity: Severity = "error"
    rule_ids: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    example_index: int | None = None
    source: Source = "solver"

    @property
    def key(self) -> tuple[object, ...]:
        """The same finding in another version of the prompt has the same key."""
        return self.type, self.code, self.quotes, self.example_index


@dataclass(frozen=True, slots=True)
class Patch:
    """Replace ``before`` at ``start`` by ``after``; in the prompt, or in the assistant turn of ``example_index``."""

    start: int
    before: str
    after: str
    reason: str
    example_index: int | None = None
    source: Source = "solver"

    @property
    def end(self) -> int:
        """Where the replaced text ends."""
        return self.start + len(self.before)


@dataclass(frozen=True, slots=True)
class Optimization:
    """The outcome of a run. Unless ``accepted``, prompt and examples are those that came in, byte for byte.

    ``degraded`` is empty, or says what could not be done (no model, a limit, cancelled): the findings may then miss
    something. ``decisions`` are choices made by default policy that a person may want to make otherwise.
    """

    prompt: str
    examples: tuple[Example, ...]
    changed: bool
    accepted: bool
    diff: str
    before: tuple[Finding, ...]
    after: tuple[Finding, ...]
    patches: tuple[Patch, ...]
    decisions: tuple[str, ...]
    degraded: str
    cost: Cost
    trace: tuple[Step, ...]
    seed: int

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values: the form that the command line prints."""
        row = asdict(self)
        for side in ("before", "after"):
            row[side] = {"findings": row[side]}
        row["degraded"] = self.degraded or None
        return row


def examples_from(rows: Sequence[Example | Mapping[str, str]]) -> tuple[Example, ...]:
    """Examples given as such or as mappings with ``user`` and ``assistant``."""
    return tuple(row if isinstance(row, Example) else Example(row["user"], row["assistant"]) for row in rows)
