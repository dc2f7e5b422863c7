from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.text import detect_language, fold, fold_with_map, is_meaningful, split_sentences

NOTES = Path(__file__).parents[2].parent / "shared" / "notes"
# Characters that break splitters: terminators, closers, dots, digits, quotes, line breaks.
TRICKY = st.text(alphabet="。！？；!?….\n\r ,，（）()[]”\"'「」1a中e.g www.http://x", max_size=60)


def sentences(text):
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("source", "folded"),
    [
        ("Ｔｅｎｓｏｒ　ＢＥＲＴ", "tensor bert"),
        ("錯誤率與訓練", "错误率与训练"),
        ("eﬃcient ﬁne-tuning", "efficient fine-tuning"),
        ("β-VAE", "β-vae"),
        ("後面的薴", "后面的苎"),
        ("Straße", "strasse"),
        ("ｶﾞ", "ガ"),
        ("", ""),
    ],
)
def test_fold(source, folded):
    assert fold(source) == folded


@given(st.text())
@example("ﬁ①ﬃ")
@example("e\u0301E\u0301")
@example("\u1100\u1161\u11a8")
@example("ΐŉǰ")
def test_map_goes_with_fold(text):
    folded, sources = fold_with_map(text)
    assert folded == fold(text)
    assert len(sources) == len(folded)
    assert sources == sorted(sources)
    assert all(0 <= source < len(text) for source in sources)


@given(st.text())
def test_fold_is_idempotent(text):
    assert fold(fold(text)) == fold(text)


def test_map_points_at_the_source_character():
    folded, sources = fold_with_map("aﬁ錯")
    assert folded == "afi错"
    assert sources == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("它很好。为什么？因为快！", ["它很好。", "为什么？", "因为快！"]),
        ("一；二；三", ["一；", "二；", "三"]),
        ("圆周率是3.14。版本v1.0很旧。", ["圆周率是3.14。", "版本v1.0很旧。"]),
        ("It is small, e.g. 3 layers. It works.", ["It is small, e.g. 3 layers.", "It works."]),
        ("Vaswani et al. wrote it. Read J. Smith too.", ["Vaswani et al. wrote it.", "Read J. Smith too."]),
        ("他说「很好。」然后走了。", ["他说「很好。」", "然后走了。"]),
        ('He said "stop!" and left.', ['He said "stop!"', "and left."]),
        ("（见下图。）接着看。", ["（见下图。）", "接着看。"]),
        ("错误率更低。[3][4]它更快。", ["错误率更低。[3][4]", "它更快。"]),
        ("见 https://a.example/x?y=1.2&z=3 的说明。好。", ["见 https://a.example/x?y=1.2&z=3 的说明。", "好。"]),
        ("1. 第一项\n2. 第二项。还有\n", ["1. 第一项", "2. 第二项。", "还有"]),
        ("if a != b: x?y:z", ["if a != b: x?y:z"]),
        ("真的吗？！是的……走吧。", ["真的吗？！", "是的……", "走吧。"]),
        ("用小模型.然后微调.", ["用小模型.", "然后微调."]),
        ("调用 model.fit(x) 即可", ["调用 model.fit(x) 即可"]),
        ("好。\n\n  \n再见", ["好。", "再见"]),
        ("a.\nb", ["a.", "b"]),
        (" \n\t", []),
        ("", []),
    ],
)
def test_split_sentences(text, expected):
    assert sentences(text) == expected


def assert_exact_cover(text):
    spans = split_sentences(text)
    previous = 0
    for start, end in spans:
        assert start < end
        assert not text[previous:start].strip()
        assert text[start:end] == text[start:end].strip()
        previous = end
    assert not text[previous:].strip()


@given(st.one_of(st.text(), TRICKY))
def test_sentences_cover_everything_exactly_once(text):
    assert_exact_cover(text)


def test_sentences_of_the_real_notes():
    if not NOTES.exists():
        pytest.skip("the user's real notes are not on this machine")
    for file in NOTES.glob("*.txt"):
        text = file.read_text(encoding="utf-8")
        assert_exact_cover(text)
        assert max(end - start for start, end in split_sentences(text)) < 1000


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("什么是 Transformer？", "zh"),
        ("GPT-3 有多少参数", "zh"),
        ("xDeepFM CIN DIN", "en"),
        ("What does 注意力机制 mean in the notes?", "en"),
        ("stack跟cat差在哪", "zh"),
        ("層歸一化是什麼", "zh"),
        ("42", "zh"),
        ("", "zh"),
    ],
)
def test_detect_language(text, language):
    assert detect_language(text) == language


@pytest.mark.parametrize(
    ("text", "meaningful"), [("？！…", False), ("🙂🙂", False), ("层", True), ("７", True), ("é", True)]
)
def test_is_meaningful(text, meaningful):
    assert is_meaningful(text) is meaningful
