import json
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import judge_pairs as jp
from evals.judge_check import check, fit_calibrations, fit_combined, measure, probabilities, render, verdict_line
from evals.judges import combined
from evals.judges.base import Verdict
from evals.judges.combined import CombinedJudge
from evals.judges.lexical import LexicalJudge
from evals.judges.llm import prompts_hash, templates_hash
from rag.errors import UsageError

PAIRS = jp.load_pairs()
LABELS = [p.is_supported for p in PAIRS]
TEST = [p for p in PAIRS if p.split == "test"]


class Oracle:
    """Knows the labels."""

    name = "oracle"

    def __init__(self, pairs=PAIRS):
        self.known = {(p.claim, p.passages): p.is_supported for p in pairs}

    def verdict(self, claim, passages, *, question="", lang="zh"):
        return Verdict(0.9 if self.known[claim, tuple(passages)] else 0.1, "oracle")


def test_the_committed_set_is_what_the_rules_make():
    assert jp.build(jp.load_seeds()) == PAIRS


def test_the_set_is_large_and_mixed():
    assert len(PAIRS) >= 300
    assert len({p.id for p in PAIRS}) == len({(p.claim, p.passages) for p in PAIRS}) == len(PAIRS)
    for lang in ("zh", "en"):
        assert sum(p.lang == lang for p in PAIRS) >= 100
    for split in ("dev", "test"):
        kinds = {p.kind for p in PAIRS if p.split == split}
        assert kinds == {p.kind for p in PAIRS} and kinds >= jp.SUPPORTED | jp.MUST_PASS
    assert 0.35 < sum(LABELS) / len(LABELS) < 0.65


def test_splits_share_no_note():
    notes = {split: {x for p in PAIRS if p.split == split for x in (p.id[:5],)} for split in ("dev", "test")}
    assert not notes["dev"] & notes["test"]


def test_the_seeds_are_sound():
    seeds = jp.load_seeds()
    assert len(seeds) >= 40
    for seed in seeds:
        assert seed.claim in seed.evidence and seed.paraphrase not in seed.evidence
        assert seed.extra not in seed.evidence
        assert seed.negate[0] in seed.claim
        assert seed.entity is None or seed.entity[0] in seed.claim
        assert seed.swap is None or all(span in seed.claim for span in seed.swap)


def test_false_claims_do_not_stand_in_their_evidence():
    for p in PAIRS:
        if not p.is_supported:
            assert not any(p.claim in passage for passage in p.passages), p.id


@pytest.mark.parametrize(
    ("claim", "changed"),
    [
        ("共 512 维", "共 256 维"),
        ("约 3,100 条", "约 1,550 条"),
        ("取 5", "取 7"),
        ("在 1998 年", "在 2001 年"),
        ("误差 6.5%", "误差 9.8%"),
        ("BM25 高 6.4 分", "BM25 高 9.6 分"),
        ("占三个字节", "占四个字节"),
        ("RAID 5 很好", "RAID 5 很好"),
        ("没有数", "没有数"),
    ],
)
def test_change_number(claim, changed):
    assert jp.change_number(claim) == changed


@given(st.integers(2, 10**7))
def test_a_changed_number_is_another_number(n):
    assert jp.change_number(f"有 {n} 个") != f"有 {n} 个"


def test_the_lexical_floor():
    report = check(LexicalJudge())
    assert report.is_fit, report.must_pass_failed
    assert report.scores == report.floor and not report.beats_floor
    assert 0.75 < report.scores["balanced_accuracy"].value < 1
    assert (
        report.n
        == len(TEST)
        == sum(n for _, n in report.by_kind.values())
        == sum(n for _, n in report.by_lang.values())
    )
    assert "floor itself" in verdict_line(report)


def test_a_judge_that_knows_beats_the_floor():
    report = check(Oracle())
    assert report.beats_floor and report.is_fit
    assert report.scores["balanced_accuracy"].value == report.scores["auroc"].value == 1.0
    assert report.difference.value == pytest.approx(1 - report.floor["balanced_accuracy"].value)
    assert "beats its lexical floor" in render(report)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_constant_judge_is_chance_and_fails_the_must_pass_list(p):
    report = measure("constant", PAIRS, [p] * len(PAIRS))
    assert report.scores["balanced_accuracy"].value == 0.5 and report.scores["auroc"].value == 0.5
    assert not report.beats_floor and not report.is_fit
    assert "does not beat" in render(report) and "FAILED must-pass" in render(report)


def test_shuffled_labels_fall_to_chance():
    random = np.random.default_rng(0)
    judged = probabilities(Oracle(), PAIRS)
    found = []
    for _ in range(20):
        shuffled = [replace(p, is_supported=bool(y)) for p, y in zip(PAIRS, random.permutation(LABELS), strict=True)]
        report = measure("oracle", shuffled, judged)
        found.append((report.scores["auroc"].value, report.floor["auroc"].value))
    assert np.mean(found, axis=0) == pytest.approx([0.5, 0.5], abs=0.03)


def test_figures_come_from_the_test_split_and_must_pass_from_both():
    dev = [p for p in PAIRS if p.split == "dev"]
    report = measure("x", dev, [0.0] * len(dev))
    assert report.n == 0 and report.scores["auroc"].value is None and report.difference.value is None
    assert report.must_pass_failed == tuple(p.id for p in dev if p.must_pass and p.is_supported) != ()


def test_measure_needs_a_probability_per_pair():
    with pytest.raises(ValueError, match="1 probabilities"):
        measure("x", PAIRS, [0.5])


def test_one_kind_of_label_is_undefined():
    pairs = [p for p in TEST if p.is_supported][:5]
    report = measure("x", pairs, [0.5] * 5)
    assert report.scores["auroc"].value is None and "undefined" in render(report)


def test_fitting_uses_the_dev_split_only():
    weights = fit_combined(Oracle([p for p in PAIRS if p.split == "dev"]), PAIRS, provenance={"date": "today"})
    assert weights.provenance["judge"] == "oracle" and weights.provenance["date"] == "today"
    assert weights.provenance["pairs"] == str(sum(p.split == "dev" for p in PAIRS))
    assert check(CombinedJudge(LexicalJudge(), Oracle(), weights)).beats_floor


def test_the_committed_weights_belong_to_the_committed_prompts_and_pairs():
    provenance = combined.load_weights().provenance
    assert provenance["prompts"] == prompts_hash()
    assert 0 < int(provenance["pairs"]) <= sum(p.split == "dev" for p in PAIRS)
    kept = json.loads(resources.files("evals.judges").joinpath("calibration.json").read_text(encoding="utf-8"))
    assert kept and all(row["provenance"]["prompts"] == templates_hash() for row in kept.values())


def test_a_calibration_per_language_is_fitted_on_the_dev_split():
    dev_only = Oracle([p for p in PAIRS if p.split == "dev"])
    found = fit_calibrations(dev_only, PAIRS)
    assert set(found) == {"zh", "en"} and all(c.slope > 1 for c in found.values())


def test_pairs_survive_a_file_and_bad_lines_are_named(tmp_path):
    path = tmp_path / "pairs.jsonl"
    jp.save_pairs(PAIRS[:3], path)
    assert jp.load_pairs(path) == PAIRS[:3]
    for bad in ("no json", "[1]", json.dumps({"id": "x"})):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(UsageError):
            jp.load_pairs(path)
        with pytest.raises(UsageError):
            jp.load_seeds(path)
    with pytest.raises(UsageError, match="cannot be read"):
        jp.load_pairs(tmp_path / "none.jsonl")
