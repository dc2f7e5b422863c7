import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from evals.types import CaseType
from ingest.report import FileStatus
from rag import errors
from rag.errors import DamagedIndexError, IndexMissingError, MingbaiError, ModelMissingError
from rag.model_card import Kind
from rag.model_store import State
from rag.types import Leg, Mode
from ui import words
from ui.lab_page import LEGS
from ui.navigation import PLACES
from ui.notes_page import VIEWS

UI = Path(words.__file__).parents[1]


def _fields(text):
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("key", words._WORDS)
def test_both_languages_say_something_with_the_same_values(key):
    zh, en = words._WORDS[key]

    assert zh.strip()
    assert en.strip()
    assert _fields(zh) == _fields(en)


def test_every_phrase_that_the_pages_ask_for_exists_and_every_one_is_asked_for():
    tables = {"agents.py", "chat.py", "evals.py", "notes.py", "pages.py", "reasons.py"}
    files = [path for path in UI.rglob("*.py") if path.parent.name != "words" or path.name not in tables]
    sources = [path.read_text(encoding="utf-8") for path in files]
    asked = {key for source in sources for key in re.findall(r'say\(\s*\w+,\s*"(\w+)"', source)}
    written = {word for source in sources for word in re.findall(r"[\"'](\w+)[\"']", source)} | {"brand_both"}
    made = ("page_", "about_", "view_", "help_", "stage_", "status_", "type_", "kind_", "state_", "leg_line_")
    made += ("finding_", "code_", "step_", "method_", "line_", "route_", "outcome_", "flow_", "eval_", "table_")
    made += ("metric_", "differ_", "vary_", "compare_")

    assert asked <= set(words._WORDS)
    assert len(asked) > 120
    assert [key for key in words._WORDS if key not in written and not key.startswith(made)] == []


def test_what_has_a_name_in_code_has_words():
    for lang in words.LANGUAGES:
        for place in PLACES:
            assert words.say(lang, f"page_{place.name}")
        assert len({words.say(lang, f"view_{view}") for view in VIEWS}) == len(VIEWS)
        assert len({words.file_status(lang, status) for status in FileStatus}) == len(FileStatus)
        assert len({words.case_type(lang, kind) for kind in CaseType}) == len(CaseType)
        assert len({words.model_kind(lang, kind) for kind in Kind}) == len(Kind)
        assert len({words.model_state(lang, state) for state in get_args(State)}) == len(get_args(State))
        assert len({words.leg_line(lang, Leg(leg)) for leg in LEGS}) == len(LEGS)


def test_a_stage_of_work_without_a_word_keeps_its_name():
    assert words.work_stage("en", "embed") == "embedding passages"
    assert words.work_stage("en", "downloading part 3") == "downloading part 3"
    assert words.work_stage("zh", "") == "准备"


def test_no_two_tables_have_the_same_key():
    tables = (words.CHAT, words.FRAME, words.COMPARE, words.NOTES, words.LAB, words.MODELS, words.AGENTS, words.EVALS)

    assert len(words._WORDS) == sum(map(len, tables))


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
