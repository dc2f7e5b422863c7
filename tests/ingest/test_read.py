import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from ingest import readers
from ingest.discover import SourceFile
from rag.errors import SourceError


def source(folder: Path, name: str, data: bytes | str) -> SourceFile:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return SourceFile(path, name)


@pytest.mark.parametrize(
    ("name", "text", "flavour"),
    [
        ("a.md", "plain words\n", "markdown"),
        ("a.txt", "plain words\n", "text"),
        ("a.txt", "# Rover\nIt drives.\n", "markdown"),
        ("a.txt", "".join(f"### 词{i}(w{i})\n    解释一下。\n\n" for i in range(5)), "glossary"),
        ("a.md", "- 火星车\n  collapsed:: true\n\t- 轮子\n\t- 天线\n", "logseq"),
        ("a.md", "---\nlayout: post\ntitle: Mars\n---\n\n# Rover\n", "jekyll"),
        ("a.html", "<h1>Rover</h1><p>It drives.</p>", "html"),
    ],
)
def test_the_flavour_is_found_by_content(tmp_path, name, text, flavour):
    documents, failures = readers.read(source(tmp_path, name, text))
    assert failures == []
    assert [document.flavour for document in documents] == [flavour]
    assert documents[0].file == name
    assert documents[0].sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_the_text_is_kept_as_it_is_but_for_the_byte_order_mark(tmp_path):
    text = "第一行\r\n\r\n  第二行 \n"
    document = readers.read(source(tmp_path, "a.txt", b"\xef\xbb\xbf" + text.encode()))[0][0]
    assert document.text == text
    assert document.encoding == "utf-8"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.md", b"", "empty"),
        ("a.md", b"\xef\xbb\xbf \n\t\n", "empty"),
        ("a.jsonl", b"\n\n", "empty"),
        ("a.md", b"\x89PNG\r\n\x1a\n\0\0\0", "binary"),
        ("a.md", "好的".encode() * 30 + b"\xff", "not valid UTF-8 at byte 180"),
        ("a.pdf", b"no pdf at all", "damaged"),
        ("a.docx", b"no zip at all", "not a Word document"),
        ("a.html", b"<script>only()</script>", "holds no text"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, name, data, message):
    with pytest.raises(SourceError, match=message):
        readers.read(source(tmp_path, name, data))


def test_one_line_of_50_megabytes_is_refused_at_once(tmp_path):
    file = source(tmp_path, "a.md", b"first\nsecond\n" + b"x" * 50_000_000)
    before = time.perf_counter()
    with pytest.raises(SourceError, match="Line 3 has more than 1000000 characters"):
        readers.read(file)
    assert time.perf_counter() - before < 5


def test_a_line_of_the_greatest_length_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_LINE", 10)
    text = "0123456789\n\n0123456789"
    assert readers.read(source(tmp_path, "a.md", text))[0][0].text == text
    with pytest.raises(SourceError, match="Line 3"):
        readers.read(source(tmp_path, "a.md", text + "x\nend"))


def test_a_file_above_the_limit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_BYTES", 10)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("it was read"))
    with pytest.raises(SourceError, match="11 bytes; at most 10"):
        readers.read(source(tmp_path, "a.md", "x" * 11))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    file = source(tmp_path, "a.md", "before")
    real = Path.read_bytes

    def read_and_change(self: Path) -> bytes:
        data = real(self)
        with self.open("ab") as writer:
            writer.write(b" after")
        return data

    monkeypatch.setattr(Path, "read_bytes", read_and_change)
    with pytest.raises(SourceError, match="changed while it was read"):
        readers.read(file)


def test_a_rewrite_of_equal_size_is_noticed_by_its_time(tmp_path, monkeypatch):
    file = source(tmp_path, "a.md", "before")
    real = Path.read_bytes

    def read_and_touch(self: Path) -> bytes:
        data = real(self)
        os.utime(self, ns=(1, 1))
        return data

    monkeypatch.setattr(Path, "read_bytes", read_and_touch)
    with pytest.raises(SourceError, match="changed while it was read"):
        readers.read(file)


def test_an_unreadable_or_missing_file_says_so(tmp_path, monkeypatch):
    file = source(tmp_path, "a.md", "x")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SourceError, match="cannot be opened: Permission denied"):
        readers.read(file)
    with pytest.raises(SourceError, match="cannot be opened: No such file"):
        readers.read(SourceFile(tmp_path / "gone.md", "gone.md"))


def test_rows_become_documents_and_bad_ones_failures(tmp_path):
    rows = [
        json.dumps({"doc_id": "r1", "text": "# 火星车\n它会走。"}, ensure_ascii=False),
        "{not json",
        "",
        json.dumps({"doc_id": 7, "text": "plain\u2028text"}, ensure_ascii=False),
        json.dumps({"doc_id": "r1", "text": "again"}),
        json.dumps({"text": "nameless"}),
        json.dumps({"doc_id": "r4", "text": " "}),
        json.dumps(["r5", "list"]),
        '{"doc_id": "r6", "text": "\\ud800"}',
        "[" * 100_000,
    ]
    documents, failures = readers.read(source(tmp_path, "rows.jsonl", "\n".join(rows)))
    assert [document.file for document in documents] == ["rows.jsonl#r1", "rows.jsonl#7"]
    assert [document.flavour for document in documents] == ["markdown", "text"]
    assert documents[0].sha256 == hashlib.sha256(documents[0].text.encode()).hexdigest()
    assert [int(failure.reason.split()[1].rstrip(":")) for failure in failures] == [2, 5, 6, 7, 8, 9, 10]
    assert "used before" in failures[1].reason
    assert readers.outline(documents[1]).entries[0].title == "7"


def test_a_row_with_an_endless_line_is_a_failure_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_LINE", 20)
    rows = [json.dumps({"doc_id": "long", "text": "x" * 21}), json.dumps({"doc_id": "short", "text": "x"})]
    documents, failures = readers.read(source(tmp_path, "rows.jsonl", "\n".join(rows)))
    assert [document.file for document in documents] == ["rows.jsonl#short"]
    assert failures[0].file == "rows.jsonl#long"
    assert failures[0].reason.startswith("Line 1: ")
