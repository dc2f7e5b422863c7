"""Ladders: the same questions with the evidence taken away, handed over, and buried in noise.

Mode ladder, per case: ROG → RAG → RCG → RCG with the gold passages (``gold``) → RCG with the
retrieved passages that hold no gold (``no-gold``). It tells retrieval from reading from inventing.
Noise ladder: gold among 0, 2 and 4 distractors, gold first, in the middle, or last (after "Lost in
the Middle", Liu et al., 2024). Distractors are what retrieval ranks highest without being gold, so
they are the hard ones. No distractors is the ``gold`` rung itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from evals.cases import LocatedCase
from evals.gold import holds_any
from evals.metrics.answers import OUTCOMES
from evals.scored import Row, Scored, condition_of
from evals.subject import Subject
from evals.tables import DASH, Table
from rag.types import Chunk, Mode, Passage

GOLD = "gold"
NO_GOLD = "no-gold"
NOISE_SIZES = (2, 4)
READ = 5
"""Passages that the ``no-gold`` rung reads; the default k of a search."""
CANDIDATES = 20


class Place(StrEnum):
    """Where the gold stands among distractors."""

    FIRST = "first"
    MIDDLE = "middle"
    LAST = "last"


def noise_variant(size: int, place: Place) -> str:
    """The name of a rung of the noise ladder."""
    return f"noise-{size}-{place}"


MODE_RUNGS = ((Mode.ROG, ""), (Mode.RAG, ""), (Mode.RCG, ""), (Mode.RCG, GOLD), (Mode.RCG, NO_GOLD))
VARIANTS = (GOLD, NO_GOLD, *(noise_variant(size, place) for size in NOISE_SIZES for place in Place))


class Rungs:
    """Chooses the passages of every rung for one subject; reads its chunks once."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._by_file: dict[str, list[Chunk]] = {}
        for chunk in subject.chunks():
            self._by_file.setdefault(chunk.file, []).append(chunk)

    def passages(self, case: LocatedCase, variant: str) -> list[Passage]:
        """The passages that ``variant`` lets the model read, in order, ranks rewritten from 1.

        Raises:
            ValueError: the variant is unknown, or a gold span lies in no single chunk.
        """
        found = self._subject.search(case.case.question, CANDIDATES)
        distractors = [passage for passage in found if not holds_any(passage, case.gold)]
        if variant == NO_GOLD:
            return _ranked(distractors[:READ])
        gold = self._gold(case)
        if variant == GOLD:
            return _ranked(gold)
        for size in NOISE_SIZES:
            for place in Place:
                if variant == noise_variant(size, place):
                    return _ranked(arrange(gold, distractors[:size], place))
        raise ValueError(f"Unknown rung {variant!r}. Use one of: {', '.join(VARIANTS)}.")

    def _gold(self, case: LocatedCase) -> list[Passage]:
        chosen: dict[str, Passage] = {}
        for group, evidence in zip(case.gold, case.case.evidence, strict=True):
            chunks = (chunk for span in group for chunk in self._by_file.get(span.file, ()))
            passage = next((p for p in map(Passage.of, chunks) if holds_any(p, (group,))), None)
            if passage is None:
                raise ValueError(
                    f"Case {case.case.id}: no chunk holds the quote {evidence.quote!r} of {evidence.file}."
                )
            chosen[passage.chunk_id] = passage
        return list(chosen.values())


def arrange(gold: Sequence[Passage], distractors: Sequence[Passage], place: Place) -> list[Passage]:
    """Gold before, in the middle of (the odd distractor goes before it), or after the distractors."""
    before = {Place.FIRST: 0, Place.MIDDLE: (len(distractors) + 1) // 2, Place.LAST: len(distractors)}[place]
    return [*distractors[:before], *gold, *distractors[before:]]


def mode_ladder(scored: Scored) -> list[Table]:
    """Outcomes on every rung over the cases that stand on all of them, and what the evidence changed."""
    rungs = [condition_of(mode, variant) for mode, variant in MODE_RUNGS]
    common = _common(scored, rungs)
    if not common:
        return []
    shares = [
        (rung, str(len(common)), *(_percent(rows[case].value(name) for case in common) for name in OUTCOMES))
        for rung, rows in ((rung, _by_case(scored, rung)) for rung in rungs)
    ]
    own, read, gone = (_by_case(scored, condition) for condition in ("rog", "rcg", "rcg/no-gold"))
    right = [(own[case].value("correct") == 1.0, read[case].value("correct") == 1.0) for case in common]
    invented = [case for case in common if gone[case].value("wrong") == 1.0]
    counts = [
        ("known answers lost (ROG right, RCG not)", str(sum(knew and not found for knew, found in right))),
        ("gained by evidence (RCG right, ROG not)", str(sum(found and not knew for knew, found in right))),
        ("invented when the evidence is gone", str(len(invented))),
    ]
    return [
        Table("Mode ladder", ("rung", "n", *OUTCOMES), shares),
        Table("What the evidence changed", ("change", "cases"), counts),
    ]


def noise_ladder(scored: Scored) -> list[Table]:
    """Correct answers by number of distractors and place of the gold, over the cases that stand on all rungs."""
    rungs = [f"rcg/{variant}" for variant in VARIANTS if variant != NO_GOLD]
    common = _common(scored, rungs)
    if not common:
        return []

    def share(variant: str) -> str:
        rows = _by_case(scored, f"rcg/{variant}")
        return _percent(rows[case].value("correct") for case in common)

    rows = [("0", *[share(GOLD)] * len(Place))]
    rows += [(str(size), *(share(noise_variant(size, place)) for place in Place)) for size in NOISE_SIZES]
    note = f"Share of correct answers, n = {len(common)}."
    return [Table("Noise ladder", ("distractors", *(f"gold {place}" for place in Place)), rows, note)]


def _common(scored: Scored, rungs: Sequence[str]) -> list[str]:
    """The answerable cases that were asked on every rung."""
    by_rung = [_by_case(scored, rung) for rung in rungs]
    return [case for case in by_rung[0] if all(case in rows for rows in by_rung) and scored.cases[case].gold]


def _by_case(scored: Scored, condition: str) -> dict[str, Row]:
    return {row.case_id: row for row in scored.of(condition)}


def _percent(values: Iterable[float | None]) -> str:
    defined = [value for value in values if value is not None]
    return f"{sum(defined) / len(defined):.2f}" if defined else DASH


def _ranked(passages: Sequence[Passage]) -> list[Passage]:
    return [replace(passage, rank=rank) for rank, passage in enumerate(passages, start=1)]
