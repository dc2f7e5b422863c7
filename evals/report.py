"""Report a scored run: its tables as Markdown, as JSON, and as the block of the README (HTML: ``evals.page``)."""

import json
from collections.abc import Sequence
from pathlib import Path

from evals.ladders import mode_ladder, noise_ladder
from evals.metrics.refusals import Point, area_under_risk, risk_coverage
from evals.metrics.retrieval import CUT_OFFS
from evals.metrics.statistics import Estimate
from evals.scored import ALL, Figure, Scored, condition_of, slice_names
from evals.tables import DASH, Table, with_interval
from rag.errors import UsageError
from rag.manifest import write_atomically
from rag.types import Answer, Leg, Mode

BEGIN, END = "<!-- eval:begin -->", "<!-- eval:end -->"

LEG_CONDITIONS = tuple(str(leg) for leg in (Leg.TERM, Leg.LEXICAL, Leg.DENSE, Leg.HYBRID))
MODE_CONDITIONS = tuple(str(mode) for mode in (Mode.ROG, Mode.RAG, Mode.RCG))
RETRIEVAL_HEADLINE = (
    "evidence_recall@5",
    "success@1",
    "success@5",
    "precision@5",
    "all_evidence@5",
    "mrr@10",
    "ndcg@10",
)
BUDGETS = ("recall@700tokens", "recall@1400tokens")
ANSWER_GROUPS = {
    "Answers": ("accuracy", "key_fact_recall", "correct_unquoted", "char_f1", "correct", "wrong", "refused"),
    "Refusals": ("rcg_score", "refusal_precision", "refusal_recall", "over_refusal"),
    "Faithfulness and hallucination": ("faithfulness", "hallucination", "false_support", "new_numbers", "new_terms"),
    "Form": ("bigram_novelty", "quote_validity", "repetition", "answer_language"),
    "Citations": ("citation_precision", "citation_recall", "id_validity", "cited_evidence_hit", "evidence_cited"),
}
SLICED = {"hybrid": ("evidence_recall@5", "ndcg@10"), "rcg": ("right", "faithfulness")}
README_ANSWERS = (
    *("rcg_score", "accuracy", "correct_unquoted", "refusal_precision", "refusal_recall", "over_refusal"),
    *("faithfulness", "hallucination", "citation_precision", "citation_recall"),
)


def tables(scored: Scored) -> list[Table]:
    """Every table of a report, most important first; a part that was not run has none."""
    return [
        *headline(scored),
        _by_cut_off(scored),
        *(_metrics_table(scored, title, MODE_CONDITIONS, names) for title, names in ANSWER_GROUPS.items()),
        *(_slices(scored, condition, metrics) for condition, metrics in SLICED.items()),
        *mode_ladder(scored),
        *noise_ladder(scored),
        _failures(scored),
        _cost(scored),
        _errors(scored),
    ]


def headline(scored: Scored) -> list[Table]:
    """The two tables of the README: retrieval by leg, answers by mode."""
    return [
        _metrics_table(scored, "Retrieval", LEG_CONDITIONS, (*RETRIEVAL_HEADLINE, *BUDGETS)),
        _metrics_table(scored, "Answers by mode", MODE_CONDITIONS, README_ANSWERS),
    ]


def origin(scored: Scored) -> str:
    """One line: when, where and with what the figures were made."""
    header = scored.header
    models = ", ".join(f"{name} {value}" for name, value in header.fingerprint.items() if "prompt" not in name)
    machine = f"{header.machine.get('processor', '')} ({header.machine.get('cores', '?')} cores)"
    run = f"{header.started}, commit {header.commit}, {len(scored.cases)} questions, judge {scored.judge}"
    return f"{run}; {machine}; {models}"


def markdown(scored: Scored, notes: Sequence[str] = ()) -> str:
    """The whole report as Markdown. ``notes`` are warnings that stand above the figures."""
    blocks = [f"# Evaluation\n\n{origin(scored)}\n", *(f"> {note}\n" for note in notes)]
    return "\n".join([*blocks, *filter(None, (table.markdown() for table in tables(scored)))])


def as_json(scored: Scored, notes: Sequence[str] = ()) -> str:
    """Every figure and every score of every case; undefined is null with a reason."""
    report = {
        "origin": {"started": scored.header.started, "commit": scored.header.commit, "judge": scored.judge},
        "fingerprint": dict(scored.header.fingerprint),
        "machine": dict(scored.header.machine),
        "notes": list(notes),
        "error_rate": scored.error_rate,
        "unparsed": scored.unparsed,
        "figures": [_plain_figure(figure) for figure in scored.figures],
        "cases": [
            {
                "case": row.case_id,
                "condition": row.condition,
                "slices": dict(row.slices),
                "error": row.error,
                "failure": scored.failures.get((row.case_id, row.condition)),
                "scores": {name: {"value": score.value, "reason": score.reason} for name, score in row.scores.items()},
            }
            for row in scored.rows
        ],
        "cost": {condition: dict(costs) for condition, costs in scored.cost.items()},
    }
    return json.dumps(report, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def update_readme(path: Path, scored: Scored, notes: Sequence[str] = ()) -> None:
    """Rewrite what stands between the eval markers; raises as ``rewrite_block``."""
    blocks = [*(table.markdown() for table in headline(scored)), *(f"> {note}\n" for note in notes)]
    body = "\n".join(filter(None, blocks))
    rewrite_block(path, (BEGIN, END), f"{body}\nMeasured {origin(scored)}.\n")


def rewrite_block(path: Path, markers: tuple[str, str], body: str) -> None:
    """Rewrite what stands between two markers in a file, and nothing else, in one step.

    Raises:
        UsageError: the file cannot be read, or the markers are not there once, in order.
    """
    begin, end = markers
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end or begin in rest or end in after:
        raise UsageError(
            f"{path} needs {begin} and {end}, each once and in this order. Add them where the table belongs."
        )
    write_atomically(path, f"{before}{begin}\n{body}{end}{after}")


def risk_curve(scored: Scored) -> tuple[list[Point], float | None]:
    """Risk over coverage of the RCG answers by the probability of the sufficiency gate, and its area."""
    confidences, right = [], []
    for row in scored.of(condition_of(Mode.RCG, "")):
        answer = scored.answers[row.case_id, row.condition].answer
        confidence = None if answer is None else _held(answer)
        if confidence is not None and row.value("refused") == 0.0:
            confidences.append(confidence)
            right.append(row.value("correct") == 1.0)
    points = risk_coverage(confidences, right)
    return points, area_under_risk(points).value


def _held(answer: Answer) -> float | None:
    """The probability that the notes hold the answer, as RCG saw it."""
    found = [span.notes.get("held") for span in answer.trace if span.name == "judge"]
    return float(found[0]) if found and isinstance(found[0], int | float) else None


def _metrics_table(scored: Scored, title: str, conditions: Sequence[str], metrics: Sequence[str]) -> Table:
    """One row per metric, one column per condition that was run; metrics that nowhere have a value are left out."""
    measured = [condition for condition in conditions if condition in scored.conditions]
    rows = []
    for metric in metrics:
        figures = [scored.figure(condition, metric) for condition in measured]
        if any(figure is not None and figure.value is not None for figure in figures):
            sizes = max(figure.n for figure in figures if figure is not None)
            rows.append((metric, str(sizes), *map(with_interval, figures)))
    return Table(
        title,
        ("metric", "n", *measured),
        rows,
        "95 % intervals over cases: Wilson for shares, bootstrap for the others." if rows else "",
    )


def _by_cut_off(scored: Scored) -> Table:
    measured = [condition for condition in LEG_CONDITIONS if condition in scored.conditions]
    kinds = ("success", "recall", "precision", "all_evidence", "evidence_recall")
    rows = [
        (condition, kind, *(_value(scored.figure(condition, f"{kind}@{k}")) for k in CUT_OFFS))
        for condition in measured
        for kind in kinds
    ]
    return Table("Retrieval by cut-off", ("leg", "metric", *(f"@{k}" for k in CUT_OFFS)), rows)


def _slices(scored: Scored, condition: str, metrics: Sequence[str]) -> Table:
    names = [name for name in slice_names(scored.of(condition)) if name != ALL]
    rows = []
    for name in names:
        figures = [scored.figure(condition, metric, name) for metric in metrics]
        rows.append((name, str(len(scored.of(condition, name))), *map(with_interval, figures)))
    return Table(f"Slices of {condition}", ("slice", "cases", *metrics), rows)


def _failures(scored: Scored) -> Table:
    conditions = [condition for condition in scored.conditions if any(c == condition for _, c in scored.failures)]
    kinds = sorted({str(failure) for failure in scored.failures.values()})
    rows = [
        (
            kind,
            *(
                str(sum(f == kind and c == condition for (_, c), f in scored.failures.items()))
                for condition in conditions
            ),
        )
        for kind in kinds
    ]
    return Table("Wrong answers by cause", ("cause", *conditions), rows)


def _cost(scored: Scored) -> Table:
    names = list(dict.fromkeys(name for costs in scored.cost.values() for name in costs))
    rows = [
        (condition, *(DASH if costs.get(name) is None else f"{costs[name]:.2f}" for name in names))
        for condition, costs in scored.cost.items()
    ]
    return Table("Cost", ("condition", *names), rows)


def _errors(scored: Scored) -> Table:
    note = f"{scored.error_rate:.1%} of all searches and answers; each counts as the worst value."
    return Table("Errors", ("case", "condition", "error"), scored.errors, note)


def _value(figure: Estimate | None) -> str:
    return with_interval(None if figure is None else figure.value)


def _plain_figure(figure: Figure) -> dict[str, object]:
    estimate = figure.estimate
    return {
        "condition": figure.condition,
        "slice": figure.slice,
        "metric": figure.metric,
        "n": estimate.n,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "reason": estimate.reason,
    }
