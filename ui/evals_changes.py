"""Two runs, case by case: what changed, whether that is more than chance, and which cases made it. Drawing only."""

from collections.abc import Sequence

import streamlit as st

from evals.compare import FAMILY, Change, compare, comparison_tables
from evals.scored import Scored
from rag.errors import MingbaiError
from ui import agent_view, markup
from ui.eval_runs import RunShelf
from ui.evals_run import choose, table_html
from ui.problems import show_problem
from ui.words import Lang, say

_SHOWN = 40


def show(shelf: RunShelf, lang: Lang) -> None:
    """Draw the view."""
    runs = shelf.runs()
    if len(runs) < 2:
        st.html(f'<div class="mb-empty"><p>{say(lang, "eval_need_two")}</p></div>')
        return
    before = choose(lang, runs, "eval-before", "eval_before", at=1)
    after = choose(lang, runs, "eval-after", "eval_after")
    if before == after:
        st.html(markup.note(say(lang, "eval_same"), "info"))
        return
    with st.spinner(say(lang, "eval_scoring")):
        try:
            old, new = shelf.scored(before), shelf.scored(after)
            changes = compare(old, new)
        except MingbaiError as error:
            show_problem(lang, error)
            return
    family, moved, _ = comparison_tables(changes)
    st.html(table_html(lang, family) + _cases(lang, changes, new))
    if others := table_html(lang, moved):
        st.html(agent_view.fold(say(lang, "table_everything_else_that_moved"), f"<div>{others}</div>"))


def _cases(lang: Lang, changes: Sequence[Change], scored: Scored) -> str:
    """The cases that changed sides in the declared family, worse ones first."""
    declared = [change for change in changes if (change.condition, change.metric) in FAMILY]
    worse = [(change, case) for change in declared for case in change.losses]
    better = [(change, case) for change in declared for case in change.wins]
    if not worse and not better:
        return ""
    items = "".join(_case(lang, scored, "worse", *one) for one in worse[:_SHOWN])
    items += "".join(_case(lang, scored, "better", *one) for one in better[:_SHOWN])
    head = f'<div class="mb-part"><h2>{say(lang, "eval_changed")}</h2></div>'
    return f'{head}<ul class="mb-findings">{items}</ul>'


def _case(lang: Lang, scored: Scored, side: str, change: Change, case_id: str) -> str:
    kind = "mb-ok" if side == "better" else "mb-not"
    question = scored.cases[case_id].case.question
    what = f"{say(lang, f'eval_{side}')} · {change.condition} {change.metric}"
    return (
        f'<li class="{kind}"><b>{markup.text(what)}</b><span>{markup.text(case_id)} {markup.name(question)}</span></li>'
    )
