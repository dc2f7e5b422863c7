"""The planted-defect set is what it says, and the scorer can tell good from bad."""

import pytest

from evals.prompts.planted import load
from evals.prompts.repaired import is_repaired
from evals.prompts.score import Outcome, constant, has_new_defect, is_fixed, score


def test_the_set_has_the_declared_sizes() -> None:
    cases = [case for split in ("dev", "test") for case in load(split)]
    groups = [case.group for case in cases]
    assert groups.count("contradiction") >= 60
    assert groups.count("format") >= 40
    assert groups.count("fewshot") >= 60
    assert groups.count("mixed") >= 20
    assert groups.count("clean") >= 60
    assert len({case.id for case in cases}) == len(cases)
    assert len(load("hand")) == 30


def test_no_seed_is_in_two_splits() -> None:
    assert not {case.seed for case in load("dev")} & {case.seed for case in load("test")}


@pytest.mark.parametrize("split", ["dev", "test"])
def test_every_planted_defect_is_there_and_every_kept_line_too(split: str) -> None:
    for case in load(split):
        lines = case.prompt.split("\n")
        assert all(line in lines for line in case.kept), case.id
        for at, check in case.checks:
            assert not is_repaired(check, case.prompt if at is None else case.examples[at].assistant), (case.id, check)


def test_trivial_systems_score_as_they_must() -> None:
    cases = load("dev")
    never = score("never", cases, constant(cases, frozenset()))
    always = score("always", cases, constant(cases, frozenset({"contradiction", "format", "fewshot"})))
    assert never.false_positives.value == 0
    assert never.f1["contradiction"].value == 0
    assert always.recall["fewshot"].value == 1
    assert always.false_positives.value == 1
    assert never.fixed.value == 0
    assert never.untouched.value == 1


def test_a_lost_rule_and_a_changed_sound_example_are_new_defects() -> None:
    case = next(case for case in load("dev") if case.id == "en-reader-fewshot0")
    turns = tuple(example.assistant for example in case.examples)
    assert not has_new_defect(case, Outcome(case.id, frozenset(), case.prompt, turns))
    assert has_new_defect(case, Outcome(case.id, frozenset(), "Something else.", turns))
    assert has_new_defect(case, Outcome(case.id, frozenset(), case.prompt, (turns[0], "changed", turns[2])))
    assert not is_fixed(case, Outcome(case.id, frozenset(), case.prompt, turns))
    assert is_fixed(case, Outcome(case.id, frozenset(), case.prompt, ("Short [1].", *turns[1:])))
