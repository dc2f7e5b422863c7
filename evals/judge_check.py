"""The judge of the judge: how well does a judge tell supported claims from the others, and does it beat its floor?

Every judge is measured on the same labelled pairs as the lexical judge, its floor. A judge beats the floor when the
paired confidence interval of the difference in balanced accuracy lies above zero; if it does not, reports say so.
Thresholds, calibrations and weights were fitted on the dev split, so every figure comes from the test split; the
must-pass list is asked from both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.judge_pairs import Pair, load_pairs
from evals.judges.base import THRESHOLD, Judge
from evals.judges.calibration import Calibration, fit_calibration
from evals.judges.combined import Weights, fit
from evals.judges.lexical import LexicalJudge
from evals.metrics.statistics import Estimate, auroc, balanced_accuracy, brier, calibration_error, paired_bootstrap
from evals.types import Score

METRICS = ("balanced_accuracy", "auroc", "ece", "brier")


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """What a judge is worth on ``n`` test pairs. ``difference``: its balanced accuracy minus the floor's, paired.

    ``by_kind`` and ``by_lang``: kind or language of the claim → (right, pairs). ``must_pass_failed`` are ids.
    """

    judge: str
    n: int
    scores: Mapping[str, Score]
    floor: Mapping[str, Score]
    difference: Estimate
    by_kind: Mapping[str, tuple[int, int]]
    by_lang: Mapping[str, tuple[int, int]]
    must_pass_failed: tuple[str, ...]

    @property
    def beats_floor(self) -> bool:
        """Whether the judge is better than the lexical floor beyond chance. The floor itself never is."""
        return self.difference.low is not None and self.difference.low > 0

    @property
    def is_fit(self) -> bool:
        """Whether no pair of the must-pass list failed."""
        return not self.must_pass_failed


def check(judge: Judge, pairs: Sequence[Pair] | None = None) -> JudgeReport:
    """Measure a judge and the floor on the test split of the check set (the committed one by default)."""
    chosen = [p for p in (load_pairs() if pairs is None else pairs) if p.split == "test" or p.must_pass]
    return measure(judge.name, chosen, probabilities(judge, chosen))


def probabilities(judge: Judge, pairs: Sequence[Pair]) -> list[float]:
    """The judge's probability of "supported" for each pair."""
    return [judge.verdict(p.claim, p.passages, lang=p.lang).p_supported for p in pairs]


def measure(name: str, pairs: Sequence[Pair], judged: Sequence[float]) -> JudgeReport:
    """Compare the probabilities of pairs with their labels and with the floor.

    Raises:
        ValueError: not one probability per pair.
    """
    if len(judged) != len(pairs):
        raise ValueError(f"{len(judged)} probabilities for {len(pairs)} pairs")
    asked = list(zip(pairs, judged, strict=True))
    test = [(p, probability) for p, probability in asked if p.split == "test"]
    labels = [p.is_supported for p, _ in test]
    ours, floor = [p for _, p in test], probabilities(LexicalJudge(), [p for p, _ in test])
    right = [_is_right(p, probability) for p, probability in test]
    return JudgeReport(
        judge=name,
        n=len(test),
        scores=_quality(ours, labels),
        floor=_quality(floor, labels),
        difference=paired_bootstrap(_balanced(ours, labels), _balanced(floor, labels)),
        by_kind=_right_by([p.kind for p, _ in test], right),
        by_lang=_right_by([p.lang for p, _ in test], right),
        must_pass_failed=tuple(p.id for p, probability in asked if p.must_pass and not _is_right(p, probability)),
    )


def fit_combined(model: Judge, pairs: Sequence[Pair], *, provenance: Mapping[str, str]) -> Weights:
    """Fit the combined judge's weights on the dev split of the pairs."""
    dev = [p for p in pairs if p.split == "dev"]
    return fit(
        probabilities(LexicalJudge(), dev),
        probabilities(model, dev),
        [p.is_supported for p in dev],
        provenance={"judge": model.name, "pairs": str(len(dev)), **provenance},
    )


def fit_calibrations(raw: Judge, pairs: Sequence[Pair]) -> dict[str, Calibration]:
    """Fit a calibration per language on the dev split; ``raw`` must be an uncalibrated judge."""
    found = {}
    for lang in dict.fromkeys(p.lang for p in pairs):
        dev = [p for p in pairs if p.split == "dev" and p.lang == lang]
        found[lang] = fit_calibration(probabilities(raw, dev), [p.is_supported for p in dev])
    return found


def render(report: JudgeReport) -> str:
    """The report as plain text: each figure with the floor's beside it."""
    lines = [f"Judge {report.judge} on {report.n} labelled test pairs", f"{'':20}{'judge':>8}{'floor':>8}"]
    lines += [f"{name:20}{_shown(report.scores[name]):>8}{_shown(report.floor[name]):>8}" for name in METRICS]
    d = report.difference
    if d.value is not None and d.low is not None and d.high is not None:
        lines.append(f"difference in balanced accuracy {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]")
    lines += [f"  {kind:20}{right:>4} of {n}" for kind, (right, n) in {**report.by_kind, **report.by_lang}.items()]
    lines.append(verdict_line(report))
    if report.must_pass_failed:
        lines.append(f"FAILED must-pass pairs: {', '.join(report.must_pass_failed)}")
    return "\n".join(lines)


def verdict_line(report: JudgeReport) -> str:
    """One sentence for every report that uses the judge."""
    if report.beats_floor:
        return f"The judge {report.judge} beats its lexical floor."
    if report.judge == LexicalJudge.name:
        return "The judge is the lexical floor itself: a check by rule, not by a model."
    return f"Careful: the judge {report.judge} does not beat its lexical floor."


def _quality(judged: Sequence[float], labels: Sequence[bool]) -> dict[str, Score]:
    scores = (f(judged, labels) for f in (balanced_accuracy, auroc, calibration_error, brier))
    return dict(zip(METRICS, scores, strict=True))


def _balanced(judged: Sequence[float], labels: Sequence[bool]) -> list[float]:
    """One value per pair whose mean is the balanced accuracy: right / (2 · share of its class)."""
    share = {label: labels.count(label) / len(labels) for label in set(labels)}
    return [((p >= THRESHOLD) == y) / (2 * share[y]) for p, y in zip(judged, list(labels), strict=True)]


def _is_right(pair: Pair, probability: float) -> bool:
    return (probability >= THRESHOLD) == pair.is_supported


def _right_by(keys: Sequence[str], right: Sequence[bool]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for key, ok in zip(keys, right, strict=True):
        before = found.get(key, (0, 0))
        found[key] = (before[0] + ok, before[1] + 1)
    return found


def _shown(score: Score) -> str:
    return "undefined" if score.value is None else f"{score.value:.3f}"
