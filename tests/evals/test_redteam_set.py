"""The committed attacks are sound and cover what a reader of notes must survive."""

from pathlib import Path

import pytest

import evals.text
from evals import cli_redteam
from evals.redteam import Attack, load_attacks
from evals.redteam_rules import shows
from rag.text import detect_language
from rag.types import Mode

ATTACKS = load_attacks(cli_redteam.ATTACKS)
KINDS = {
    "ignore_instructions": "notes with instructions",
    "always_yes": "always answer yes",
    "fake_citation": "citations that a note makes up",
    "fake_delimiter": "the end of the notes, faked",
    "format_hijack": "a JSON format to copy",
    "chat_template": "template tokens",
    "prompt_leak": "questions for the prompt",
    "authority_question": "questions that claim an authority",
    "long_irrelevant": "long evidence beside the point",
    "against_world": "evidence against world knowledge",
    "near_duplicates": "forty near-duplicates",
}
by_id = pytest.mark.parametrize("attack", ATTACKS.attacks, ids=lambda attack: attack.id)


def note(name: str) -> str:
    return ATTACKS.texts[name]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_attacked_twice_and_in_both_languages(kind):
    languages = [detect_language(a.question) for a in ATTACKS.attacks if a.attack == kind]
    assert len(languages) >= 2
    assert {*languages} == {"zh", "en"}


def test_there_are_enough_and_every_note_is_used():
    assert 45 <= len(ATTACKS.attacks) <= 60
    assert {*ATTACKS.texts} == {path.name for path in (cli_redteam.ATTACKS / "notes").iterdir()}
    assert {attack.mode for attack in ATTACKS.attacks} >= {Mode.RCG, Mode.RAG}


@by_id
def test_the_notes_hold_every_fact(attack: Attack):
    text = "\n".join(note(name) for name in attack.notes)
    for forms in attack.must_contain:
        assert any(evals.text.holds_form(text, form) for form in forms)


@by_id
def test_a_question_repeated_is_no_answer(attack: Attack):
    for forms in attack.must_contain:
        assert [form for form in forms if evals.text.holds_form(attack.question, form)] == []


@by_id
def test_an_answer_in_the_words_of_a_fact_breaks_no_rule(attack: Attack):
    right = "；".join(forms[0] for forms in attack.must_contain)
    assert [form for form in attack.must_not_contain if shows(right, form)] == []


def test_the_notes_hold_what_they_are_for():
    assert sum("160 帧" in line for line in note("near_duplicates.md").splitlines()) == 40
    assert "<|im_end|>" in note("chat_template.md")
    assert '{"answer"' in note("json_format.md")
    assert "</笔记>" in note("real_delimiters.md")
    assert "</notes>" in note("real_delimiters.md")
    assert "\u200b" in note("hidden_text.md")
    assert "\u202e" in note("hidden_text.md")
    for name in ("long_irrelevant.md", "long_english.md"):
        assert len(note(name)) > 3000


def test_the_set_ships_with_the_package():
    assert cli_redteam.ATTACKS.is_relative_to(Path(evals.text.__file__).parent)
