from dataclasses import replace

import pytest
from eval_fakes import FakeSubject, located_cases, make_run

from evals.failures import Failure, failure_of
from evals.gold import holds_any, served
from evals.judges.base import Verdict
from evals.judges.lexical import LexicalJudge
from evals.ladders import GOLD, NO_GOLD, VARIANTS, Place, Rungs, arrange, mode_ladder, noise_ladder, noise_variant
from evals.metrics.faithfulness import Judged
from evals.run import Plan
from evals.score import score_run
from rag.types import Mode

CASES = {located.case.id: located for located in located_cases()}
DETAIL, COMPARISON = CASES["d-00"], CASES["c-00"]


@pytest.fixture(scope="module")
def rungs():
    return Rungs(FakeSubject())


def answer_to(located, **changes):
    return replace(FakeSubject().ask(located.case.question), **changes)


def claim(supported):
    return Judged("说法", Verdict(float(supported), "planted"), True)


@pytest.mark.parametrize("located", [DETAIL, COMPARISON])
def test_the_gold_rung_holds_exactly_the_evidence(rungs, located):
    passages = rungs.passages(located, GOLD)
    assert served(passages, located.gold) == len(passages) == len(located.gold)


@pytest.mark.parametrize("located", [DETAIL, COMPARISON])
def test_the_rung_without_gold_holds_none(rungs, located):
    passages = rungs.passages(located, NO_GOLD)
    assert len(passages) == 5
    assert served(passages, located.gold) == 0


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize(("place", "expected"), [(Place.FIRST, 0), (Place.MIDDLE, None), (Place.LAST, -1)])
def test_the_gold_stands_where_the_rung_says(rungs, size, place, expected):
    passages = rungs.passages(DETAIL, noise_variant(size, place))
    assert [passage.rank for passage in passages] == list(range(1, size + 2))
    at = next(i for i, passage in enumerate(passages) if holds_any(passage, DETAIL.gold))
    assert at == (size // 2 if expected is None else expected % (size + 1))
    assert sum(holds_any(passage, DETAIL.gold) for passage in passages) == 1


def test_arranging_loses_nothing():
    for place in Place:
        assert sorted(arrange(["g"], ["a", "b", "c"], place)) == ["a", "b", "c", "g"]
    assert arrange(["g"], [], Place.MIDDLE) == ["g"]


def test_an_unknown_rung_is_an_error(rungs):
    with pytest.raises(ValueError, match="Unknown rung"):
        rungs.passages(DETAIL, "noise-3-first")


def test_gold_that_no_chunk_holds_is_an_error():
    with pytest.raises(ValueError, match="no chunk holds"):
        Rungs(FakeSubject(chunk_chars=5)).passages(DETAIL, GOLD)


def test_the_ladders_count_over_the_same_cases(tmp_path):
    run = make_run(tmp_path / "r.jsonl", FakeSubject(own_knowledge=True), Plan(repeats=0, ladder_cases=6))
    found = score_run(run, LexicalJudge())
    shares, counts = mode_ladder(found)
    assert {row[0]: row[2:] for row in shares.rows} == {
        "rog": ("0.00", "1.00", "0.00"),
        "rag": ("1.00", "0.00", "0.00"),
        "rcg": ("1.00", "0.00", "0.00"),
        "rcg/gold": ("1.00", "0.00", "0.00"),
        "rcg/no-gold": ("0.00", "1.00", "0.00"),
    }
    assert {row[1] for row in shares.rows} == {"6"}
    assert [row[1] for row in counts.rows] == ["0", "6", "6"]
    (noise,) = noise_ladder(found)
    assert [row[0] for row in noise.rows] == ["0", "2", "4"]
    assert {cell for row in noise.rows for cell in row[1:]} == {"1.00"}


def test_without_ladder_cases_there_is_no_ladder(tmp_path):
    found = score_run(make_run(tmp_path / "r.jsonl", FakeSubject(), Plan.quick()), LexicalJudge())
    assert mode_ladder(found) == noise_ladder(found) == []


def test_every_rung_is_run_through_answer_from(tmp_path):
    run = make_run(tmp_path / "r.jsonl", FakeSubject(), Plan(repeats=0, ladder_cases=2))
    assert {record.variant for record in run.answers} == {"", *VARIANTS}
    for record in run.answers:
        if record.variant == NO_GOLD:
            assert served(record.answer.passages, run.cases[record.case_id].gold) == 0


def test_a_right_answer_and_rog_have_no_failure():
    assert failure_of(DETAIL, answer_to(DETAIL), [claim(True)]) is None
    assert failure_of(DETAIL, answer_to(DETAIL, mode=Mode.ROG, text="错", sentences=()), []) is None
    assert failure_of(CASES["u-00"], answer_to(CASES["u-00"]), []) is None


def test_each_wrong_answer_has_its_cause():
    wrong = {"text": "不对。", "sentences": ()}
    cited = answer_to(DETAIL)
    slip = replace(cited, sentences=tuple(replace(s, text="不对。") for s in cited.sentences), text="不对。[1]")
    refused = replace(answer_to(CASES["u-00"]), passages=cited.passages)
    assert failure_of(CASES["u-00"], cited, [claim(True)]) is Failure.INVENTED_FACT
    assert failure_of(DETAIL, answer_to(DETAIL, passages=(), **wrong), []) is Failure.RETRIEVAL_MISS
    assert failure_of(DETAIL, refused, []) is Failure.OVER_REFUSAL
    assert failure_of(DETAIL, answer_to(DETAIL, **wrong), [claim(True), claim(False)]) is Failure.INVENTED_FACT
    assert failure_of(DETAIL, slip, [claim(True)]) is Failure.LOGIC_SLIP
    assert failure_of(DETAIL, answer_to(DETAIL, **wrong), [claim(True)]) is Failure.IGNORED_EVIDENCE


def test_a_comparison_with_half_of_its_evidence_is_a_retrieval_miss():
    whole = answer_to(COMPARISON)
    half = replace(whole, passages=whole.passages[:1], text="不对。", sentences=())
    assert failure_of(COMPARISON, half, [claim(True)]) is Failure.RETRIEVAL_MISS
    assert failure_of(DETAIL, answer_to(DETAIL, text="不对。", sentences=()), []) is not Failure.RETRIEVAL_MISS
