"""Where two notes say different things of one thing: both sentences side by side. Drawing only."""

from typing import TYPE_CHECKING

import streamlit as st

from rag.contradictions import Contradiction, Said
from rag.shelf import Shelf
from ui import markup
from ui.desk import Desk
from ui.notes_browse import open_entry
from ui.problems import show_problem
from ui.task_view import show_running
from ui.tasks import Report, StoppedError
from ui.words import Lang, lines, say

if TYPE_CHECKING:
    from rag.notebook import Notebook

TASK = "contradictions"
# More than anyone reads at once; the heading says how many there are.
SHOWN = 50


def show(at: Desk, notebook: "Notebook", shelf: Shelf, lang: Lang) -> None:
    """Draw the list; looking for contradictions begins when this is first opened for an index."""
    name = f"{TASK} {notebook.index.folder.name}"
    task = at.tasks.of(name) or at.tasks.start(name, lambda report: _look(notebook, report))
    if not task.is_done:
        st.html(f'<p class="mb-line" role="status">{say(lang, "disagree_looking")}</p>')
        show_running(lang, task, TASK)
        return
    if task.error is not None:
        if isinstance(task.error, StoppedError):
            st.html(markup.note(say(lang, "disagree_stopped"), "warning"))
        else:
            show_problem(lang, task.error)
        st.button(say(lang, "disagree_again"), key="disagree-again", on_click=at.tasks.forget, args=(name,))
        return
    _list(shelf, lang, task.result if isinstance(task.result, list) else [])


def _look(notebook: "Notebook", report: Report) -> object:
    return notebook.contradictions(lambda done, total: report("compare", done, total))


def _list(shelf: Shelf, lang: Lang, found: list[Contradiction]) -> None:
    if not found:
        st.html(f'<div class="mb-empty"><p>{say(lang, "no_disagree")}</p></div>')
        return
    st.html(
        f'<div class="mb-part"><h2>{say(lang, "disagree")} <span class="mb-count">{len(found)}</span></h2>'
        f"<p>{say(lang, 'disagree_hint')}</p></div>"
    )
    for number, one in enumerate(found[:SHOWN]):
        kind = say(lang, f"differ_{one.difference.value}")
        st.html(
            f'<p class="mb-heading mb-within">{markup.name(one.subject)} <span class="mb-chip">{kind}</span></p>'
            f'<div class="mb-sides">{_side(lang, one.one)}{_side(lang, one.other)}</div>'
        )
        with st.container(horizontal=True, gap="xsmall"):
            for side, said in (("one", one.one), ("other", one.other)):
                _open_button(shelf, lang, said, f"disagree-{number}-{side}")


def _side(lang: Lang, said: Said) -> str:
    place = f"{markup.name(said.file)} · {markup.text(lines(lang, said.line_start, said.line_end))}"
    return (
        f'<figure class="mb-side"><figcaption><b>{markup.name(said.entry)}</b> '
        f'<span class="mb-place">{place}</span></figcaption><blockquote>{_marked(said)}</blockquote></figure>'
    )


def _marked(said: Said) -> str:
    """The sentence with what contradicts the other one marked."""
    pieces, position = [], 0
    for start, end in said.marks:
        pieces += [
            markup.text(said.text[position:start]),
            f'<mark class="mb-only">{markup.text(said.text[start:end])}</mark>',
        ]
        position = end
    return "".join([*pieces, markup.text(said.text[position:])])


def _open_button(shelf: Shelf, lang: Lang, said: Said, key: str) -> None:
    number = shelf.holding(said.file, said.start)
    if number is not None:
        where = say(lang, "disagree_open", place=f"{said.file} · {lines(lang, said.line_start, said.line_end)}")
        st.button(markup.label(where), key=key, type="tertiary", on_click=open_entry, args=(shelf.key(number),))
