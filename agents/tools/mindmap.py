"""A mind map of one entry, built from the notes alone: its names, sentences, place in the outline, and relations."""

from collections.abc import Iterator
from typing import cast

from agents.tools.base import AnyTool, Output, Tool
from agents.tools.library import Library, Relation
from agents.tools.notes import RELATION_WORDS, Title
from rag.notebook import Notebook
from rag.text import detect_language, split_sentences
from rag.types import Entry

MAX_LEAVES = 8
LEAF_CHARS = 60
WORDS = {"zh": {"names": "又名", "points": "要点"}, "en": {"names": "Also called", "points": "Points"}}

Leaf = dict[str, str]


def mind_map_tool(notebook: Notebook) -> AnyTool:
    """The tool ``mind_map``: its value is ``{title, branches: [{label, leaves: [{text, source}]}]}``."""
    library = Library(notebook)

    def run(arguments: Title) -> Output:
        entry = library.find(arguments.title)
        if entry is None:
            nearest = library.nearest(arguments.title)
            return Output("there is no entry of that name", value={"title": "", "branches": [], "nearest": nearest})
        branches = [{"label": label, "leaves": leaves} for label, leaves in _branches(notebook, library, entry)]
        value = {"title": entry.title, "branches": branches, "nearest": []}
        return Output(f"{len(branches)} branches", value=value, passages=tuple(library.passages(entry)))

    return cast(AnyTool, Tool("mind_map", "Branches of a mind map of one entry of the notes.", Title, run))


def _branches(notebook: Notebook, library: Library, entry: Entry) -> Iterator[tuple[str, list[Leaf]]]:
    language = detect_language(library.text(entry) or entry.title)
    words = WORDS[language]
    if entry.aliases:
        yield words["names"], [{"text": name, "source": ""} for name in entry.aliases[:MAX_LEAVES]]
    related = library.related(entry, limit=40)
    below = {one.title for one in related if one.relation is Relation.BELOW}
    points = list(_points(notebook, entry, below))
    if points:
        yield words["points"], points[:MAX_LEAVES]
    for relation in Relation:
        leaves = [{"text": one.title, "source": ""} for one in related if one.relation is relation]
        if leaves:
            yield RELATION_WORDS[language][relation], leaves[:MAX_LEAVES]


def _points(notebook: Notebook, entry: Entry, below: set[str]) -> Iterator[Leaf]:
    """The first sentences of the entry, verbatim up to LEAF_CHARS, each with its file and line."""
    text = notebook.document_text(entry.file)
    body = text[entry.body_start : entry.end]
    for start, end in split_sentences(body):
        sentence = " ".join(body[start:end].split()).lstrip("-*#> ").strip()
        if len(sentence) > 1 and sentence not in below:
            line = text.count("\n", 0, entry.body_start + start) + 1
            short = sentence if len(sentence) <= LEAF_CHARS else sentence[: LEAF_CHARS - 1] + "…"
            yield {"text": short, "source": f"{entry.file}:{line}"}
