"""Parts of a text that are one thing however many lines they have: fenced code and displayed formulas."""

import re
from dataclasses import dataclass
from typing import Literal

# Every search ends after so many characters: a text of nothing but openings must not take for ever.
_FORMULA_CHARS = 1500
_BLOCK = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})(?P<name>[^\n`]*)\n(?P<code>.*?)(?:^[ \t]*(?P=fence)[ \t]*$|\Z)"
    rf"|\$\$(?P<dollars>[^$]{{1,{_FORMULA_CHARS}}})\$\$"
    rf"|\\\[(?P<brackets>.{{1,{_FORMULA_CHARS}}}?)\\\]",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block at ``start`` to ``end`` of a text, and what is inside its fences, at ``inner_start`` to ``inner_end``."""

    kind: Literal["code", "formula"]
    start: int
    end: int
    inner_start: int
    inner_end: int

    def has_own_lines(self, text: str) -> bool:
        """Whether nothing else stands on its lines."""
        before, after = text[: self.start].rpartition("\n")[2], text[self.end :].partition("\n")[0]
        return not before.strip() and not after.strip()


def blocks(text: str) -> list[Block]:
    """The blocks of a text in order. Code without an end reaches to the end of the text; a formula needs its end."""
    found = []
    for match in _BLOCK.finditer(text):
        group = next(name for name in ("code", "dollars", "brackets") if match[name] is not None)
        found.append(Block("code" if group == "code" else "formula", *match.span(), *match.span(group)))
    return found
