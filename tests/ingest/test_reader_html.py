import pytest

from ingest.readers import html, outline
from rag.errors import SourceError
from rag.types import Document

PAGE = """<!DOCTYPE html><html><head><title>Mars</title><style>p {}</style></head><body>
<nav>menu</nav><h1>火星车 <em>rover</em></h1><!-- hidden -->
<p>It   drives<br>on <a href="x">Mars</a>.</p><p># not a heading</p>
<ul><li>wheel<ul><li>spoke</li></ul></li><li><p>mast</p></li></ul>
<pre><code>for x in y:
    turn(x)</code></pre>
<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td><p>2</p></td></tr></table>
<script>alert(1)</script></body></html>"""


def test_a_page_becomes_markdown():
    lines = [line for line in html.extract(PAGE).split("\n") if line.strip()]
    assert lines == [
        "# 火星车 rover",
        "It drives",
        "on Mars.",
        " # not a heading",
        "- wheel",
        "  - spoke",
        "- mast",
        "```",
        "for x in y:",
        "    turn(x)",
        "```",
        "| a | b |",
        "| 1 | 2 |",
    ]


def test_offsets_are_those_of_the_extracted_text():
    document = Document("p.html", html.extract(PAGE), "", "html")
    result = outline(document)
    assert [entry.title for entry in result.entries] == ["火星车 rover"]
    assert [block.kind for block in result.blocks] == [
        "heading",
        "paragraph",
        "paragraph",
        "item",
        "item",
        "code",
        "table",
    ]


def test_the_title_stands_in_for_a_missing_heading():
    assert html.extract("<title>Mars</title><p>red</p>").startswith("# Mars\n")


def test_a_page_without_text_or_of_endless_depth_is_refused_or_read():
    with pytest.raises(SourceError, match="no text"):
        html.extract("<div><img src='x'></div>")
    try:
        assert "deep" in html.extract("<div>" * 5_000 + "deep" + "</div>" * 5_000)
    except SourceError as error:
        assert "too deeply" in str(error)
