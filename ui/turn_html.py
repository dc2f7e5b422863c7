"""A question's answer as the page shows it: under way, finished, stopped or failed."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rag import errors
from rag.errors import MingbaiError
from rag.types import Mode, State
from ui import chat_html, markup
from ui.chat_job import Job
from ui.conversations import Status, Turn
from ui.rich_text import Extent
from ui.words import Lang, problem, say

# Often enough to read along, and cheap: one small message to the browser.
POLL_SECONDS = 0.25
# As rag.notebook, which is not imported before a notebook is opened.
MAX_QUESTION_CHARS = 4000


def answered(
    lang: Lang,
    turn: Turn,
    marks: Sequence[Sequence[Extent]] = (),
    links: Mapping[int, str] = MappingProxyType({}),
) -> str:
    """What became of a question that nobody works on any more; ``marks`` and ``links`` as in ``chat_html.answer``."""
    parts = [f'<div class="mb-head">{chat_html.mode_badge(lang, turn.mode)}</div>']
    if turn.answer is not None:
        parts.append(chat_html.answer(lang, turn.answer, f"c{turn.turn_id}", marks, links))
    if remark := _remark(turn):
        parts.append(markup.note(say(lang, remark), "warning"))
    if turn.status is Status.FAILED:
        kind, _, message = turn.error.partition(": ")
        parts.append(markup.problem(problem(lang, error_of(kind)), message or say(lang, "unexpected", kind=kind)))
    return f'<div role="article" aria-label="{say(lang, "the_answer")}">{"".join(parts)}</div>'


def under_way(lang: Lang, job: Job, ahead: int) -> str:
    """An answer that is being written, with ``ahead`` questions in front of it."""
    now, mode = job.progress(ahead), job.turn.mode
    own = markup.note(say(lang, "own_all"), "own") if mode is Mode.ROG and now.written else ""
    written = chat_html.sentences(lang, mode, now.sentences, f"c{job.turn.turn_id}") + chat_html.draft(now.draft)
    return (
        f'<div class="mb-head">{chat_html.mode_badge(lang, mode)}</div>{chat_html.progress(lang, now)}'
        f'{own}<div class="mb-answer">{written}</div>'
    )


def _remark(turn: Turn) -> str:
    """The word about a turn that did not end as it should, or that ended with nothing."""
    if turn.status is Status.RUNNING:
        return "interrupted"
    shown = turn.answer is not None and bool(turn.answer.sentences)
    if turn.status is Status.STOPPED:
        return "stopped" if shown else "empty_answer"
    empty = turn.answer is not None and turn.answer.state is not State.REFUSED and not shown
    return "nothing" if empty else ""


def error_of(kind: str) -> BaseException:
    """An error of the class that a stored description names, for its headline."""
    found = getattr(errors, kind, None)
    return found() if isinstance(found, type) and issubclass(found, MingbaiError) else MingbaiError()
