"""The form that keeps a query as a gold case. Drawing only."""

from collections.abc import Sequence

import streamlit as st

from evals.types import CaseType
from rag.errors import MingbaiError
from rag.types import Passage
from ui import lab_case, markup
from ui.desk import Desk
from ui.problems import show_problem
from ui.words import Lang, case_type, say

_TEXT_CHARS = 2000
_SAVED = "case-saved"
_PROBLEM = "case-problem"


def show(at: Desk, lang: Lang, question: str, found: Sequence[Passage]) -> None:
    """Draw the form for a question and what hybrid search found for it."""
    path = lab_case.default_path()
    with st.expander(say(lang, "case_save"), icon=":material/bookmark_add:", key="case"):
        st.html(f'<p class="mb-line">{say(lang, "case_hint")}</p>')
        _form(at, lang, question, [(passage, line) for passage in found for line in lab_case.quotable(passage)])
        if (failed := st.session_state.pop(_PROBLEM, None)) is not None:
            show_problem(lang, failed)
        if st.session_state.pop(_SAVED, False):
            st.html(markup.note(say(lang, "case_saved", file=str(path)), "good"))
        if path.exists():
            st.download_button(
                say(lang, "case_download"),
                path.read_bytes,
                path.name,
                "application/x-ndjson",
                key="case-download",
                on_click="ignore",
                icon=":material/download:",
            )


def _form(at: Desk, lang: Lang, question: str, lines: Sequence[tuple[Passage, str]]) -> None:
    kinds, hint = list(CaseType), say(lang, "case_facts_hint")
    with st.form("case-form", border=False):
        st.selectbox(say(lang, "case_type"), kinds, format_func=lambda kind: case_type(lang, kind), key="case-type")
        st.multiselect(
            say(lang, "case_evidence"),
            range(len(lines)),
            format_func=lambda n: f"#{lines[n][0].rank} {lines[n][0].entry}: {lines[n][1]}",
            key="case-evidence",
            placeholder=say(lang, "case_choose"),
        )
        st.text_area(say(lang, "case_answer"), key="case-answer", max_chars=_TEXT_CHARS, height=80)
        st.text_area(say(lang, "case_facts"), key="case-facts", max_chars=_TEXT_CHARS, height=80, help=hint)
        st.form_submit_button(say(lang, "case_keep"), key="case-keep", on_click=_keep, args=(at, question, lines))


def _keep(at: Desk, question: str, lines: Sequence[tuple[Passage, str]]) -> None:
    state = st.session_state
    try:
        case = lab_case.make(
            at.library.notebook(),
            question,
            state["case-type"],
            answer=str(state.get("case-answer") or ""),
            facts=str(state.get("case-facts") or ""),
            evidence=[lines[position] for position in state.get("case-evidence") or ()],
        )
        lab_case.append(case, lab_case.default_path())
        state[_SAVED] = True
    except MingbaiError as error:
        state[_PROBLEM] = error
