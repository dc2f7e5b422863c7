import io
import zipfile

import docx as word
import pytest

from ingest.readers import docx, outline
from rag.errors import SourceError
from rag.types import Document


def make() -> bytes:
    document = word.Document()
    document.add_heading("火星", level=0)
    document.add_heading("火星车(rover)", level=1)
    document.add_paragraph("它会走。")
    document.add_paragraph("# 不是标题")
    document.add_paragraph("轮子", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip([c for row in table.rows for c in row.cells], "甲乙丙丁", strict=True):
        cell.text = text
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_a_document_becomes_markdown():
    text = docx.extract(make())
    assert [line for line in text.split("\n") if line.strip()] == [
        "# 火星",
        "# 火星车(rover)",
        "它会走。",
        " # 不是标题",
        "- 轮子",
        "| 甲 | 乙 |",
        "| 丙 | 丁 |",
    ]
    assert [entry.title for entry in outline(Document("m.docx", text, "", "docx")).entries] == ["火星", "火星车"]


def test_an_empty_a_foreign_and_a_broken_package_are_refused(monkeypatch):
    empty, foreign = io.BytesIO(), io.BytesIO()
    word.Document().save(empty)
    with zipfile.ZipFile(foreign, "w") as package:
        package.writestr("x.txt", "hello")
    with pytest.raises(SourceError, match="no text"):
        docx.extract(empty.getvalue())
    with pytest.raises(SourceError, match="not a Word document"):
        docx.extract(foreign.getvalue())
    with pytest.raises(SourceError, match="not a Word document"):
        docx.extract(make()[:500])
    monkeypatch.setattr(docx, "_MAX_UNPACKED", 100)
    with pytest.raises(SourceError, match="at most 100 are read"):
        docx.extract(make())


def test_broken_xml_is_refused():
    source, target = zipfile.ZipFile(io.BytesIO(make())), io.BytesIO()
    with zipfile.ZipFile(target, "w") as package:
        for name in source.namelist():
            data = source.read(name)
            package.writestr(name, data[:200] if name == "word/document.xml" else data)
    with pytest.raises(SourceError, match="not a Word document"):
        docx.extract(target.getvalue())
