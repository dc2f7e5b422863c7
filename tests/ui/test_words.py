import re
from pathlib import Path
from string import Formatter

import pytest

from rag import errors
from rag.errors import DamagedIndexError, IndexMissingError, MingbaiError, ModelMissingError
from rag.types import Leg, Mode
from ui import words

UI = Path(words.__file__).parent


def _fields(text):
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("key", words._WORDS)
def test_both_languages_say_something_with_the_same_values(key):
    zh, en = words._WORDS[key]

    assert zh.strip()
    assert en.strip()
    assert _fields(zh) == _fields(en)


def test_every_phrase_that_the_page_asks_for_exists():
    asked = set(words._STAGES)
    for path in UI.glob("chat_*.py"):
        asked.update(re.findall(r'say\(\s*\w+,\s*"(\w+)"', path.read_text(encoding="utf-8")))

    assert asked <= set(words._WORDS)
    assert len(asked) > 40


def test_modes_and_legs_have_names_in_both_languages():
    for lang in words.LANGUAGES:
        assert len({words.mode_name(lang, mode) for mode in Mode}) == len(Mode)
        assert len({words.mode_line(lang, mode) for mode in Mode}) == len(Mode)
        assert len({words.leg_name(lang, leg) for leg in Leg}) == len(Leg)


def test_a_mode_is_explained_in_one_line():
    for mode in Mode:
        assert len(words.mode_line("zh", mode)) <= 40
        assert len(words.mode_line("en", mode)) <= 90


def test_an_error_gets_the_headline_of_its_nearest_kind():
    assert words.problem("en", IndexMissingError()) == "No notes have been indexed yet"
    assert words.problem("en", DamagedIndexError()) == "The index is damaged"
    assert words.problem("zh", ModelMissingError()) == "模型还不能用"
    assert words.problem("en", RuntimeError()) == words.problem("en", MingbaiError())


def test_every_error_has_a_headline():
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, MingbaiError)]

    assert all(words.problem(lang, kind()) for kind in kinds for lang in words.LANGUAGES)


@pytest.mark.parametrize(
    ("locale", "setting", "expected"),
    [
        ("zh-CN", "auto", "zh"),
        ("zh", "auto", "zh"),
        ("ZH-Hant-TW", "auto", "zh"),
        ("en-US", "auto", "en"),
        ("de", "auto", "en"),
        (None, "auto", "zh"),
        ("en-US", "zh", "zh"),
        ("zh-CN", "en", "en"),
        ("zh-CN", "klingon", "zh"),
    ],
)
def test_the_language_follows_the_choice_then_the_browser(locale, setting, expected):
    assert words.language_of(locale, setting) == expected


def test_one_line_is_not_written_as_a_range():
    assert words.lines("en", 3, 3) == "line 3"
    assert words.lines("zh", 3, 5) == "第 3–5 行"


def test_a_latin_name_is_parted_from_the_chinese_question():
    assert words.what_is("zh", "RAG") == "RAG 是什么？"
    assert words.what_is("zh", "注意力") == "注意力是什么？"
    assert words.what_is("en", "注意力") == "What is 注意力?"


def test_a_stage_that_the_page_does_not_know_keeps_its_name():
    assert words.stage("en", "judge", passages=3) == "reading 3 passages"
    assert words.stage("en", "polish", passages=3) == "polish"
    assert words.stage("en", "delete", passages="") == "delete"
