"""PDF pages to text. The only module that imports pypdf."""

import io
import logging

from ingest.outline import Block, Outline, split_lines, stem
from ingest.readers.markdown import scan
from rag.errors import SourceError
from rag.types import Document, Entry

PAGE_BREAK = "\f"


def extract(data: bytes) -> str:
    """The text of all pages, a form feed between two of them.

    Raises:
        SourceError: damaged, protected with a password, or without a text layer.
    """
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    # It reports every small defect of a file as a warning; what matters comes as an exception.
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise SourceError("The PDF is protected with a password. Save a copy without one.")
        pages = [(page.extract_text() or "").replace(PAGE_BREAK, "\n").replace("\0", "") for page in reader.pages]
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError) as error:
        raise SourceError(f"The PDF is damaged: {error}. Export it again.") from error
    text = PAGE_BREAK.join(page.encode("utf-8", "replace").decode("utf-8") for page in pages)
    if not text.strip():
        raise SourceError("The PDF holds no text, only pictures of it. Run text recognition (OCR) over it first.")
    return text


def outline(document: Document) -> Outline:
    """One entry for the file; the page number is the last name of each path, and no chunk crosses a page."""
    title = stem(document)
    text = document.text
    blocks: list[Block] = []
    start = 0
    for page, content in enumerate(text.split(PAGE_BREAK), start=1):
        lines = split_lines(text, start, start + len(content))
        path = (title, f"p. {page}")
        parts = scan(lines, headings=False, indented_code=False)
        blocks.extend(Block(part.start, part.end, part.kind, 0, path, page) for part in parts)
        start += len(content) + len(PAGE_BREAK)
    return Outline((Entry(document.file, title, (), (title,), 0, 0, len(text), not blocks),), tuple(blocks))
