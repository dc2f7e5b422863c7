"""The mind map of an entry as a tree of HTML: names, points and relations, from the notes alone, without a model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from ui import markup

if TYPE_CHECKING:
    from rag.notebook import Notebook

Branch = Mapping[str, object]


def branches(notebook: "Notebook", title: str) -> Sequence[Branch]:
    """The branches of an entry, each a label with its leaves; none where there is no entry of that name."""
    from agents.tools.mindmap import mind_map_tool

    value = mind_map_tool(notebook).call({"title": title}).value
    tree = cast("Mapping[str, object]", value)
    return cast("Sequence[Branch]", tree["branches"])


def as_html(title: str, found: Sequence[Branch]) -> str:
    """The tree: the entry, its branches, their leaves with their places."""
    items = "".join(_branch(branch) for branch in found)
    return f'<div class="mb-map"><b class="mb-map-root">{markup.name(title)}</b><ul>{items}</ul></div>'


def _branch(branch: Branch) -> str:
    leaves = cast("Sequence[Mapping[str, str]]", branch["leaves"])
    items = "".join(
        f"<li>{markup.name(leaf['text'])}"
        + (f' <span class="mb-place">{markup.text(leaf["source"])}</span>' if leaf["source"] else "")
        + "</li>"
        for leaf in leaves
    )
    return f"<li><b>{markup.text(branch['label'])}</b><ul>{items}</ul></li>"
