"""Bytes to text. The only module that imports charset-normalizer."""

import codecs
import re

from rag.errors import SourceError

# A note holds tabs, line breaks, form feeds and escapes; other control characters mean that it is no text.
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
_MAX_CONTROL_SHARE = 0.01
# Damaged UTF-8 still holds many whole characters of several bytes; another encoding holds hardly any by chance.
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_DAMAGED_RATIO = 3
# Two bytes from 0xA1 up are GB2312, which covers nearly all running Chinese text; the rest of GB18030 is rare.
_GB2312 = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]")
_MIN_GB2312_SHARE = 0.8
# Plain ASCII between the bytes of UTF-16 shows as NULs at every second place.
_MIN_UTF16_PLAUSIBLE = 0.9
_SAMPLE = 65_536
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes) -> tuple[str, str]:
    """Decode the bytes of a note: UTF-8, UTF-16, GB18030, else what charset-normalizer is sure of.

    Returns:
        The text without a byte order mark and with its line breaks as they are, and the name of the encoding.

    Raises:
        SourceError: the bytes are not text, or in no encoding that fits.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _strict(data[len(bom) :], encoding), encoding
    if b"\0" in data:
        return _without_bom(data)
    if len(data) - len(data.translate(None, _CONTROLS)) > _MAX_CONTROL_SHARE * len(data):
        raise SourceError("It holds control characters: this is binary data, not text. Take it out of the notes.")
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        return _other(data, error)


def _strict(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(f"It is not valid {encoding} at byte {error.start}. Save it again as UTF-8.") from error
    if "\0" in text:
        raise SourceError(f"It holds a NUL character at offset {text.index(chr(0))}: this is not text.")
    return text


def _without_bom(data: bytes) -> tuple[str, str]:
    if len(data) % 2 == 0:
        for encoding in ("utf-16-le", "utf-16-be"):
            if _looks_like(data[:_SAMPLE], encoding):
                return _strict(data, encoding), encoding
    raise SourceError(
        f"It holds a NUL byte at {data.index(0)}: this is binary data, not text. Take it out of the notes."
    )


def _looks_like(sample: bytes, encoding: str) -> bool:
    """Whether nearly all characters are ASCII text, CJK or full-width marks when read as ``encoding``."""
    text = sample.decode(encoding, errors="replace")
    plausible = sum(
        character in "\t\n\r"
        or " " <= character <= "~"
        or "\u2010" <= character <= "\u9fff"
        or "\uff00" <= character < "\uffee"
        for character in text
    )
    return plausible >= _MIN_UTF16_PLAUSIBLE * len(text)


def _other(data: bytes, utf8_error: UnicodeDecodeError) -> tuple[str, str]:
    """Decode what is not UTF-8. A damaged UTF-8 file is an error, not another encoding."""
    problem = SourceError(
        f"It is not valid UTF-8 at byte {utf8_error.start} (0x{data[utf8_error.start]:02x}) and no other encoding "
        "fits. Save it again as UTF-8."
    )
    rest = _MULTIBYTE.sub(b"", data)
    strays = len(_HIGH.findall(rest))
    if (len(data) - len(rest)) // 2 >= _DAMAGED_RATIO * strays:
        raise problem from utf8_error
    if 2 * len(_GB2312.findall(data)) >= _MIN_GB2312_SHARE * len(_HIGH.findall(data)):
        try:
            return data.decode("gb18030"), "gb18030"
        except UnicodeDecodeError:
            pass
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None:
        raise problem from utf8_error
    return str(best), best.encoding
