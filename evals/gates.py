"""Gates: does a run pass, held against the committed baseline and against fixed floors?

Retrieval must not be inferior: the lower end of the one-sided 95 % interval of the paired difference
stays above −2 points. Answers differ a little between processors, so they get a wider margin on the
plain difference. Floors hold without a baseline. A changed prompt, chunker or model makes the baseline
stale; the message names the command that renews it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.aggregate import difference
from evals.metrics.statistics import Floats
from evals.records import from_plain, to_plain
from evals.score import MAX_ERROR_RATE
from evals.scored import COMPOSITES, LOWER_IS_BETTER, Scored, as_array, condition_of
from rag.errors import UsageError
from rag.manifest import write_atomically
from rag.types import Mode

RENEW = "python -m evals baseline"
RETRIEVAL_MARGIN = 0.02
ONE_SIDED = 0.90
"""The two-sided confidence whose lower end is the end of a one-sided 95 % interval."""
ANSWER_MARGIN = 0.10
"""Two of twenty answers may change between processors without a change of quality."""

RETRIEVAL_GATES = tuple(
    (leg, metric) for leg in ("hybrid", "dense", "lexical") for metric in ("evidence_recall@5", "mrr@10", "ndcg@10")
)
ANSWER_GATES = tuple(("rcg", metric) for metric in ("rcg_score", "faithfulness", "hallucination", "new_terms"))
FLOORS = (("id_validity", "citations that do not resolve"), ("identical", "answers that differ when asked again"))


@dataclass(frozen=True, slots=True)
class Result:
    """One gate. ``message`` says what was measured, and when it failed, what to do."""

    name: str
    is_passed: bool
    message: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a run is held against: the values per case of the gated metrics, and what produced them."""

    made: str
    commit: str
    cases_hash: str
    judge: str
    fingerprint: Mapping[str, str]
    values: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    """condition → metric → case id → value; None where it is undefined."""


def check(scored: Scored, baseline: Baseline, must_refuse: Sequence[str] = ()) -> list[Result]:
    """All gates of a run, in the order in which a person should read them."""
    return [
        _fingerprint(scored, baseline),
        _errors(scored),
        *(_retrieval(scored, baseline, condition, metric) for condition, metric in RETRIEVAL_GATES),
        *(_answers(scored, baseline, condition, metric) for condition, metric in ANSWER_GATES),
        *_floors(scored),
        _unparsed(scored),
        _must_refuse(scored, must_refuse),
    ]


def must_pass(name: str, failed: Sequence[str]) -> Result:
    """The gate of a judge: every pair of its must-pass list is judged right."""
    if not failed:
        return Result(f"judge {name}", True, "every must-pass pair is judged right")
    shown = "; ".join(failed[:3])
    return Result(f"judge {name}", False, f"{len(failed)} must-pass pairs are judged wrong, such as: {shown}")


def baseline_of(scored: Scored) -> Baseline:
    """What later runs are held against."""
    values: dict[str, dict[str, dict[str, float | None]]] = {}
    for condition, gated in (*RETRIEVAL_GATES, *ANSWER_GATES):
        rows = scored.of(condition)
        for metric in COMPOSITES.get(gated, (gated,)):
            values.setdefault(condition, {})[metric] = {row.case_id: row.value(metric) for row in rows}
    header = scored.header
    return Baseline(header.started, header.commit, header.cases_hash, scored.judge, dict(header.fingerprint), values)


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write the baseline as JSON, in one step."""
    text = json.dumps(to_plain(baseline), ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    write_atomically(path, text + "\n")


def read_baseline(path: Path) -> Baseline:
    """Read a baseline. Raises UsageError with the command that makes one."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"The baseline {path} cannot be read: {error}. Make one with: {RENEW}") from error
    return from_plain(Baseline, row, str(path))


def read_must_refuse(path: Path) -> list[str]:
    """Case ids, one a line; lines that begin with # are comments. An absent file is an empty list."""
    if not path.exists():
        return []
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _fingerprint(scored: Scored, baseline: Baseline) -> Result:
    now, then = dict(scored.header.fingerprint), dict(baseline.fingerprint)
    now |= {"questions": scored.header.cases_hash, "judge": scored.judge}
    then |= {"questions": baseline.cases_hash, "judge": baseline.judge}
    changed = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    if not changed:
        return Result("baseline", True, f"made {baseline.made} at {baseline.commit} with the same models and prompts")
    shown = "; ".join(f"{name}: {then.get(name, 'absent')[:40]} → {now.get(name, 'absent')[:40]}" for name in changed)
    advice = f"If the figures are as you want them, renew it with: {RENEW}"
    return Result("baseline", False, f"the baseline was made with other {', '.join(changed)} ({shown}). {advice}")


def _errors(scored: Scored) -> Result:
    passed = scored.error_rate <= MAX_ERROR_RATE
    return Result("errors", passed, f"{scored.error_rate:.1%} of the run are errors (at most {MAX_ERROR_RATE:.0%})")


def _retrieval(scored: Scored, baseline: Baseline, condition: str, metric: str) -> Result:
    name = f"{condition} {metric}"
    before, after = _columns_of(scored, baseline, condition, metric)
    moved = difference(before, after, ONE_SIDED)
    if moved.value is None or moved.low is None:
        return Result(name, False, f"cannot be held against the baseline: {moved.reason}. Renew it with: {RENEW}")
    shown = f"{moved.value:+.3f}, at worst {moved.low:+.3f} (margin −{RETRIEVAL_MARGIN}, n = {moved.n})"
    return Result(name, moved.low >= -RETRIEVAL_MARGIN, shown)


def _answers(scored: Scored, baseline: Baseline, condition: str, metric: str) -> Result:
    name = f"{condition} {metric}"
    before, after = _columns_of(scored, baseline, condition, metric)
    moved = difference(before, after)
    if moved.value is None:
        both = all(np.isnan(column).all() for column in (*before, *after))
        return Result(name, both, f"undefined: {moved.reason}")
    better = -moved.value if metric in LOWER_IS_BETTER else moved.value
    return Result(name, better >= -ANSWER_MARGIN, f"{moved.value:+.3f} (margin {ANSWER_MARGIN}, n = {moved.n})")


def _floors(scored: Scored) -> Iterator[Result]:
    for metric, what in FLOORS:
        bad = [f"{row.case_id} ({row.condition})" for row in scored.rows if row.value(metric) not in (None, 1.0)]
        yield Result(metric, not bad, f"{len(bad)} {what}" + (f": {', '.join(bad[:5])}" if bad else ""))


def _unparsed(scored: Scored) -> Result:
    return Result("unparsed verdicts", scored.unparsed == 0, f"{scored.unparsed} verdicts of {scored.judge} failed")


def _must_refuse(scored: Scored, must_refuse: Sequence[str]) -> Result:
    rows = {row.case_id: row for row in scored.of(condition_of(Mode.RCG, ""))}
    bad = [case_id for case_id in must_refuse if case_id not in rows or rows[case_id].value("refused") != 1.0]
    shown = f"answered, or not asked at all: {', '.join(bad)}" if bad else f"{len(must_refuse)} refused"
    return Result("must refuse", not bad, shown)


def _columns_of(scored: Scored, baseline: Baseline, condition: str, metric: str) -> tuple[list[Floats], list[Floats]]:
    """The metric's columns of the baseline and of the run, over the cases that both have."""
    known = baseline.values.get(condition, {})
    parts = COMPOSITES.get(metric, (metric,))
    rows = [row for row in scored.of(condition) if all(row.case_id in known.get(part, {}) for part in parts)]
    before = [as_array([known.get(part, {}).get(row.case_id) for row in rows]) for part in parts]
    return before, [as_array([row.value(part) for row in rows]) for part in parts]
