"""A prompt with its findings marked in place, and a diff, as HTML. All of it is text of people: escaped here."""

from collections.abc import Sequence
from itertools import pairwise

from agents.prompts import Finding, Patch
from ui import markup
from ui.words import Lang, finding_name, say, why

_CONTEXT_CHARS = 24


def highlighted(prompt: str, findings: Sequence[Finding]) -> str:
    """The prompt with every span of a finding marked and numbered; spans may overlap."""
    marked = [(number, finding) for number, finding in enumerate(findings, 1) if finding.example_index is None]
    edges = sorted({0, len(prompt), *(edge for _, f in marked for span in f.spans for edge in span)})
    pieces = []
    for start, end in pairwise(edges):
        inside = [(number, f) for number, f in marked if any(a <= start and end <= b for a, b in f.spans)]
        ends = [number for number, f in inside if any(b == end for _, b in f.spans)]
        links = "".join(f'<a class="mb-marker" href="#finding-{number}">{number}</a>' for number in ends)
        piece = markup.text(prompt[start:end])
        if inside:
            # A mark holds no line end: the colour would run on over the empty rest of the line.
            body = piece.rstrip("\n")
            piece = f'<mark class="mb-find mb-find-{inside[0][1].type}">{body}</mark>{links}{piece[len(body) :]}'
        pieces.append(piece)
    return f'<div class="mb-prompt">{"".join(pieces)}</div>'


def finding_list(lang: Lang, findings: Sequence[Finding]) -> str:
    """The findings in order: kind, what is wrong, and the quotes."""
    return f'<ol class="mb-found">{"".join(_finding(lang, n, f) for n, f in enumerate(findings, 1))}</ol>'


def change(lang: Lang, prompt: str, patch: Patch, turns: Sequence[str]) -> str:
    """One patch: what goes and what comes, with a little of what stands around it, and why."""
    index = patch.example_index
    text = prompt if index is None else turns[index]
    before = text[max(patch.start - _CONTEXT_CHARS, 0) : patch.start]
    after = text[patch.end : patch.end + _CONTEXT_CHARS]
    place = "" if index is None else f'<span class="mb-chip">{say(lang, "patch_in_example", number=index + 1)}</span>'
    by = f'<span class="mb-chip">{say(lang, "patch_by_model")}</span>' if patch.source == "model" else ""
    gone = f'<del aria-label="{say(lang, "patch_remove")}">{markup.text(patch.before)}</del>' if patch.before else ""
    come = f'<ins aria-label="{say(lang, "patch_add")}">{markup.text(patch.after)}</ins>' if patch.after else ""
    return (
        f'<div class="mb-patch"><p class="mb-line">{place}{by}{markup.text(why(lang, patch.reason))}</p>'
        f'<div class="mb-prompt"><span class="mb-soft">{markup.text(before)}</span>{gone}{come}'
        f'<span class="mb-soft">{markup.text(after)}</span></div></div>'
    )


def diff(unified: str) -> str:
    """A unified diff with coloured lines."""
    kinds = {"+": "mb-plus", "-": "mb-minus", "@": "mb-at"}
    lines = "".join(
        f'<span class="{kinds.get(line[:1], "")}">{markup.text(line)}\n</span>'
        for line in unified.rstrip("\n").split("\n")
    )
    return f'<pre class="mb-diff" tabindex="0">{lines}</pre>'


def _finding(lang: Lang, number: int, finding: Finding) -> str:
    index = finding.example_index
    place = "" if index is None else f" · {say(lang, 'patch_in_example', number=index + 1)}"
    quotes = "".join(f"<q>{markup.text(quote)}</q>" for quote in finding.quotes)
    return (
        f'<li id="finding-{number}"><span class="mb-chip mb-find-{finding.type}">'
        f"{markup.text(finding_name(lang, finding.type, finding.code))}{place}</span>"
        f"<span>{markup.text(why(lang, finding.detail))}</span>{quotes}</li>"
    )
