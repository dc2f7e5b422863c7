"""Questions, answers and sources as HTML. Notes, models and file names are not trusted: every text is escaped here.

No link leads outside, no picture and no Markdown of a note is rendered; colours come from ``chat.css``.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from rag.types import Answer, Citation, Mode, Passage, Sentence, SourceSpan, State, Support
from ui.chat_job import LOAD, Progress, Step
from ui.markup import name, note, text
from ui.rich_text import Extent, Rich, is_row, is_rule, starts_line, table
from ui.words import Lang, lines, mode_line, mode_name, say, stage

# A sentence and the spans to mark in it.
_Pair = tuple[Sentence, Sequence[Extent]]
_TOOLTIP_CHARS = 160
_QUOTE_CHARS = 90


def question(lang: Lang, asked: str, anchor: str) -> str:
    """A question as its own bubble. ``anchor`` is unique on the page."""
    attributes = f'id="{anchor}" role="article" aria-label="{say(lang, "your_question")}"'
    return f'<div class="mb-question" {attributes}>{text(asked)}</div>'


def mode_badge(lang: Lang, mode: Mode) -> str:
    """Which mode a message was made in; the line about it on hover."""
    return (
        f'<span class="mb-mode mb-{mode.value}" title="{text(mode_line(lang, mode))}">'
        f"<b>{mode.value.upper()}</b> {text(mode_name(lang, mode))}</span>"
    )


def answer(
    lang: Lang,
    result: Answer,
    anchor: str,
    marks: Sequence[Sequence[Extent]] = (),
    links: Mapping[int, str] = MappingProxyType({}),
) -> str:
    """A finished answer with its sources.

    ``anchor`` is unique on the page. ``marks`` are spans to mark in each sentence, in order and apart; ``links`` are
    the addresses at which sources can be read, by marker.
    """
    parts = []
    if result.state is State.CONFLICT:
        parts.append(note(say(lang, "conflict"), "warning"))
    if result.state is State.REFUSED:
        parts.append(f'<p class="mb-refusal">{text(say(lang, "refused"))}</p>')
    elif result.sentences:
        if result.mode is Mode.ROG:
            parts.append(note(say(lang, "own_all"), "own"))
        shown = sentences(lang, result.mode, result.sentences, anchor, marks)
        parts.append(f'<div class="mb-answer">{shown}</div>')
    parts.extend(note(notice, "info") for notice in result.notices)
    parts.append(sources(lang, result, anchor, links))
    return "".join(parts)


def sentences(
    lang: Lang, mode: Mode, shown: Sequence[Sentence], anchor: str, marks: Sequence[Sequence[Extent]] = ()
) -> str:
    """Sentences in order; those of the model's own knowledge are marked, cited ones end in links to their spans."""
    pairs = list(zip(shown, marks or [()] * len(shown), strict=True))
    pieces = []
    for in_table, group in groupby(pairs, key=lambda pair: is_row(pair[0].text)):
        some = list(group)
        drawn = _rows if in_table and len(some) > 1 else _sentences
        pieces.append(drawn(lang, mode, some, anchor))
    return "".join(pieces)


def _sentences(lang: Lang, mode: Mode, some: Sequence[_Pair], anchor: str) -> str:
    return "".join(_sentence(lang, mode, one, anchor, marks) for one, marks in some)


def _rows(lang: Lang, mode: Mode, some: Sequence[_Pair], anchor: str) -> str:
    """Sentences that are rows of a table, each with its markers in its last cell."""
    has_head = len(some) > 1 and is_rule(some[1][0].text)
    rows = [_row(lang, mode, one, anchor, marks) for one, marks in some if not is_rule(one.text)]
    return table(rows[0] if has_head else (), rows[1:] if has_head else rows)


def _row(lang: Lang, mode: Mode, sentence: Sentence, anchor: str, marks: Sequence[Extent]) -> list[str]:
    css = "mb-sentence mb-own" if _is_own(mode, sentence) else "mb-sentence"
    inside = Rich(sentence.text, marks).cells(0, len(sentence.text)) or [Rich(sentence.text, marks).html()]
    cells = [f'<span class="{css}">{cell}</span>' for cell in inside]
    return [*cells[:-1], cells[-1] + _ending(lang, mode, sentence, anchor)]


def draft(written: str) -> str:
    """Text that was not checked yet."""
    return f'<span class="mb-draft">{text(written)}</span>' if written else ""


def progress(lang: Lang, now: Progress) -> str:
    """The stages so far with their seconds; the running one pulses."""
    shown = [step for step in now.steps if step.name != LOAD or not step.is_done]
    steps = "".join(_step(lang, step, now) for step in shown)
    current = say(lang, "stopping") if now.is_stopping else _step_name(lang, shown[-1], now)
    return (
        f'<div class="mb-steps" aria-hidden="true">{steps}</div><div class="mb-sr" role="status">{text(current)}</div>'
    )


def sources(lang: Lang, result: Answer, anchor: str, links: Mapping[int, str] = MappingProxyType({})) -> str:
    """The cited passages, each folded, with every quoted span marked at its place."""
    citations = sorted({c for s in result.sentences for c in s.citations}, key=lambda c: (c.marker, c.start))
    passages = {p.chunk_id: p for p in result.passages}
    # Notes that disagree stand side by side, open: the reader has to see both.
    sides = result.state is State.CONFLICT
    items = "".join(
        _source(lang, list(group), passages, anchor, link=links.get(marker, ""), is_open=sides)
        for marker, group in groupby(citations, key=lambda c: c.marker)
    )
    if not items:
        return ""
    return f'<section class="mb-sources{" mb-sides" if sides else ""}"><h4>{say(lang, "sources")}</h4>{items}</section>'


def passage_text(passage: Passage, citations: Sequence[Citation], anchor: str) -> str:
    """The text of a passage with the quoted spans marked, each with the id that its link names."""
    pieces = []
    position = 0
    for citation in sorted(citations, key=lambda c: (c.start, c.end)):
        start, end = max(citation.start - passage.start, position), citation.end - passage.start
        target = f'id="{_target(anchor, citation)}"'
        pieces.append(text(passage.text[position:start]))
        # An overlapped span still needs its target, even where nothing of it is left to mark.
        pieces.append(f"<mark {target}>{text(passage.text[start:end])}</mark>" if end > start else f"<a {target}></a>")
        position = max(position, end)
    pieces.append(text(passage.text[position:]))
    return "".join(pieces)


def _sentence(lang: Lang, mode: Mode, sentence: Sentence, anchor: str, marks: Sequence[Extent] = ()) -> str:
    own = _is_own(mode, sentence)
    quoted = sentence.support is Support.QUOTED
    named = {"mb-sentence": True, "mb-own": own, "mb-item": starts_line(sentence.text), "mb-quote": quoted}
    classes = " ".join(name for name, applies in named.items() if applies)
    # Chinese sentences stand side by side, others are parted by a blank.
    joint = " " if sentence.text[-1:].isascii() else ""
    shown = Rich(sentence.text, marks).html()
    return f'<span class="{classes}">{shown}{_ending(lang, mode, sentence, anchor)}</span>{joint}'


def _is_own(mode: Mode, sentence: Sentence) -> bool:
    return mode is not Mode.ROG and not sentence.is_backed


def _ending(lang: Lang, mode: Mode, sentence: Sentence, anchor: str) -> str:
    """The markers behind a sentence, and the tag of one that is the model's own."""
    key = "unsupported" if sentence.support is Support.UNSUPPORTED else "own"
    tag = f'<small class="mb-tag" title="{text(say(lang, "own_hint"))}">{text(say(lang, key))}</small>'
    markers = "".join(_marker(lang, citation, anchor) for citation in _one_per_marker(sentence.citations))
    return markers + (tag if _is_own(mode, sentence) else "")


def _one_per_marker(citations: Sequence[Citation]) -> Iterator[Citation]:
    first = {c.marker: c for c in reversed(citations)}
    yield from (first[marker] for marker in sorted(first))


def _marker(lang: Lang, citation: Citation, anchor: str) -> str:
    quote = " ".join(citation.quote.split())[:_TOOLTIP_CHARS]
    hint = f"{citation.entry} · {citation.file} · {_lines(lang, citation)}\n“{quote}”"
    return f'<a class="mb-marker" href="#{_target(anchor, citation)}" title="{text(hint)}">[{int(citation.marker)}]</a>'


def _source(
    lang: Lang,
    citations: Sequence[Citation],
    passages: dict[str, Passage],
    anchor: str,
    *,
    link: str = "",
    is_open: bool = False,
) -> str:
    first = citations[0]
    passage = passages.get(first.chunk_id)
    if passage is not None and all(_fits(passage, c) for c in citations):
        body = passage_text(passage, citations, anchor)
    else:
        body = "\n".join(f'<mark id="{_target(anchor, c)}">{text(c.quote)}</mark>' for c in citations)
    quote = " … ".join(" ".join(c.quote.split()) for c in citations)
    quote = quote if len(quote) <= _QUOTE_CHARS else quote[:_QUOTE_CHARS] + "…"
    place = f"{name(first.file)} · {text(_lines(lang, first))}"
    return (
        f'<details class="mb-source"{" open" if is_open else ""}><summary>'
        f'<span class="mb-number">{int(first.marker)}</span>'
        f'<span class="mb-where"><b>{name(first.entry)}</b> <span class="mb-place">{place}</span>'
        f'<span class="mb-quote">“{text(quote)}”</span></span></summary>'
        f'{_path(passage)}<div class="mb-passage">{body}</div>{_also_at(lang, passage)}{_link(lang, link)}</details>'
    )


def _link(lang: Lang, address: str) -> str:
    """The way to the span in its entry, and a button that copies its address (``style/page.js``)."""
    if not address:
        return ""
    return (
        f'<div class="mb-links"><a class="mb-open" href="{text(address)}">{say(lang, "open_entry")}</a>'
        f'<button class="mb-copy" type="button" aria-live="polite" data-done="{say(lang, "link_copied")}">'
        f"{say(lang, 'copy_link')}</button></div>"
    )


def _fits(passage: Passage, citation: Citation) -> bool:
    return passage.text[citation.start - passage.start : citation.end - passage.start] == citation.quote


def _path(passage: Passage | None) -> str:
    if passage is None or len(passage.path) < 2:
        return ""
    return f'<div class="mb-path">{" › ".join(name(part) for part in passage.path)}</div>'


def _also_at(lang: Lang, passage: Passage | None) -> str:
    if passage is None or not passage.also_at:
        return ""
    places = "；".join(f"{name(span.file)} {text(_lines(lang, span))}" for span in passage.also_at)
    return f'<div class="mb-also">{say(lang, "also_at")} {places}</div>'


def _lines(lang: Lang, span: Citation | SourceSpan) -> str:
    return lines(lang, span.line_start, span.line_end)


def _target(anchor: str, citation: Citation) -> str:
    return f"{anchor}-{int(citation.marker)}-{int(citation.start)}"


def _step(lang: Lang, step: Step, now: Progress) -> str:
    seconds = say(lang, "seconds", seconds=f"{step.seconds:.1f}")
    state = "done" if step.is_done else "running"
    return f'<span class="mb-step mb-step-{state}">{text(_step_name(lang, step, now))} <i>{seconds}</i></span>'


def _step_name(lang: Lang, step: Step, now: Progress) -> str:
    if step.is_done or step.name == LOAD:
        return stage(lang, step.name, passages=step.notes.get("passages", ""))
    if now.ahead and not now.written:
        return say(lang, "queue", count=now.ahead)
    wording = stage(lang, step.name, passages=step.notes.get("passages", ""))
    return f"{wording} · {say(lang, 'written', count=now.written)}" if now.written else wording
