"""Read source files into documents, and documents into outlines. One module per flavour."""

import hashlib
import os
from pathlib import Path

from ingest.decode import decode
from ingest.discover import Failure, SourceFile
from ingest.outline import Outline, split_lines
from ingest.readers import docx, glossary, html, jekyll, jsonl, logseq, markdown, pdf
from rag.errors import SourceError
from rag.types import Document

# Larger than any book; what is larger is data.
MAX_BYTES = 64 * 1024 * 1024
# A line of prose is a paragraph. Longer ones are dumps that no reader can cite.
MAX_LINE = 1_000_000
_MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})


def read(source: SourceFile) -> tuple[list[Document], list[Failure]]:
    """Read one file: its documents, and the rows of it that cannot be read.

    A file is one document; a ``.jsonl`` file has one per row, called ``name.jsonl#doc_id``. The text of HTML,
    PDF and DOCX is what was extracted; offsets count in it.

    Raises:
        SourceError: the whole file cannot be read: missing, empty, too large, not text, changed meanwhile.
    """
    data = _bytes(source.path)
    suffix = source.path.suffix.lower()
    if suffix == ".pdf":
        return [_document(source.file, pdf.extract(data), data, flavour="pdf")], []
    if suffix == ".docx":
        return [_document(source.file, docx.extract(data), data, flavour="docx")], []
    text, encoding = decode(data)
    if suffix == ".jsonl":
        return _rows(source.file, text, encoding)
    if suffix in (".html", ".htm"):
        return [_document(source.file, html.extract(text), data, flavour="html", encoding=encoding)], []
    flavour = detect(text, is_markdown=suffix in _MARKDOWN_SUFFIXES)
    return [_document(source.file, text, data, flavour=flavour, encoding=encoding)], []


def outline(document: Document) -> Outline:
    """The entries and blocks of a document, by its flavour."""
    if document.flavour == "pdf":
        return pdf.outline(document)
    if document.flavour == "jekyll":
        return jekyll.outline(document)
    if document.flavour == "logseq":
        return logseq.outline(document)
    if document.flavour == "glossary":
        return glossary.outline(document)
    return markdown.outline(document, indented_code=document.flavour != "text")


def detect(text: str, *, is_markdown: bool = False) -> str:
    """The flavour of a text by its content: jekyll, logseq, glossary, markdown or text."""
    if jekyll.body_start(text):
        return "jekyll"
    lines = split_lines(text)
    if logseq.is_logseq(lines):
        return "logseq"
    if glossary.is_glossary(lines):
        return "glossary"
    if is_markdown or any(markdown.heading_of(line) is not None for line in lines):
        return "markdown"
    return "text"


def _bytes(path: Path) -> bytes:
    """All bytes of a file that nobody writes meanwhile."""
    try:
        before = path.stat()
        if before.st_size > MAX_BYTES:
            raise SourceError(f"It has {before.st_size} bytes; at most {MAX_BYTES} are read. Split it.")
        data = path.read_bytes()
        after = path.stat()
    except OSError as error:
        raise SourceError(
            f"It cannot be opened: {error.strerror or error}. Check that it is there and readable."
        ) from error
    if not data:
        raise SourceError("It is empty (0 bytes). Write something or remove it.")
    if _stamp(before) != _stamp(after) or len(data) != after.st_size:
        raise SourceError("It changed while it was read. Ingest again when it is no longer being written.")
    return data


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _document(file: str, text: str, data: bytes, *, flavour: str, encoding: str = "utf-8") -> Document:
    _check(text)
    return Document(file, text, hashlib.sha256(data).hexdigest(), flavour, encoding)


def _check(text: str) -> None:
    if not text.strip():
        raise SourceError("It is empty: it holds no text. Write something or remove it.")
    start = 0
    while len(text) - start > MAX_LINE:
        end = max(text.rfind(mark, start, start + MAX_LINE + 1) for mark in "\n\r\f")
        if end < start:
            line = text.count("\n", 0, start) + 1
            raise SourceError(f"Line {line} has more than {MAX_LINE} characters: this is no note. Break it into lines.")
        start = end + 1


def _rows(file: str, text: str, encoding: str) -> tuple[list[Document], list[Failure]]:
    documents: list[Document] = []
    failures: list[Failure] = []
    for row in jsonl.rows(text):
        if not isinstance(row, jsonl.Row):
            failures.append(Failure(file, f"Line {row[0]}: {row[1]}"))
            continue
        name = f"{file}#{row.doc_id}"
        try:
            data = row.text.encode()
            documents.append(_document(name, row.text, data, flavour=detect(row.text), encoding=encoding))
        except SourceError as error:
            failures.append(Failure(name, f"Line {row.line}: {error}"))
    if not documents and not failures:
        raise SourceError("It is empty: it holds no rows.")
    return documents, failures
