"""The report as one HTML page: no script, no request to anywhere, every text escaped."""

import html
from collections.abc import Iterator, Sequence

from evals.gold import holds_any
from evals.plots import curve, intervals
from evals.report import LEG_CONDITIONS, MODE_CONDITIONS, origin, risk_curve, tables
from evals.scored import Row, Scored
from rag.types import Passage, State

WORST_SHOWN = 30
PLOTTED = {
    "evidence_recall@5 by leg": (LEG_CONDITIONS, "evidence_recall@5"),
    "nDCG@10 by leg": (LEG_CONDITIONS, "ndcg@10"),
    "RCG score by mode": (MODE_CONDITIONS, "rcg_score"),
    "Faithfulness by mode": (MODE_CONDITIONS, "faithfulness"),
}
STYLE = """
body{font:15px/1.6 system-ui,"Noto Sans CJK SC",sans-serif}
body{max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2024}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
th,td{border-bottom:1px solid #d8dce2;padding:.25rem .7rem;text-align:left;vertical-align:top}
.note,.origin{color:#5b6470;font-size:.9em}.warning{background:#fff3d6;padding:.6rem 1rem;border-radius:.3rem}
.plots{display:flex;flex-wrap:wrap;gap:1rem 2rem}svg{max-width:100%;height:auto}
figure{margin:0}figcaption{font-weight:600;margin-bottom:.4rem}
svg text{font-size:12px;fill:#1c2024}svg .tick{fill:#5b6470}
svg circle{fill:#1f6feb}svg .bar{stroke:#1f6feb;stroke-width:3;opacity:.45}svg .grid{stroke:#d8dce2}
svg polyline{fill:none;stroke:#1f6feb;stroke-width:2}svg .frame{fill:none;stroke:#d8dce2}
details{border:1px solid #d8dce2;border-radius:.3rem;padding:.4rem .8rem;margin:.4rem 0}summary{cursor:pointer}
pre{white-space:pre-wrap;background:#f6f7f9;padding:.5rem;margin:.3rem 0}.gold{border-left:4px solid #2da44e}
.bad{color:#b42318}.good{color:#1a7f37}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8eb}pre{background:#1e2226}
.warning{background:#4a3a10}svg text{fill:#e6e8eb}
.bad{color:#ff8f85}.good{color:#6fd08c}th,td,details{border-color:#3a4047}}
"""


def page(scored: Scored, notes: Sequence[str] = ()) -> str:
    """The whole report; ``notes`` are warnings that stand above the figures."""
    body = [
        "<h1>Evaluation</h1>",
        f"<p class=origin>{html.escape(origin(scored))}</p>",
        *(f"<p class=warning>{html.escape(note)}</p>" for note in notes),
        f"<div class=plots>{''.join(_plots(scored))}</div>",
        *(table.html() for table in tables(scored)),
        "<h2>Worst cases</h2>",
        *(_case(scored, row) for row in worst(scored)),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title>'
        '<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{STYLE}</style><body>{''.join(body)}</body></html>\n"
    )


def worst(scored: Scored) -> list[Row]:
    """What a person should read first: RCG answers that are wrong or unfaithful; without answers, lost evidence."""
    answers = [row for row in scored.of("rcg") if row.value("right") == 0.0 or row.value("hallucination") == 1.0]
    if answers:
        answers.sort(key=lambda row: (row.value("right") or 0.0, row.value("faithfulness") or 0.0))
        return answers[:WORST_SHOWN]
    lost = [row for row in scored.of("hybrid") if row.value("evidence_recall@5") == 0.0]
    return sorted(lost, key=lambda row: row.value("ndcg@10") or 0.0)[:WORST_SHOWN]


def _plots(scored: Scored) -> Iterator[str]:
    for title, (conditions, metric) in PLOTTED.items():
        figures = [(condition, scored.figure(condition, metric)) for condition in conditions]
        yield intervals(title, [(label, figure) for label, figure in figures if figure is not None])
    points, area = risk_curve(scored)
    title = "Risk over coverage of the answers" + (f" (area {area:.3f})" if area is not None else "")
    yield curve(title, [(point.coverage, point.risk) for point in points], x_label="coverage", y_label="risk")


def _case(scored: Scored, row: Row) -> str:
    located = scored.cases[row.case_id]
    key = (row.case_id, row.condition)
    why = row.error or scored.failures.get(key, "")
    heading = f"{row.case_id} · {located.case.type} · {located.case.question}"
    parts = [
        _labelled("Gold", located.case.answer or "(the notes do not hold it)"),
        *(_labelled(f"Evidence, {evidence.file}", evidence.quote) for evidence in located.case.evidence),
        *_outcome(scored, row),
    ]
    return (
        f"<details><summary>{html.escape(heading)} <span class=bad>{html.escape(why)}</span></summary>"
        f"{''.join(parts)}</details>"
    )


def _outcome(scored: Scored, row: Row) -> Iterator[str]:
    key = (row.case_id, row.condition)
    record = scored.answers.get(key)
    gold = scored.cases[row.case_id].gold
    if record is None:
        found = scored.retrievals[row.case_id].legs
        passages = next((places for leg, places in found.items() if str(leg) == row.condition), ())
        yield from (_passage(passage, is_gold=holds_any(passage, gold)) for passage in passages if passage.text)
        return
    if record.answer is None:
        yield _labelled("Error", record.error)
        return
    yield _labelled(f"Answer ({record.answer.state})", record.answer.text)
    for claim in scored.judged.get(key, ()):
        kind, mark = ("good", "✓") if claim.verdict.is_supported else ("bad", "✗")
        detail = f"{mark} {claim.verdict.p_supported:.2f} {claim.claim} ({claim.verdict.source})"
        yield f"<div class={kind}>{html.escape(detail)}</div>"
    if record.answer.state is State.REFUSED and record.answer.nearest:
        yield _labelled("Nearest entries", ", ".join(record.answer.nearest))
    yield from (_passage(passage, is_gold=holds_any(passage, gold)) for passage in record.answer.passages)


def _passage(passage: Passage, *, is_gold: bool) -> str:
    where = f"[{passage.rank}] {passage.file}:{passage.line_start} {passage.entry} {passage.score:.3f}"
    return f"<div>{html.escape(where)}</div><pre{' class=gold' if is_gold else ''}>{html.escape(passage.text)}</pre>"


def _labelled(label: str, text: str) -> str:
    return f"<div><b>{html.escape(label)}</b></div><pre>{html.escape(text)}</pre>"
