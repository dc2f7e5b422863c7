"""The drawer under an answer: what was read, how it was found, how long it took, what is needed to repeat it."""

import json
from collections.abc import Iterable, Mapping

from rag.types import Answer, Passage, Span
from ui.markup import name, text
from ui.words import Lang, leg_name, lines, say

_TOKEN_KINDS = ("prompt", "completion", "reused")
_HASH_CHARS = 12


def details(lang: Lang, result: Answer) -> str:
    """The drawer, closed."""
    total = result.timings.get("total")
    summary = [say(lang, "details"), *([_seconds(lang, total)] if total is not None else []), result.model]
    return (
        f'<details class="mb-details"><summary>{" · ".join(text(part) for part in summary)}</summary>'
        f"{_passages(lang, result)}{_numbers(lang, result)}{_trace(lang, result.trace)}</details>"
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
    known = {"search", "judge", "write", "check", "first_token", "total"}
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
