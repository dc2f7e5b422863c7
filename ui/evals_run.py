"""One run: its figures with their trend, slices, gates and the cases that went worst. Drawing only."""

from collections.abc import Sequence

import streamlit as st

from evals import page as report_page
from evals.cli import BASELINE, MUST_REFUSE
from evals.gates import Result, check, read_baseline, read_must_refuse
from evals.report import headline, tables
from evals.scored import Row, Scored
from evals.tables import Table
from rag.errors import MingbaiError, UsageError
from rag.types import Passage
from ui import agent_view, eval_runs, markup, trend_html
from ui.eval_runs import Listed, RunShelf
from ui.problems import show_problem
from ui.words import Lang, case_type, lines, say, table_name

RUN = "run"
_CHOSEN = "eval-run"
# (condition, metric, word), most important first.
TILES = (
    ("rcg", "rcg_score", "rcg_score"),
    ("rcg", "accuracy", "accuracy"),
    ("hybrid", "evidence_recall@5", "evidence_recall"),
    ("rcg", "faithfulness", "faithfulness"),
    ("rcg", "refusal_recall", "refusal_recall"),
)
TREND_RUNS = 12
_DATE_CHARS = len("2026-01-31 12:00")


def show(shelf: RunShelf, lang: Lang) -> None:
    """Draw the view."""
    runs = shelf.runs()
    if not runs:
        st.html(f'<div class="mb-empty"><p>{say(lang, "eval_none")}</p></div>')
        return
    run = choose(lang, runs, _CHOSEN, "eval_run", wanted=st.query_params.get(RUN))
    st.query_params[RUN] = run.name
    with st.spinner(say(lang, "eval_scoring")):
        try:
            scored = shelf.scored(run)
        except MingbaiError as error:
            show_problem(lang, error)
            return
        earlier = _earlier(shelf, runs, run)
    st.html(_tiles(lang, scored) + _remarks(lang, run, scored))
    _trend(lang, earlier)
    st.html(_part(lang, "eval_figures") + "".join(table_html(lang, one) for one in headline(scored)))
    rest = [one for one in tables(scored) if one.title not in {two.title for two in headline(scored)}]
    slices = [one for one in rest if one.title.startswith("Slices")]
    st.html(_part(lang, "eval_slices") + "".join(table_html(lang, one) for one in slices))
    _worst(lang, scored)
    others = "".join(table_html(lang, one) for one in rest if one not in slices)
    st.html(_gates(lang, scored) + agent_view.fold(say(lang, "eval_rest"), f"<div>{others}</div>"))
    _downloads(lang, run, scored)


def choose(
    lang: Lang, runs: Sequence[Listed], key: str, word: str, *, wanted: str | None = None, at: int = 0
) -> Listed:
    """A box to choose a run; the one called ``wanted`` first, else number ``at``."""
    names = [run.name for run in runs]
    if st.session_state.get(key) not in names:
        st.session_state[key] = wanted if wanted in names else names[min(at, len(names) - 1)]
    by_name = dict(zip(names, runs, strict=True))
    chosen = st.selectbox(say(lang, word), names, format_func=lambda name: _line(lang, by_name[name]), key=key)
    return by_name[str(chosen)]


def table_html(lang: Lang, table: Table) -> str:
    """A table of the harness as the page shows it; nothing without rows."""
    if not table.rows:
        return ""
    heads = "".join(f"<th>{markup.text(column)}</th>" for column in table.columns)
    rows = "".join(
        f"<tr><th>{markup.text(row[0])}</th>{''.join(f'<td>{markup.text(cell)}</td>' for cell in row[1:])}</tr>"
        for row in table.rows
    )
    return f'<h3 class="mb-table-name">{markup.text(table_name(lang, table.title))}</h3>{markup.table(heads, rows)}'


def _line(lang: Lang, run: Listed) -> str:
    date = run.header.started.replace("T", " ")[:_DATE_CHARS]
    # The name of the file holds the questions, the settings and the commit.
    return say(lang, "eval_run_line", date=date, cases=run.retrievals, answers=run.answers, name=run.name)


def _tiles(lang: Lang, scored: Scored) -> str:
    tiles = []
    for condition, metric, word in TILES:
        found = scored.figure(condition, metric)
        if found is not None and found.value is not None:
            ends = "" if found.low is None or found.high is None else f"{found.low:.2f} – {found.high:.2f}"
            name = say(lang, f"metric_{word}")
            tiles.append(f"<div><b>{found.value:.3f}</b><span>{name}</span><small>{ends}</small></div>")
    return f'<div class="mb-tiles">{"".join(tiles)}</div>'


def _remarks(lang: Lang, run: Listed, scored: Scored) -> str:
    parts = [f'<p class="mb-line">{say(lang, "eval_judge")}</p>']
    if run.header.commit.endswith("-dirty"):
        parts.append(markup.note(say(lang, "eval_dirty"), "info"))
    if scored.errors:
        parts.append(markup.note(say(lang, "eval_errors", count=len(scored.errors)), "warning"))
    return "".join(parts)


def _earlier(shelf: RunShelf, runs: Sequence[Listed], chosen: Listed) -> list[tuple[Listed, Scored]]:
    """The newest runs over the same questions, oldest first."""
    same = [run for run in runs if run.header.cases_hash == chosen.header.cases_hash][:TREND_RUNS]
    found = []
    for run in reversed(same):
        try:
            found.append((run, shelf.scored(run)))
        except UsageError:
            continue
    return found


def _trend(lang: Lang, earlier: Sequence[tuple[Listed, Scored]]) -> None:
    if len(earlier) < 2:
        st.html(f"{_part(lang, 'eval_trend')}<p class='mb-line'>{say(lang, 'eval_trend_one')}</p>")
        return
    series = [
        trend_html.Series(
            say(lang, f"metric_{word}"),
            [(run.header.started[:10], figure_value(scored, condition, metric)) for run, scored in earlier],
        )
        for condition, metric, word in TILES
    ]
    st.html(_part(lang, "eval_trend", "eval_trend_hint") + trend_html.chart(series))


def figure_value(scored: Scored, condition: str, metric: str) -> float | None:
    """A figure over all cases, None where it is undefined."""
    found = scored.figure(condition, metric)
    return None if found is None else found.value


def _worst(lang: Lang, scored: Scored) -> None:
    rows = report_page.worst(scored)
    body = "".join(_case(lang, scored, row) for row in rows)
    empty = f'<p class="mb-line">{say(lang, "eval_worst_none")}</p>'
    st.html(_part(lang, "eval_worst") + (body or empty))


def _case(lang: Lang, scored: Scored, row: Row) -> str:
    case = scored.cases[row.case_id].case
    why = row.error or str(scored.failures.get((row.case_id, row.condition), ""))
    parts = [_labelled(say(lang, "eval_gold"), case.answer or say(lang, "eval_not_held"))]
    parts += [_labelled(f"{say(lang, 'eval_evidence')} · {one.file}", one.quote) for one in case.evidence]
    record = scored.answers.get((row.case_id, row.condition))
    if record is not None:
        parts.append(_labelled(say(lang, "eval_said"), record.answer.text if record.answer else record.error))
        passages: Sequence[Passage] = record.answer.passages if record.answer else ()
    else:
        legs = scored.retrievals[row.case_id].legs
        passages = next((found for leg, found in legs.items() if str(leg) == row.condition), ())
    found = "；".join(f"{p.rank}. {p.entry} ({p.file}, {lines(lang, p.line_start, p.line_end)})" for p in passages[:5])
    parts.append(_labelled(say(lang, "eval_found"), found or "–"))
    head = (
        f'<span class="mb-where"><b>{markup.name(case.question)}</b> <span class="mb-chip">{case_type(lang, case.type)}'
        f'</span><span class="mb-bad">{markup.text(why)}</span></span>'
    )
    return (
        f'<details class="mb-source"><summary><span class="mb-number">{markup.text(row.case_id)}</span>{head}</summary>'
        f'<dl class="mb-case">{"".join(parts)}</dl></details>'
    )


def _labelled(label: str, value: str) -> str:
    return f"<div><dt>{markup.text(label)}</dt><dd>{markup.text(value)}</dd></div>"


def _gates(lang: Lang, scored: Scored) -> str:
    """How the run stands against the committed baseline; nothing for other questions."""
    try:
        baseline = read_baseline(BASELINE)
        results = check(scored, baseline, read_must_refuse(MUST_REFUSE))
    except UsageError:
        return ""
    if baseline.cases_hash != scored.header.cases_hash:
        return ""
    failed = [result for result in results if not result.is_passed]
    word = "eval_gates_failed" if failed else "eval_gates_passed"
    head = say(lang, word, failed=len(failed), count=len(results))
    body = "".join(map(_gate, (*failed, *(result for result in results if result.is_passed))))
    hint = f'<p class="mb-line">{say(lang, "eval_gates_hint")}</p>'
    return agent_view.fold(
        f"{say(lang, 'eval_gates')} · {head}", f'<div>{hint}<ul class="mb-findings">{body}</ul></div>'
    )


def _gate(result: Result) -> str:
    kind = "mb-ok" if result.is_passed else "mb-not"
    return f'<li class="{kind}"><b>{markup.text(result.name)}</b><span>{markup.text(result.message)}</span></li>'


def _downloads(lang: Lang, run: Listed, scored: Scored) -> None:
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            say(lang, "eval_html"),
            lambda: report_page.page(scored),
            f"{run.name}.html",
            "text/html",
            key="eval-html",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            say(lang, "eval_json"),
            lambda: eval_runs.exported(scored),
            f"{run.name}.json",
            "application/json",
            key="eval-json",
            on_click="ignore",
            type="tertiary",
        )


def _part(lang: Lang, word: str, hint: str = "") -> str:
    below = f"<p>{say(lang, hint)}</p>" if hint else ""
    return f'<div class="mb-part"><h2>{say(lang, word)}</h2>{below}</div>'
