"""The question sets: one JSON object a line, read strictly."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from rag.errors import UsageError

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class ReasoningCase:
    """A question that needs no notes. ``check`` is an expression whose value is the answer, "" for logic."""

    id: str
    lang: str
    kind: str
    question: str
    answer: str
    check: str


@dataclass(frozen=True, slots=True)
class DialogueCase:
    """A conversation of (question, answer) turns, a question after it, the index of the turn that it needs.

    A right reply holds one of ``answers``.
    """

    id: str
    lang: str
    kind: str
    turns: list[list[str]]
    question: str
    needed: int
    answers: list[str]


@dataclass(frozen=True, slots=True)
class ToolCase:
    """A question for the tool agent: the tools that must work, none where none is needed or none can.

    ``value`` must come out of a tool or stand in the answer; None where it is not checked. ``outcome`` is expected.
    """

    id: str
    lang: str
    kind: str
    question: str
    tools: list[str]
    value: float | str | None
    outcome: str


C = TypeVar("C", ReasoningCase, DialogueCase, ToolCase)


def load(name: str, case: type[C]) -> list[C]:
    """Read a shipped set by file name.

    Raises:
        UsageError: a line is no JSON object with exactly the fields of ``case``, or an id is used twice.
    """
    found: list[C] = []
    for number, line in enumerate((DATA / name).read_text(encoding="utf-8").splitlines(), 1):
        row: Mapping[str, object] = json.loads(line)
        if set(row) != {field.name for field in fields(case)}:
            raise UsageError(f"{name}:{number} must hold exactly {[field.name for field in fields(case)]}.")
        made = case(**row)  # type: ignore[arg-type]
        if any(made.id == other.id for other in found):
            raise UsageError(f"{name}:{number} uses the id {made.id!r} again.")
        found.append(made)
    return found
