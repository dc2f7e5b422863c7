"""Every reason that an agent gives has a code, and words in both languages."""

import re
from pathlib import Path
from string import Formatter

import pytest

import agents
from agents import optimize_prompt
from agents.reasons import NUMBERS, SENTENCES, Reason, read
from evals.prompts import planted
from ui.words import why
from ui.words.reasons import CHINESE

ROUTER = Path(agents.__file__).parent / "reason" / "router.py"


def _fields(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_code_is_said_in_chinese_with_the_same_values():
    assert CHINESE.keys() == SENTENCES.keys()
    for code, sentence in SENTENCES.items():
        assert _fields(CHINESE[code]) == _fields(sentence), code


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_read_back_as_its_code_and_values(code):
    texts = {name: f"it's {name} “x”\nof 3" for name in _fields(SENTENCES[code])}
    values = {name: "40" if name in NUMBERS else text for name, text in texts.items()}
    sentence = SENTENCES[code].format(**values)

    assert read(sentence) == Reason(code, values)


def test_all_that_the_solver_says_of_planted_prompts_has_a_code():
    said = set()
    # Every third one: all of them take most of a minute and say nothing more.
    for case in [case for split in planted.SPLITS for case in planted.load(split)[::3]]:
        made = optimize_prompt(case.prompt, case.examples, use_model=False)
        said |= {finding.detail for finding in (*made.before, *made.after)}
        said |= {patch.reason for patch in made.patches} | set(made.decisions)

    assert len(said) > 20
    assert [sentence for sentence in said if read(sentence) is None] == []
    for sentence in said:
        reason = read(sentence)
        assert SENTENCES[reason.code].format(**reason.values) == sentence
        assert re.search(r"[\u4e00-\u9fff]", why("zh", sentence))


def test_all_that_the_router_says_has_a_code():
    said = re.findall(r'Choice\([\w.]+, "([^"]+)"', ROUTER.read_text(encoding="utf-8"))

    assert len(said) > 8
    assert [sentence for sentence in said if read(sentence) is None] == []


def test_names_of_the_agents_are_translated_and_the_words_of_the_prompt_are_not():
    assert why("zh", "It has 60 words, more than 40.") == "有 60 个词，超过 40。"
    assert why("zh", "The field 'words' is array and string.") == "字段“words”有两种类型：数组和文字。"
    assert why("zh", "It is not in en or zh.") == "没有用英文或中文。"
    assert why("zh", "It lacks words, html.") == "缺少 words, html。"
    removed = "Of a / b the rule 'a' was taken out (the examples keep the other)."
    assert why("zh", removed) == "a / b：去掉了“a”（示例遵守的是另一条）。"


def test_in_english_the_kind_is_not_said_twice():
    assert why("en", "length: the ranges do not meet") == "The ranges do not meet"
    assert why("en", "The field 'x' has two ranges.") == "The field 'x' has two ranges."


def test_words_of_a_model_stay_as_they_are():
    assert why("zh", "EngineError: it went away") == "EngineError: it went away"
    assert why("en", "note: this") == "note: this"
