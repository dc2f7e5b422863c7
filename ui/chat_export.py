"""A chat as a Markdown file with its sources."""

import re
from collections.abc import Iterator, Sequence

from rag.types import Answer, Mode, Sentence, State, Support
from ui.conversations import Conversation, Status, Turn
from ui.words import Lang, lines, mode_name, say

# Pictures, links and raw HTML of notes or models must not become alive in the reader's viewer.
_ALIVE = re.compile(r"([<\[\]!])")
_UNSAFE_IN_NAMES = re.compile(r"[^\w\-]+")
_NAME_CHARS = 40


def to_markdown(lang: Lang, chat: Conversation, turns: Sequence[Turn]) -> str:
    """The whole chat: questions as headings, answers with ``[n]`` markers, quotes with file and lines."""
    blocks = [f"# {_dead(chat.title)}", *(block for turn in turns for block in _turn(lang, turn))]
    return "\n\n".join(blocks) + "\n"


def file_name(chat: Conversation) -> str:
    """A file name that every system takes."""
    return (_UNSAFE_IN_NAMES.sub("-", chat.title).strip("-")[:_NAME_CHARS] or "mingbai") + ".md"


def _turn(lang: Lang, turn: Turn) -> Iterator[str]:
    yield f"## {_dead(turn.question)}"
    yield f"*{turn.mode.value.upper()} · {mode_name(lang, turn.mode)} · {turn.asked[:16].replace('T', ' ')} UTC*"
    if turn.status is Status.STOPPED:
        yield f"*{say(lang, 'stopped')}*"
    if turn.error:
        yield f"> {_dead(turn.error)}"
    if turn.answer is not None:
        yield from _answer(lang, turn.answer)


def _answer(lang: Lang, answer: Answer) -> Iterator[str]:
    if answer.state is State.REFUSED:
        yield say(lang, "refused")
        if answer.nearest:
            yield f"{say(lang, 'nearest')}: {_dead(' · '.join(answer.nearest))}"
        return
    if answer.mode is Mode.ROG:
        yield f"*{say(lang, 'own_all')}*"
    yield "".join(_sentence(lang, answer.mode, sentence) for sentence in answer.sentences).strip()
    yield from (f"*{_dead(notice)}*" for notice in answer.notices)
    cited = sorted({c for s in answer.sentences for c in s.citations}, key=lambda c: (c.marker, c.start))
    for c in cited:
        place = f"{c.file} · {lines(lang, c.line_start, c.line_end)}"
        yield f"\\[{c.marker}\\] **{_dead(c.entry)}** · {_dead(place)}\n> {_dead(c.quote)}"


def _sentence(lang: Lang, mode: Mode, sentence: Sentence) -> str:
    markers = "".join(f"\\[{marker}\\]" for marker in sorted({c.marker for c in sentence.citations}))
    own = f"〔{say(lang, 'own')}〕" if mode is not Mode.ROG and not sentence.is_backed else ""
    if sentence.support is Support.QUOTED:
        return f"\n\n> {_dead(sentence.text)}{markers}"
    joint = " " if sentence.text[-1:].isascii() else ""
    return f"{_dead(sentence.text)}{markers}{own}{joint}"


def _dead(value: str) -> str:
    """One line of plain text."""
    return _ALIVE.sub(r"\\\1", " ".join(value.split()))
