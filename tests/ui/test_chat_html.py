import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.types import Answer, Citation, Mode, Sentence, SourceSpan, Span, State, Support
from ui import chat_details, chat_html, markup
from ui.chat_job import Progress, Step
from ui.words import LANGUAGES, mode_name

OUR_TAGS = {
    *(
        "a",
        "b",
        "bdi",
        "br",
        "code",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "h4",
        "h5",
        "i",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
    ),
    *("section", "small", "span", "summary", "table", "tbody", "td", "th", "thead", "tr"),
}
OUR_ATTRIBUTES = {"open", "class", "id", "title", "href", "role", "aria-label", "aria-hidden", "tabindex"}
PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "</div></details><h1>fake</h1>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<!-- --><style>*{display:none}</style>",
    "&lt;script&gt;",
    "&#x3C;script&#x3E;",
    "]]><script>",
    "<math><mtext></mtext><script>1</script></math>",
    "\u202egnp.exe",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "{lang} %s {0}",
    *("$$\\href{javascript:alert(1)}{x}$$", "\\(<img src=x onerror=alert(1)>\\)", "$</span><svg/onload=alert(1)>$"),
    *(
        "```<script>\n<script>alert(1)</script>\n```",
        "`<img src=x onerror=alert(1)>`",
        "$\\htmlStyle{a:url(//e.x)}{b}$",
    ),
    *("| <script>alert(1)</script> | b |", "|a|\n|-|\n|</td></table><iframe src=//e.x>|", "| $<b>$ | `<i>` |"),
]
# The marks of formulas, code and tables are no part of what they hold.
SIGNS = re.compile(r"[`$|\s()\\-]")


class Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that elements are closed in order."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.links, self.ids, self.marked = set(), set(), [], [], []
        self._open, self.text = [], ""
        self.feed(source)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {key for key, _ in attrs}
        values = dict(attrs)
        self.links += [values["href"]] if "href" in values else []
        self.ids += [values["id"]] if "id" in values else []
        if tag == "mark":
            self.marked.append("")
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "mark" in self._open:
            self.marked[-1] += data

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl):
        raise AssertionError(f"a declaration: {decl}")


@pytest.fixture
def make(passage, cited, own):
    def make_answer(**changes):
        values = {
            "question": "q",
            "mode": Mode.RAG,
            "state": State.ANSWERED,
            "text": "t",
            "sentences": (cited, own),
            "passages": (passage,),
            "timings": {"search": 0.1, "total": 1.0},
            "tokens": {"prompt": 1},
            "model": "m",
            "prompt_hash": "h",
            "seed": 0,
        }
        return Answer(**{**values, **changes})

    return make_answer


def _everything(payload, make, passage, cited):
    """An answer that holds ``payload`` in every field that comes from notes or a model."""
    where = replace(passage, file=payload, entry=payload, path=(payload, payload), text=payload, end=100 + len(payload))
    where = replace(where, also_at=(SourceSpan(payload, 0, 1, 1, 1),), chunk_id=payload)
    citation = replace(cited.citations[0], file=payload, entry=payload, quote=payload, chunk_id=payload)
    citation = replace(citation, start=100, end=100 + len(payload))
    return make(
        sentences=(Sentence(payload, Support.CITED, (citation,)), Sentence(payload, Support.OWN)),
        passages=(where,),
        model=payload,
        prompt_hash=payload,
        notices=(payload,),
        trace=(Span(payload, 0.1, {payload: payload}),),
        timings={payload: 1.0},
    )


def _check(source):
    reader = Reader(source)
    assert reader.tags <= OUR_TAGS
    assert reader.attributes <= OUR_ATTRIBUTES
    assert all(link.startswith("#") for link in reader.links)
    assert len(reader.ids) == len(set(reader.ids))
    return reader


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_from_notes_or_models_becomes_markup(payload, lang, make, passage, cited):
    answer = _everything(payload, make, passage, cited)
    now = Progress((Step("write", 1.0, False),), answer.sentences, payload, 3, 0, False)

    for source in (
        chat_html.answer(lang, answer, "c1"),
        chat_details.details(lang, answer),
        chat_html.question(lang, payload, "q1"),
        markup.problem(payload, payload),
        markup.note(payload, "info"),
        chat_html.draft(now.draft),
    ):
        assert SIGNS.sub("", payload.removeprefix("```<script>")) in SIGNS.sub("", _check(source).text)


@given(payload=st.text(min_size=1, max_size=60).filter(str.strip))
def test_any_text_comes_back_as_it_went_in(payload):
    source = chat_html.question("en", payload, "q1")

    assert html.unescape(source[source.index(">") + 1 : source.rindex("<")]) == payload
    assert _check(source).tags == {"div"}


@given(
    st.text(min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5),
)
def test_a_passage_keeps_its_text_and_marks_exactly_the_quoted_characters(body, raw):
    spans = sorted({(min(a, b) % len(body), max(a, b) % len(body) + 1) for a, b in raw})
    spans = [(a, b) for a, b in spans if a < b]
    from rag.types import Passage

    passage = Passage(1, "c", "f", "e", 500, 500 + len(body), 1.0, {}, body)
    citations = [Citation(1, "c", "f", "e", 1, 1, 500 + a, 500 + b, body[a:b]) for a, b in spans]

    source = chat_html.passage_text(passage, citations, "c1")
    plain = html.unescape("".join(_texts(source)))
    marked = {i for a, b in spans for i in range(a, b)}

    assert plain == body
    assert html.unescape("".join(_texts(source, inside="mark"))) == "".join(body[i] for i in sorted(marked))


def _texts(source, inside=None):
    """The raw text between tags; our tags hold no angle brackets in attributes."""
    position, depth = 0, 0
    while position < len(source):
        start = source.find("<", position)
        piece = source[position : start if start >= 0 else len(source)]
        if inside is None or depth:
            yield piece
        if start < 0:
            return
        end = source.index(">", start)
        tag = source[start + 1 : end]
        if inside:
            depth += tag.startswith(inside)
            depth -= tag.startswith("/" + inside)
        position = end + 1


def test_a_marker_leads_to_the_marked_span_of_its_source(make):
    reader = _check(chat_html.answer("zh", make(), "c7"))

    assert reader.links == [f"#{i}" for i in reader.ids]
    assert reader.marked == ["甲是第一个字。"]
    assert "第 8 行" in reader.text
    assert "笔记<b>.md" in reader.text
    assert "天干 › 甲" in reader.text


def test_a_quote_that_does_not_lie_in_its_passage_is_shown_alone(make, cited):
    moved = replace(cited, citations=(replace(cited.citations[0], start=103, end=110),))

    reader = _check(chat_html.answer("zh", make(sentences=(moved,)), "c1"))

    assert reader.marked == ["甲是第一个字。"]
    assert "后面还有话" not in reader.text


def test_a_sentence_with_two_quotes_from_one_passage_has_one_marker(make, cited):
    second = replace(cited.citations[0], start=100, end=103, quote="###")
    both = replace(cited, citations=(*cited.citations, second))

    reader = _check(chat_html.answer("zh", make(sentences=(both,)), "c1"))

    assert len(reader.links) == 1
    assert reader.marked == ["###", "甲是第一个字。"]
    assert reader.text.count("[1]") == 1


def test_own_sentences_are_marked_in_words_and_cited_ones_are_not(make, cited, own):
    assert "model's own" in _check(chat_html.answer("en", make(sentences=(own,)), "c")).text
    assert "model's own" not in _check(chat_html.answer("en", make(sentences=(cited,)), "c")).text


def test_rog_says_once_that_the_notes_were_not_consulted(make, own):
    text = _check(chat_html.answer("en", make(mode=Mode.ROG, sentences=(own, own), passages=()), "c")).text

    assert text.count("The notes were not consulted") == 1
    assert "[1]" not in text


def test_a_refusal_and_a_conflict_are_said_in_the_language_of_the_page(make):
    refused = make(mode=Mode.RCG, state=State.REFUSED, sentences=(), text="other words")

    assert "The notes do not hold the answer" in _check(chat_html.answer("en", refused, "c")).text
    assert "笔记里没有写到" in _check(chat_html.answer("zh", refused, "c")).text
    assert "The notes disagree" in _check(chat_html.answer("en", make(state=State.CONFLICT), "c")).text


def test_notes_that_disagree_stand_side_by_side_and_open(make):
    html = chat_html.answer("en", make(state=State.CONFLICT), "c")

    assert 'class="mb-sources mb-sides"' in html
    assert '<details class="mb-source" open>' in html
    assert "mb-sides" not in chat_html.answer("en", make(), "c")


@pytest.mark.parametrize("mode", list(Mode))
def test_the_badge_names_the_mode(mode):
    text = _check(chat_html.mode_badge("zh", mode)).text

    assert mode.value.upper() in text
    assert mode_name("zh", mode) in text


def test_list_items_start_on_a_line_of_their_own(make):
    shown = make(sentences=tuple(Sentence(t, Support.OWN) for t in ("开头。", "1. 第一", "- 第二", "3.14 是数")))

    assert chat_html.answer("zh", shown, "c").count("mb-item") == 2


def test_progress_names_each_stage_with_seconds_and_the_place_in_the_queue():
    steps = (Step("load", 0.0, True), Step("search", 0.25, True), Step("judge", 1.26, False, {"passages": 5}))

    text = _check(chat_html.progress("en", Progress(steps, (), "", 0, 0, False))).text
    queued = _check(chat_html.progress("en", Progress(steps, (), "", 0, 2, False))).text

    assert "searching 0.2 s" in text
    assert "reading 5 passages 1.3 s" in text
    assert "loading" not in text
    assert "queued, 2 ahead" in queued
    assert "Stopping" in chat_html.progress("en", Progress(steps, (), "", 0, 0, True))


def test_details_show_how_a_passage_was_found(make):
    text = _check(chat_details.details("en", make(trace=(Span("search", 0.1, {"query": "q"}),)))).text

    assert "term #1 · dense #3" in text
    assert "0.750" in text
    assert '{"query": "q"}' in text


@given(st.text(max_size=80))
def test_a_label_is_one_line_without_markdown(value):
    made = markup.label(value, 30)

    unescaped = made.replace("\\", "")
    assert "\n" not in made
    assert len(unescaped) <= 30
    for position, character in enumerate(made):
        if character in "[](){}!*_`<>#:$~|" and made[position - 1 : position] != "\\":
            raise AssertionError(f"{character} is alive in {made!r}")


def test_a_quote_of_the_notes_stands_on_its_own_and_is_not_marked_as_own(cited):
    quote = replace(cited, support=Support.QUOTED, text="云杉网络：“它不需要归一化层。”")
    shown = chat_html.sentences("zh", Mode.RCG, (cited, quote), "a1")
    assert 'class="mb-sentence mb-quote"' in shown
    assert "mb-own" not in shown
    assert shown.count('class="mb-sentence"') == 1
