"""What the solver decides, without a model."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.prompts import Example
from agents.prompts.conflicts import contradictions
from agents.prompts.detect import inspect
from agents.prompts.lengths import count, lengths_in
from agents.prompts.rules import parse
from agents.prompts.types import Length, Unit

PAIRS = tomllib.loads((Path(__file__).parent / "pairs.toml").read_text(encoding="utf-8"))
CLEAN = tomllib.loads((Path(__file__).parent / "clean.toml").read_text(encoding="utf-8"))["case"]


@pytest.mark.parametrize(("one", "other"), PAIRS["conflict"])
def test_rules_that_exclude_each_other(one: str, other: str) -> None:
    assert contradictions(parse(f"- {one}\n- {other}"))


@pytest.mark.parametrize(("one", "other"), PAIRS["fine"])
def test_rules_that_can_both_be_followed(one: str, other: str) -> None:
    assert contradictions(parse(f"- {one}\n- {other}")) == []


@pytest.mark.parametrize("row", CLEAN, ids=range(len(CLEAN)))
def test_nothing_is_found_in_a_sound_prompt(row: dict) -> None:
    examples = [Example(**pair) for pair in row.get("examples", [])]
    assert inspect(row["prompt"], examples).findings == ()


@pytest.mark.parametrize(
    ("clause", "length"),
    [
        ("Answer in at most 50 words.", Length(Unit.WORDS, None, 50)),
        ("no fewer than three sentences", Length(Unit.SENTENCES, 3, None)),
        ("Write between 20 and 30 words.", Length(Unit.WORDS, 20, 30)),
        ("under 10 words", Length(Unit.WORDS, None, 9)),
        ("exactly two paragraphs", Length(Unit.PARAGRAPHS, 2, 2)),
        ("不超过三句话", Length(Unit.SENTENCES, None, 3)),
        ("至少写两百字", Length(Unit.CHARACTERS, 200, None)),
        ("字数在50到80之间", Length(Unit.CHARACTERS, 50, 80)),
        ("不得少于十二个字", Length(Unit.CHARACTERS, 12, None)),
    ],
)
def test_lengths_are_read(clause: str, length: Length) -> None:
    assert [found.length for found in lengths_in(clause)] == [length]


@pytest.mark.parametrize("clause", ["the first two sentences", "第三句话", "a word", "You get two lines of input"])
def test_a_number_of_things_is_no_length(clause: str) -> None:
    assert list(lengths_in(clause)) == []


def test_units_are_counted() -> None:
    assert count("One. Two! 三。", Unit.SENTENCES) == 3
    assert count("- a\n- b\ntail", Unit.ITEMS) == 2
    assert count("天 地，AB", Unit.CHARACTERS) == 4
    assert count("don't stop", Unit.WORDS) == 2


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="Aa 1.,，。不要必须用{}[]\"'“”`#-\n：:;", max_size=80))
def test_every_rule_is_a_span_of_the_prompt(prompt: str) -> None:
    for rule in parse(prompt):
        assert prompt[rule.start : rule.end] == rule.text
        assert rule.sentence[0] <= rule.start <= rule.end <= rule.sentence[1]


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("Return JSON.", "no fields"),
        ('Return JSON: {"a": 1, "b": [1, 2}', "broken template"),
        ('Return JSON: {"score": 3}\n- score is a string.', "two types"),
        ('Return JSON: {"score": 3}\n- `level` is an integer.', "unknown field"),
        ("Output CSV with three columns: id, name.", "field count"),
        ("输出 JSON，字段为 a、b。类别只能取规定的类别。", "labels not listed"),
        ("输出 JSON，格式如下。", "template missing"),
    ],
)
def test_defects_of_the_form(prompt: str, code: str) -> None:
    assert code in {finding.code for finding in inspect(prompt, []).findings if finding.type == "format"}


def _flagged(prompt: str, *pairs: tuple[str, str]) -> list[int | None]:
    findings = inspect(prompt, [Example(*pair) for pair in pairs]).findings
    return sorted({finding.example_index for finding in findings if finding.type == "fewshot"}, key=str)


@pytest.mark.parametrize(
    ("prompt", "spoilt"),
    [
        ("Say which it is. Groups:\n- bird\n- insect\nGive just the group.", "a kind of bird"),
        ("判断留言属于哪一类：bird、insect。只输出类别名称。", "虫子"),
        ("Answer with the name of the animal alone.", "It seems to me that this must be a beetle."),
    ],
)
def test_labels_are_those_that_the_other_examples_take_from_the_prompt(prompt: str, spoilt: str) -> None:
    sound = [("sings", "bird"), ("six legs", "insect")]
    assert _flagged(prompt, *sound) == []
    assert _flagged(prompt, *sound, ("flies", spoilt)) == [2]


def test_who_breaks_both_sides_of_a_contradiction_is_wrong_whichever_stays() -> None:
    prompt = "- Answer in at most two sentences.\n- Answer in at least five sentences."
    assert _flagged(prompt, ("a?", "One. Two. Three."), ("b?", "One.")) == [0]


@pytest.mark.parametrize(
    ("prompt", "sound", "spoilt"),
    [
        ("List two to four topics as bullets.", "- a\n- b\n- c", "- a\n- b\n- c\n- d\n- e\n- f"),
        ("文中不夹英文。", "这本书讲的是一座小城里的故事。", "This is a book about the people of a small town."),
        ("Write in the third person.", 'She said "I know" and left.', "I think that she knew it and left."),
    ],
)
def test_a_turn_that_breaks_a_rule_is_found(prompt: str, sound: str, spoilt: str) -> None:
    assert _flagged(prompt, ("a?", sound), ("b?", spoilt)) == [1]
