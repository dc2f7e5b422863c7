"""Formulas, code and tables in untrusted text: what is drawn, and that nothing but them comes out."""

import html
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import page_script
from ui.rich_text import Rich, dedented

OURS = {"span", "code", "pre", "mark", "div", "table", "thead", "tbody", "tr", "th", "td"}


class Seen(HTMLParser):
    """The tags, the attributes and the text of a piece of HTML; elements must be closed in order."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.text, self.marked, self.formulas = [], set(), "", "", []
        self._open = []
        self.feed(source)
        self.close()
        assert self._open == []
        assert set(self.tags) <= OURS
        assert self.attributes <= {"class", "tabindex"}

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open.append((tag, dict(attrs).get("class", "")))
        if "mb-math" in self._open[-1][1]:
            self.formulas.append("")

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        self.text += data
        if any(tag == "mark" for tag, _ in self._open):
            self.marked += data
        if any("mb-math" in css for _, css in self._open):
            self.formulas[-1] += data


def _seen(value, marks=()):
    return Seen(Rich(value, marks).html())


@pytest.mark.parametrize(
    ("value", "formulas"),
    [
        ("损失是 $x^2$，很小。", ["x^2"]),
        ("$QK^T/\\sqrt{d}$ 和 \\(a_1\\)", ["QK^T/\\sqrt{d}", "a_1"]),
        ("$$\na = b\n$$", ["a = b"]),
        ("\\[ \\text{损失} < 1 \\]", ["\\text{损失} < 1"]),
        ("它要 $5 到 $6。", []),
        ("US$5，再加$6元", []),
        ("付$5再付5$就够了", []),
        ("`$x$` 是写法", []),
        ("```\n$x$\n```", []),
        ("$ x $", []),
        ("$$", []),
    ],
)
def test_formulas_are_told_from_money_and_from_code(value, formulas):
    assert _seen(value).formulas == formulas


def test_code_keeps_its_lines_and_its_indentation():
    source = Rich("看：\n```python\nif a < b:\n\n    c = '$x$'\n```\n完。").html()

    assert '<pre class="mb-code"><code>if a &lt; b:\n\n    c = &#x27;$x$&#x27;</code></pre>' in source
    assert "<code>x[1]</code>" in Rich("用 `x[1]` 取").html()


def test_a_table_has_a_head_and_cells_with_formulas():
    seen = _seen("前\n| 名 | 值 |\n|:--|--:|\n| a | $x$ |\n| b | `1` |\n后")

    assert [seen.tags.count(tag) for tag in ("table", "th", "tr", "td", "code")] == [1, 2, 3, 4, 1]
    assert seen.formulas == ["x"]
    assert seen.text == "前名值axb1后"
    assert "table" not in _seen("| 只有一行 |\n后").tags
    assert "table" not in _seen("| a | b |\n| c | d |").tags


@given(st.text(alphabet="ab<>&\"'`$|\\[]()-\n 中", max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_any_text_is_escaped_and_what_is_marked_is_part_of_the_marks(value, edges):
    places = sorted({min(edge, len(value)) for edge in edges})
    marks = [(a, b) for a, b in zip(places[::2], places[1::2], strict=False) if a < b]

    seen = _seen(value, marks)

    signs = re.compile(r"[\s`$|\\()\[\]:-]")
    plain = signs.sub("", value)
    assert signs.sub("", seen.text) == plain or "```" in value
    if not seen.formulas:
        wanted = signs.sub("", "".join(value[a:b] for a, b in marks))
        assert "```" in value or signs.sub("", seen.marked) == wanted


@given(st.text(alphabet="ab<& \n", max_size=60))
def test_text_without_signs_stays_as_it_is(value):
    assert html.unescape(Rich(value).html()) == value


@given(st.lists(st.tuples(st.integers(0, 6), st.text(alphabet="ab中", max_size=5)), max_size=8), st.data())
def test_a_margin_is_taken_away_and_marks_move_along(lines, data):
    value = "\n".join(" " * margin + words for margin, words in lines)
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, len(value)))

    shown, [(first, last)] = dedented(value, [(start, end)])

    assert [line.strip() for line in shown.split("\n")] == [line.strip() for line in value.split("\n")]
    assert shown[first:last].split() == value[start:end].split()


def test_a_long_hostile_text_is_read_in_time():
    started = time.monotonic()
    for piece in ("|", "|-", "| a |\n", "$a", "`", "\\(", "$$", "\\[x", "|-|\n"):
        Rich(piece * (40_000 // len(piece))).html()
    assert time.monotonic() - started < 30


def test_the_page_has_one_script_of_our_own_words_and_streamlits_katex():
    source = page_script.source()

    assert page_script.katex_module()
    assert f'"./{page_script.katex_module()}"' in source
    assert "trust: false" in source
    assert not re.search(r"https?://", source)
    assert source.count("<script") == source.count("</script") == 1
    assert Path(page_script.__file__).with_name("style").joinpath("page.js").is_file()
