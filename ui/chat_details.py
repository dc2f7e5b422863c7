"""The drawer under an answer: what was read, how it was found, what was left out and sent, how long it took."""

import json
from collections.abc import Iterable, Mapping

from rag.prompting import sent
from rag.types import Answer, Passage, Span
from ui.markup import name, text
from ui.words import Lang, leg_name, lines, say

_TOKEN_KINDS = ("prompt", "completion", "reused")
_HASH_CHARS = 12


def details(lang: Lang, result: Answer) -> str:
    """The drawer, closed."""
    return (
        f'<details class="mb-details"><summary>{text(summary(lang, result))}</summary>{inside(lang, result)}</details>'
    )


def summary(lang: Lang, result: Answer) -> str:
    """Its one line, not escaped: how long the answer took, and which model wrote it."""
    total = result.timings.get("total")
    return " · ".join([say(lang, "details"), *([_seconds(lang, total)] if total is not None else []), result.model])


def inside(lang: Lang, result: Answer) -> str:
    """What it shows when it is open."""
    return (
        f"{_passages(lang, result)}{_left_out(lang, result.trace)}{_prompt(lang, result)}"
        f"{_numbers(lang, result)}{_trace(lang, result.trace)}"
    )


def _passages(lang: Lang, result: Answer) -> str:
    if not result.passages:
        return ""
    cited = {c.chunk_id for s in result.sentences for c in s.citations}
    rows = "".join(_row(lang, passage, is_cited=passage.chunk_id in cited) for passage in result.passages)
    heads = "".join(f"<th>{say(lang, key)}</th>" for key in ("rank", "entry", "place", "found_by", "score"))
    return (
        f"<h5>{say(lang, 'passages')}</h5>"
        f'<div class="mb-scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _left_out(lang: Lang, trace: Iterable[Span]) -> str:
    """The passages that were found but did not fit into the prompt, and why."""
    notes = next((span.notes for span in trace if span.name == "pack"), {})
    dropped = notes.get("dropped")
    if not isinstance(dropped, list | tuple) or not dropped:
        return ""
    why = say(lang, "left_out_why", budget=notes.get("budget", ""))
    rows = "".join(_left_out_row(lang, one) for one in dropped if isinstance(one, Mapping))
    return f'<h5>{say(lang, "left_out")}</h5><p class="mb-line">{text(why)}</p><ul class="mb-list">{rows}</ul>'


def _left_out_row(lang: Lang, one: Mapping[str, object]) -> str:
    start, end = (int(str(one.get(key, 0))) for key in ("line_start", "line_end"))
    place = f"{name(str(one.get('file', '')))} · {text(lines(lang, start, end))}"
    need = say(lang, "left_out_need", tokens=one.get("tokens", ""), left=one.get("left", ""))
    return f"<li>#{text(one.get('rank', ''))} <b>{name(str(one.get('entry', '')))}</b> {place} · {text(need)}</li>"


def _prompt(lang: Lang, result: Answer) -> str:
    """What the model was sent, word for word, a message at a time."""
    messages = sent(result)
    if messages is None:
        return f'<h5>{say(lang, "sent")}</h5><p class="mb-line">{say(lang, "sent_changed")}</p>'
    parts = "".join(
        f'<p class="mb-line">{text(message.role.value)}</p><div class="mb-passage">{text(message.text)}</div>'
        for message in messages
    )
    return f"<details><summary>{say(lang, 'sent')}</summary>{parts}</details>" if parts else ""


def _row(lang: Lang, passage: Passage, *, is_cited: bool) -> str:
    found = " · ".join(f"{leg_name(lang, leg)} #{rank}" for leg, rank in passage.found_by.items())
    place = f"{name(passage.file)}<br>{text(lines(lang, passage.line_start, passage.line_end))}"
    read = f'<div class="mb-passage">{text(passage.text)}</div>'
    cells = [
        text(passage.rank),
        f"<details><summary>{name(passage.entry)}</summary>{read}</details>",
        place,
        text(found),
        f"{passage.score:.3f}",
    ]
    return f'<tr class="{"mb-used" if is_cited else ""}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _numbers(lang: Lang, result: Answer) -> str:
    known = {"search", "judge", "write", "check", "first_token", "decode", "total"}
    times = ((_stage(lang, key) if key in known else key, _seconds(lang, s)) for key, s in result.timings.items())
    tokens = ((say(lang, kind), str(result.tokens[kind])) for kind in _TOKEN_KINDS if kind in result.tokens)
    rest = (
        (say(lang, "model"), result.model),
        (say(lang, "prompt_hash"), result.prompt_hash[:_HASH_CHARS]),
        (say(lang, "seed"), str(result.seed)),
    )
    return f"<h5>{say(lang, 'timings')}</h5>{_pairs(times)}<h5>{say(lang, 'tokens')}</h5>{_pairs((*tokens, *rest))}"


def _stage(lang: Lang, key: str) -> str:
    # "judge" says how many passages it reads while it runs; here it stands alone.
    return say(lang, "judged" if key == "judge" else key)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return (
        '<dl class="mb-pairs">'
        + "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in pairs)
        + "</dl>"
    )


def _trace(lang: Lang, spans: Iterable[Span]) -> str:
    rows = "".join(
        f"<li><b>{text(s.name)}</b> {text(_seconds(lang, s.seconds))} <code>{text(_plain(s.notes))}</code></li>"
        for s in spans
    )
    return f'<h5>{say(lang, "trace")}</h5><ol class="mb-trace">{rows}</ol>' if rows else ""


def _plain(notes: Mapping[str, object]) -> str:
    return json.dumps(dict(notes), ensure_ascii=False, default=str) if notes else ""


def _seconds(lang: Lang, seconds: float) -> str:
    return say(lang, "seconds", seconds=f"{seconds:.2f}")
