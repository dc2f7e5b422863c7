"""The reader on the notes of the first user, where they are."""

import json
import time
from pathlib import Path

import pytest

from ingest.chunk import chunk
from ingest.discover import discover
from ingest.outline import Outline
from ingest.readers import outline, read
from rag.settings import ChunkSettings
from rag.types import Chunk, Document

SHARED = Path(__file__).parents[2].parent / "shared"
Read = dict[str, tuple[Document, Outline, tuple[Chunk, ...]]]


def _read_all() -> Read:
    sources, failures = discover([SHARED / "notes"])
    assert failures == []
    documents = [document for source in sources for document in read(source)[0]]
    outlines = [outline(document) for document in documents]
    return {d.file: (d, o, chunk(d, o, ChunkSettings())) for d, o in zip(documents, outlines, strict=True)}


@pytest.fixture(scope="module")
def notes() -> Read:
    if not (SHARED / "notes").is_dir():
        pytest.skip("the user's real notes are not on this machine")
    return _read_all()


def find(notes: Read, number: str) -> tuple[Document, Outline, tuple[Chunk, ...]]:
    return next(value for file, value in notes.items() if file.startswith(number))


def test_all_five_files_are_read_in_their_flavours(notes):
    flavours = {file[:3]: document.flavour for file, (document, _, _) in notes.items()}
    assert flavours == {"000": "markdown", "001": "glossary", "002": "logseq", "003": "jekyll", "004": "markdown"}


def test_the_glossary_has_its_entries(notes):
    _, result, found = find(notes, "001")
    assert 380 <= len(result.entries) <= 400
    assert sum(entry.is_empty for entry in result.entries) == 7
    roots = [entry for entry in result.entries if len(entry.path) == 1]
    assert len(roots) >= len(result.entries) - 2
    for entry in result.entries:
        assert any(c.start == entry.start for c in found) is not entry.is_empty


def test_a_bullet_of_one_word_has_its_parents(notes):
    document, _, found = find(notes, "002")
    at = document.text.index("\t\t- 前馈\n") + 4
    holder = next(c for c in found if c.start <= at < c.end)
    assert holder.path[0] == "前馈神经网络"
    assert "- 常见" in holder.text


def test_fences_with_headings_in_them_make_no_entries(notes):
    _, result, _ = find(notes, "003")
    assert len([entry for entry in result.entries if len(entry.path) == 2]) == 6


def test_generic_headings_are_facets_and_every_chunk_names_its_topic(notes):
    _, result, found = find(notes, "004")
    assert not {"特点", "知识点", "疑问"} & {entry.title for entry in result.entries}
    assert all(c.path[0] not in ("特点", "知识点", "疑问") for c in found)


def test_no_chunk_is_too_long_and_all_are_exact(notes):
    for document, _, found in notes.values():
        for c in found:
            assert document.text[c.start : c.end] == c.text
            assert len(c.text) <= ChunkSettings().max_chars
            assert document.text.count("\n", 0, c.start) + 1 == c.line_start


def test_every_evidence_quote_lies_inside_one_chunk(notes):
    lost = []
    for row in (SHARED / "gold" / "dev.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(row)
        for evidence in case["evidence"] if case["answerable"] else ():
            document, _, found = notes[evidence["file"]]
            assert evidence["quote"] in document.text
            if not any(evidence["quote"] in c.text for c in found):
                lost.append(case["id"])
    assert lost == []


def test_reading_and_chunking_take_less_than_half_a_second(notes):
    seconds = []
    for _ in range(3):
        before = time.perf_counter()
        _read_all()
        seconds.append(time.perf_counter() - before)
    assert min(seconds) < 0.5
