"""Cases: one JSON object a line, read strictly, with their evidence found in the source texts.

An overlay file names further valid evidence, one JSON object a line::

    {"id": "s-001", "evidence": 0, "file": "b.md", "quote": "…", "reason": "states the same number"}

``evidence`` is the index of the evidence it can stand in for.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

from evals.types import Case, CaseType, Evidence, GoldSpan
from rag.errors import UsageError

TextOf = Callable[[str], str]
LANGUAGES = ("zh", "en", "mixed")
_CASE_FIELDS = frozenset(field.name for field in fields(Case))
_EVIDENCE_FIELDS = frozenset(field.name for field in fields(Evidence))
_OVERLAY_FIELDS = frozenset({"id", "evidence", "file", "quote", "reason"})


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another place that says the same as evidence number ``evidence`` of case ``id``."""

    id: str
    evidence: int
    file: str
    quote: str
    reason: str


@dataclass(frozen=True, slots=True)
class LocatedCase:
    """A case and where its gold stands.

    ``gold`` has one group per evidence: the spans that are equally good for it (every occurrence
    of the quote in its file, then the overlay's alternatives). Empty for an unanswerable case.
    """

    case: Case
    gold: tuple[tuple[GoldSpan, ...], ...]


def load_cases(path: Path) -> list[Case]:
    """Read a case file.

    Raises:
        UsageError: the file cannot be read, a line is no JSON object, a field is missing, unknown or
            of the wrong type, or an id is used twice. The message names file and line.
    """
    cases: list[Case] = []
    seen: set[str] = set()
    for where, row in _rows(path):
        case = parse_case(row, where)
        if case.id in seen:
            raise UsageError(f"{where}: the id {case.id!r} is used twice. Give every case its own id.")
        seen.add(case.id)
        cases.append(case)
    if not cases:
        raise UsageError(f"{path} holds no case. Write one JSON object a line.")
    return cases


def load_overlay(path: Path) -> list[Alternative]:
    """Read further valid evidence. Raises UsageError as ``load_cases`` does."""
    return [_alternative(row, where) for where, row in _rows(path)]


def locate(cases: Sequence[Case], text_of: TextOf, overlay: Sequence[Alternative] = ()) -> list[LocatedCase]:
    """Find every quote in its source text.

    Raises:
        UsageError: a quote is not in its file, or the overlay names an evidence that its case does not have.
    """
    _check_overlay(cases, overlay)
    located = []
    for case in cases:
        groups = []
        for index, evidence in enumerate(case.evidence if case.answerable else ()):
            spans = _find(evidence.file, evidence.quote, text_of=text_of, case_id=case.id)
            for other in overlay:
                if (other.id, other.evidence) == (case.id, index):
                    spans += _find(other.file, other.quote, text_of=text_of, case_id=case.id)
            groups.append(spans)
        located.append(LocatedCase(case, tuple(groups)))
    return located


def texts_under(root: Path) -> TextOf:
    """Source texts read from a folder as UTF-8, line ends untouched, so that offsets are the file's own."""
    base = root.resolve()

    def text_of(file: str) -> str:
        path = (base / file).resolve()
        if not path.is_relative_to(base):
            raise UsageError(f"The evidence file {file!r} is outside {root}. Use a path relative to the notes.")
        try:
            return path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The evidence file {path} cannot be read: {error}. Check --notes.") from error

    return text_of


def parse_case(row: Mapping[str, object], where: str) -> Case:
    """Turn a decoded JSON object into a case; ``where`` is named in errors (UsageError)."""
    _check_keys(row, _CASE_FIELDS, where)
    kind, lang = _text(row, "type", where), _text(row, "lang", where)
    if kind not in set(CaseType):
        raise UsageError(f"{where}: type {kind!r} is unknown. Use one of: {', '.join(CaseType)}.")
    if lang not in LANGUAGES:
        raise UsageError(f"{where}: lang {lang!r} is unknown. Use one of: {', '.join(LANGUAGES)}.")
    answerable = row["answerable"]
    if not isinstance(answerable, bool):
        raise UsageError(f"{where}: answerable must be true or false, not {answerable!r}.")
    if answerable == (kind == CaseType.UNANSWERABLE):
        raise UsageError(f"{where}: answerable is {answerable} but the type is {kind!r}. Make them agree.")
    evidence = tuple(_evidence(item, where) for item in _list(row, "evidence", where))
    if answerable and not evidence:
        raise UsageError(f"{where}: an answerable case needs evidence. Quote at least one line of the notes.")
    return Case(
        id=_filled(row, "id", where),
        question=_filled(row, "question", where),
        lang=lang,
        type=CaseType(kind),
        answerable=answerable,
        answer=_text(row, "answer", where),
        key_facts=tuple(_fact(item, where) for item in _list(row, "key_facts", where)),
        evidence=evidence,
    )


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}. Name a UTF-8 file with one JSON object a line.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{where}: not JSON ({error}). Write one JSON object a line.") from error
        if not isinstance(row, dict):
            raise UsageError(f"{where}: expected a JSON object, found {type(row).__name__}.")
        yield where, row


def _find(file: str, quote: str, *, text_of: TextOf, case_id: str) -> tuple[GoldSpan, ...]:
    text = text_of(file)
    spans = []
    start = text.find(quote)
    while start >= 0:
        spans.append(GoldSpan(file, start, start + len(quote)))
        start = text.find(quote, start + 1)
    if not spans:
        raise UsageError(f"Case {case_id}: the quote {quote!r} is not in {file}. Copy it verbatim from the notes.")
    return tuple(spans)


def _check_overlay(cases: Sequence[Case], overlay: Sequence[Alternative]) -> None:
    sizes = {case.id: len(case.evidence) for case in cases}
    for other in overlay:
        if other.id in sizes and other.evidence >= sizes[other.id]:
            raise UsageError(
                f"The overlay names evidence {other.evidence} of case {other.id}, which has no such evidence."
            )


def _alternative(row: Mapping[str, object], where: str) -> Alternative:
    _check_keys(row, _OVERLAY_FIELDS, where)
    index = row["evidence"]
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        raise UsageError(f"{where}: evidence must be an index from 0, not {index!r}.")
    return Alternative(
        id=_filled(row, "id", where),
        evidence=index,
        file=_filled(row, "file", where),
        quote=_filled(row, "quote", where),
        reason=_filled(row, "reason", where),
    )


def _evidence(item: object, where: str) -> Evidence:
    if not isinstance(item, dict):
        raise UsageError(f"{where}: an evidence must be an object with file, heading and quote, not {item!r}.")
    _check_keys(item, _EVIDENCE_FIELDS, where)
    return Evidence(_filled(item, "file", where), _text(item, "heading", where), _filled(item, "quote", where))


def _fact(item: object, where: str) -> tuple[str, ...]:
    forms = item if isinstance(item, list) else []
    if not forms or not all(isinstance(form, str) and form.strip() for form in forms):
        raise UsageError(f"{where}: a key fact must be a non-empty list of accepted texts, not {item!r}.")
    return tuple(cast(list[str], forms))


def _check_keys(row: Mapping[str, object], expected: frozenset[str], where: str) -> None:
    for problem, names in (("unknown", set(row) - expected), ("missing", expected - set(row))):
        if names:
            raise UsageError(
                f"{where}: {problem} field {', '.join(sorted(names))}. Fields: {', '.join(sorted(expected))}."
            )


def _text(row: Mapping[str, object], key: str, where: str) -> str:
    value = row[key]
    if not isinstance(value, str):
        raise UsageError(f"{where}: {key} must be a text, not {value!r}.")
    return value


def _filled(row: Mapping[str, object], key: str, where: str) -> str:
    value = _text(row, key, where)
    if not value.strip():
        raise UsageError(f"{where}: {key} is empty. Fill it in.")
    return value


def _list(row: Mapping[str, object], key: str, where: str) -> list[object]:
    value = row[key]
    if not isinstance(value, list):
        raise UsageError(f"{where}: {key} must be a list, not {value!r}.")
    return value
