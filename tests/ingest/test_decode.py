import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import decode
from rag.errors import SourceError

CHINESE = "机器学习的笔记，第一行。\r\n第二行：注意力机制 attention。\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (CHINESE.encode(), "utf-8"),
        (b"\xef\xbb\xbf" + CHINESE.encode(), "utf-8"),
        (b"\xff\xfe" + CHINESE.encode("utf-16-le"), "utf-16-le"),
        (b"\xfe\xff" + CHINESE.encode("utf-16-be"), "utf-16-be"),
        (CHINESE.encode("utf-16-le"), "utf-16-le"),
        (CHINESE.encode("utf-16-be"), "utf-16-be"),
        (b"\xff\xfe\x00\x00" + CHINESE.encode("utf-32-le"), "utf-32-le"),
        (CHINESE.encode("gb18030"), "gb18030"),
    ],
)
def test_encodings_are_found_and_line_breaks_kept(data, encoding):
    assert decode(data) == (CHINESE, encoding)


def test_another_encoding_is_left_to_charset_normalizer():
    text = "Les réseaux de neurones apprennent à généraliser, même à partir de peu d'exemples annotés. " * 5
    decoded, encoding = decode(text.encode("latin-1"))
    assert decoded == text
    assert encoding not in ("utf-8", "gb18030")


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b"text with a\x00NUL",
        b"\x7fELF\x02\x01\x01\x03\x04\x05\x06\x07",
        bytes(range(1, 32)) * 20,
        b"\xff\xfe" + "a\0b".encode("utf-16-le"),
    ],
)
def test_binary_data_is_refused(data):
    with pytest.raises(SourceError, match=r"NUL|control characters"):
        decode(data)


def test_damaged_utf8_is_an_error_that_names_the_byte_and_not_another_encoding():
    data = CHINESE.encode() * 10
    broken = data[:301] + b"\xff" + data[302:]
    with pytest.raises(SourceError, match="not valid UTF-8 at byte 299"):
        decode(broken)


def test_utf16_with_half_a_character_is_refused():
    with pytest.raises(SourceError, match="utf-16-le at byte"):
        decode(b"\xff\xfea\x00b")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_utf8_survives(text):
    if not text.startswith("\ufeff"):
        assert decode(text.encode()) == (text, "utf-8")


@given(st.binary(max_size=300))
def test_any_bytes_give_text_or_an_error(data):
    try:
        text, _ = decode(data)
    except SourceError:
        return
    assert "\0" not in text
