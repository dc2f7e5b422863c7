"""A chat as a Markdown file with its sources."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from rag.types import Answer, Mode, Sentence, State, Support
from ui.conversations import Conversation, Status, Turn
from ui.markdown import Piece, ended, join, line, pieces, plain, quote, table
from ui.rich_text import is_row
from ui.words import Lang, lines, mode_name, say

_UNSAFE_IN_NAMES = re.compile(r"[^\w\-]+")
_NAME_CHARS = 40


def to_markdown(lang: Lang, chat: Conversation, turns: Sequence[Turn]) -> str:
    """The whole chat: questions as headings, answers with ``[n]`` markers, quotes with file and lines."""
    blocks = [f"# {plain(chat.title)}", *(block for turn in turns for block in _turn(lang, turn))]
    return "\n\n".join(blocks) + "\n"


def file_name(chat: Conversation) -> str:
    """A file name that every system takes."""
    return (_UNSAFE_IN_NAMES.sub("-", chat.title).strip("-")[:_NAME_CHARS] or "mingbai") + ".md"


def _turn(lang: Lang, turn: Turn) -> Iterator[str]:
    asked, *more = turn.question.strip().split("\n", 1)
    yield f"## {line(asked)}"
    yield from (join(list(pieces(rest))) for rest in more)
    yield f"*{turn.mode.value.upper()} · {mode_name(lang, turn.mode)} · {turn.asked[:16].replace('T', ' ')} UTC*"
    if turn.status is Status.STOPPED:
        yield f"*{say(lang, 'stopped')}*"
    if turn.error:
        yield f"> {plain(turn.error)}"
    if turn.answer is not None:
        yield from _answer(lang, turn.answer)


def _answer(lang: Lang, answer: Answer) -> Iterator[str]:
    if answer.state is State.REFUSED:
        yield say(lang, "refused")
        if answer.nearest:
            yield f"{say(lang, 'nearest')}: {plain(' · '.join(answer.nearest))}"
        return
    if answer.mode is Mode.ROG:
        yield f"*{say(lang, 'own_all')}*"
    yield _sentences(lang, answer.mode, answer.sentences)
    yield from (f"*{plain(notice)}*" for notice in answer.notices)
    cited = sorted({c for s in answer.sentences for c in s.citations}, key=lambda c: (c.marker, c.start))
    for c in cited:
        place = f"{c.file} · {lines(lang, c.line_start, c.line_end)}"
        yield f"\\[{c.marker}\\] **{plain(c.entry)}** · {plain(place)}\n{quote(c.quote)}"


def _sentences(lang: Lang, mode: Mode, sentences: Sequence[Sentence]) -> str:
    """Sentences in order with their markers; rows of a table, which are sentences, together."""
    parts: list[Piece] = []
    for in_table, group in groupby(sentences, key=lambda sentence: is_row(sentence.text)):
        some = list(group)
        if in_table and len(some) > 1:
            parts.append(Piece("block", table([(one.text, _ending(lang, mode, one)) for one in some])))
        else:
            parts += (part for one in some for part in _parts(one, _ending(lang, mode, one)))
    return join(parts)


def _parts(sentence: Sentence, ending: str) -> list[Piece]:
    if sentence.support is Support.QUOTED:
        return [Piece("block", quote(sentence.text, ending))]
    return ended(sentence.text, ending)


def _ending(lang: Lang, mode: Mode, sentence: Sentence) -> str:
    """The markers behind a sentence, and the tag of one that is the model's own."""
    markers = "".join(f"\\[{marker}\\]" for marker in sorted({c.marker for c in sentence.citations}))
    return markers + (f"〔{say(lang, 'own')}〕" if mode is not Mode.ROG and not sentence.is_backed else "")
