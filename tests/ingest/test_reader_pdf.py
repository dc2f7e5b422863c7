import io

import pytest
from pypdf import PdfReader, PdfWriter

from ingest.chunk import chunk
from ingest.readers import outline, pdf
from rag.errors import SourceError
from rag.settings import ChunkSettings
from rag.types import Document


def make(*pages: str) -> bytes:
    """A small PDF with one line of text a page, written by hand."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, page in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({page}) Tj ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * index} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    body += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return (
        body + f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body) - len(table) - 30}\n%%EOF"
    ).encode()


def test_each_page_has_its_number_in_the_path_and_chunks_of_its_own():
    text = pdf.extract(make("The rover drives.", "# The mast stands."))
    assert text.split("\f") == ["The rover drives.", "# The mast stands."]
    document = Document("a/mars.pdf", text, "", "pdf")
    result = outline(document)
    assert [entry.title for entry in result.entries] == ["mars"]
    chunks = chunk(document, result, ChunkSettings())
    assert [(c.path, c.text) for c in chunks] == [
        (("mars", "p. 1"), "The rover drives."),
        (("mars", "p. 2"), "# The mast stands."),
    ]


def test_a_page_without_text_counts():
    text = pdf.extract(make("one", "", "three"))
    assert [block.path[-1] for block in outline(Document("m.pdf", text, "", "pdf")).blocks] == ["p. 1", "p. 3"]


def test_a_password_a_scan_and_half_a_file_are_refused():
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make("secret"))))
    writer.encrypt("password", algorithm="RC4-128")
    locked = io.BytesIO()
    writer.write(locked)
    with pytest.raises(SourceError, match="password"):
        pdf.extract(locked.getvalue())
    with pytest.raises(SourceError, match="OCR"):
        pdf.extract(make("", ""))
    with pytest.raises(SourceError, match=r"damaged|OCR"):
        pdf.extract(make("one", "two")[:200])
