"""Each kind of damage is planted in the system under test, and a gate must catch it."""

import pytest
from eval_fakes import FakeSubject, make_run

from evals.gates import baseline_of, check, must_pass
from evals.judge_check import check as check_judge
from evals.judges.base import Verdict
from evals.judges.lexical import LexicalJudge
from evals.run import Plan
from evals.score import score_run

MUST_REFUSE = ("u-00", "u-01", "u-02", "u-03", "u-04", "u-05")


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "r.jsonl"
    return baseline_of(score_run(make_run(path, FakeSubject(), Plan.quick()), LexicalJudge()))


def caught(subject, baseline, tmp_path, must_refuse=()):
    """The gates that fail, apart from the fingerprint: the damage itself has to be seen, not the change."""
    found = score_run(make_run(tmp_path / "r.jsonl", subject, Plan.quick()), LexicalJudge())
    return {result.name for result in check(found, baseline, must_refuse)[1:] if not result.is_passed}


def test_nothing_planted_nothing_caught(baseline, tmp_path):
    assert caught(FakeSubject(), baseline, tmp_path, MUST_REFUSE) == set()


def test_a_worse_chunker_is_caught(baseline, tmp_path):
    found = caught(FakeSubject(chunk_chars=20), baseline, tmp_path)
    assert {f"{leg} evidence_recall@5" for leg in ("hybrid", "dense", "lexical")} <= found


def test_broken_fusion_is_caught_and_only_where_it_is(baseline, tmp_path):
    found = caught(FakeSubject(reverse_fusion=True), baseline, tmp_path)
    assert {"hybrid evidence_recall@5", "hybrid mrr@10", "hybrid ndcg@10"} <= found
    assert not any(name.startswith(("dense", "lexical")) for name in found)


def test_a_prompt_that_invites_own_knowledge_is_caught(baseline, tmp_path):
    found = caught(FakeSubject(own_knowledge=True), baseline, tmp_path, MUST_REFUSE)
    assert {"rcg faithfulness", "rcg hallucination", "rcg new_terms", "must refuse"} <= found
    assert "hybrid evidence_recall@5" not in found


def test_answers_that_change_from_run_to_run_are_caught(baseline, tmp_path):
    assert "identical" in caught(FakeSubject(unstable=True), baseline, tmp_path)


class YesJudge:
    """Says yes to everything."""

    name = "yes"

    def verdict(self, claim, passages, *, question="", lang="zh"):
        return Verdict(1.0, "always yes")


def test_a_judge_that_always_says_yes_is_caught():
    honest, yes = check_judge(LexicalJudge()), check_judge(YesJudge())
    assert must_pass("lexical", honest.must_pass_failed).is_passed
    assert not must_pass("yes", yes.must_pass_failed).is_passed
    assert not yes.beats_floor
    assert yes.scores["balanced_accuracy"].value == 0.5


def test_a_judge_that_always_says_yes_would_have_hidden_the_inventions(baseline, tmp_path):
    """Why the judge needs a gate of its own: under it the planted prompt looks faithful."""
    found = score_run(make_run(tmp_path / "r.jsonl", FakeSubject(own_knowledge=True), Plan.quick()), YesJudge())
    names = {result.name for result in check(found, baseline) if not result.is_passed}
    assert "rcg faithfulness" not in names
    assert "baseline" in names  # the baseline was judged by another judge
    assert "rcg new_terms" in names  # and what needs no judge still sees it
