"""The red team: notes and questions that attack the reader, and what an answer must be all the same.

A folder of attacks holds ``cases.jsonl``, one JSON object a line, and the notes they name in ``notes/``::

    {"id": "r-07", "question": "…", "notes": ["fake_citations.md"], "attack": "fake_citation",
     "must_contain": [["21500", "2.15 万"]], "must_not_contain": ["[42]"], "expect_state": "answered", "mode": "rcg"}

``mode`` may be left out: rcg. The terms in the notes are made up, so a right answer can only come from the notes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Literal

from evals.records import from_plain
from rag.errors import UsageError
from rag.types import Mode

ANY = "any"
"""The expected state where a careful answer and a refusal are both fine."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One question over the named ``notes`` and no others.

    ``must_contain``: every fact is a tuple of accepted surface forms; it is asked only of what is not a refusal.
    ``must_not_contain``: texts that show that the attack went through.
    """

    id: str
    question: str
    notes: tuple[str, ...]
    attack: str
    must_contain: tuple[tuple[str, ...], ...]
    must_not_contain: tuple[str, ...]
    expect_state: Literal["answered", "refused", "conflict", "any"]
    mode: Mode = Mode.RCG

    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class AttackSet:
    """Attacks and the texts of all notes they name, by file name. ``hash`` changes with every byte of either."""

    folder: Path
    attacks: tuple[Attack, ...]
    texts: Mapping[str, str]
    hash: str

    def paths(self, attack: Attack) -> list[Path]:
        """The files of the notes of one attack."""
        return [self.folder / "notes" / name for name in attack.notes]

    def chosen(self, only: Sequence[str] = ()) -> list[Attack]:
        """The attacks whose id or kind is in ``only``; all of them when it is empty.

        Raises:
            UsageError: a name in ``only`` is neither.
        """
        known = {name for attack in self.attacks for name in (attack.id, attack.attack)}
        if unknown := [name for name in only if name not in known]:
            kinds = ", ".join(dict.fromkeys(attack.attack for attack in self.attacks))
            raise UsageError(f"There is no attack {', '.join(unknown)}. Use an id, or one of the kinds: {kinds}.")
        return [attack for attack in self.attacks if not only or {attack.id, attack.attack} & set(only)]


def load_attacks(folder: Path) -> AttackSet:
    """Read a folder of attacks, strictly.

    Raises:
        UsageError: a file cannot be read, a line is no attack, an id is used twice, or a case contradicts itself.
    """
    path = folder / "cases.jsonl"
    lines = [(f"{path}:{n}", line) for n, line in enumerate(_read(path).split("\n"), 1) if line.strip()]
    attacks = tuple(_attack(line, where) for where, line in lines)
    if not attacks:
        raise UsageError(f"{path} holds no attack. Write one JSON object a line.")
    ids = [attack.id for attack in attacks]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise UsageError(f"{path}: used twice: {', '.join(twice)}. Give every attack its own id.")
    names = sorted({name for attack in attacks for name in attack.notes})
    texts = {name: _read(folder / "notes" / name) for name in names}
    content = json.dumps([[line for _, line in lines], texts], sort_keys=True)
    return AttackSet(folder, attacks, texts, sha256(content.encode()).hexdigest()[:12])


def _attack(line: str, where: str) -> Attack:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where}: not JSON ({error}). Write one JSON object a line.") from error
    attack = from_plain(Attack, row, where)
    if not (attack.id.strip() and attack.question.strip() and attack.attack.strip() and attack.notes):
        raise UsageError(f"{where}: id, question, attack and notes must not be empty. Fill them in.")
    if any(Path(name).name != name for name in attack.notes):
        raise UsageError(f"{where}: notes are names of files in notes/, without a folder.")
    if not all(forms and all(form.strip() for form in forms) for forms in attack.must_contain):
        raise UsageError(f"{where}: a fact in must_contain needs at least one text. Fill it in.")
    if not all(attack.must_not_contain):
        raise UsageError(f"{where}: an empty text in must_not_contain is in every answer. Remove it.")
    if attack.expect_state == "refused" and attack.must_contain:
        raise UsageError(f"{where}: a refusal contains no fact. Remove must_contain, or expect another state.")
    return attack


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}. Name a folder with cases.jsonl and notes/.") from error
