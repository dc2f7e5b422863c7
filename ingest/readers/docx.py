"""Word documents to Markdown-like text. The only module that imports python-docx."""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rag.errors import SourceError

if TYPE_CHECKING:
    from docx.document import Document as WordDocument

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
# A zip may grow a thousandfold; no written document does.
_MAX_UNPACKED = 256 * 1024 * 1024


def extract(data: bytes) -> str:
    """The text of a document: headings as ``#``, list items as ``-``, table rows as ``| a | b |``.

    Raises:
        SourceError: not a Word document, damaged, too large unpacked, or empty.
    """
    import docx
    from docx.opc.exceptions import PackageNotFoundError

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            unpacked = sum(member.file_size for member in package.infolist())
        if unpacked > _MAX_UNPACKED:
            raise SourceError(f"The document unpacks to {unpacked} bytes; at most {_MAX_UNPACKED} are read. Split it.")
        lines = list(_lines(docx.Document(io.BytesIO(data))))
    # lxml reports broken XML as a SyntaxError.
    except (PackageNotFoundError, zipfile.BadZipFile, SyntaxError, KeyError, ValueError, OSError) as error:
        raise SourceError(f"It is not a Word document or is damaged: {error}. Save it again as .docx.") from error
    text = "\n".join(lines)
    if not text.strip():
        raise SourceError("The document holds no text.")
    return text


def _lines(document: "WordDocument") -> Iterator[str]:
    from docx.text.paragraph import Paragraph

    for block in document.iter_inner_content():
        if not isinstance(block, Paragraph):
            yield ""
            for row in block.rows:
                yield "| " + " | ".join(" ".join(cell.text.split()) for cell in row.cells) + " |"
            yield ""
            continue
        text = block.text.strip()
        style = (block.style.name or "") if block.style is not None else ""
        if not text:
            yield ""
        elif match := _HEADING.match(style):
            yield from ("", "#" * min(6, max(1, int(match[1]))) + " " + " ".join(text.split()), "")
        elif style == "Title":
            yield from (f"# {' '.join(text.split())}", "")
        elif style.startswith("List"):
            yield "- " + text
        else:
            # A paragraph that begins with a number sign is no heading.
            yield from ("", " " + text if text.startswith("#") else text)
