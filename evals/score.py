"""Score: from a run file to scores per case and figures per slice. No generator is ever called.

Order of the work: rows (one per case and condition, ``_retrieval_row`` and ``_answer_row``), then
figures (``_figures``: every metric of every condition and slice, aggregated by ``evals.aggregate``).
An error counts as the worst value of every metric; what is undefined is None with a reason.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import rag.text
from evals import text
from evals.aggregate import estimate
from evals.cases import LocatedCase
from evals.failures import Failure, failure_of
from evals.judges.base import Judge, Verdict
from evals.ladders import NO_GOLD
from evals.metrics.answers import answer_scores
from evals.metrics.citations import citation_scores, evidence_cited, evidence_hit, id_validity
from evals.metrics.cost import cost_scores
from evals.metrics.faithfulness import Judged, judge_claims, judged_scores, model_free_scores
from evals.metrics.refusals import decide, refusal_scores
from evals.metrics.retrieval import budget_scores, retrieval_scores
from evals.metrics.statistics import percentile
from evals.run import REPEAT
from evals.runs import Answered, Retrieval, Run
from evals.scored import COMPOSITES, Figure, Row, Scored, condition_of, slice_names, terms
from evals.types import Score
from rag.errors import MingbaiError
from rag.types import Answer, Leg, Mode, Passage

MAX_ERROR_RATE = 0.02
TOKEN_BUDGETS = (700, 1400)
"""Half of and the whole default of the setting ``pack.budget_tokens``."""
TOKENS_PER_CHAR = 0.75
"""Qwen2.5's tokenizer on mixed Chinese and English notes; an estimate, so that scoring needs no model."""
TRADITIONAL_SHARE = 0.05
"""From this share of traditional-only characters on, a text counts as traditional."""

WORST: Mapping[str, float] = {
    "faithfulness": 0.0,
    "hallucination": 1.0,
    "false_support": 1.0,
    "new_numbers": 1.0,
    "new_terms": 1.0,
    "bigram_novelty": 1.0,
    "quote_validity": 0.0,
    "repetition": 1.0,
    "answer_language": 0.0,
    "citation_recall": 0.0,
    "citation_precision": 0.0,
    "id_validity": 0.0,
    "cited_evidence_hit": 0.0,
    "evidence_cited": 0.0,
}
"""What a failed answer gets for the metrics that need an answer's text."""
WITHOUT_EVIDENCE = frozenset({"repetition", "answer_language"})
"""The only ones of these that mean something without passages (ROG)."""


class TooManyFailuresError(MingbaiError):
    """More of a run failed than a run may."""


class CarefulJudge:
    """A judge whose failures and impossible probabilities count as "not supported" and are counted."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.unparsed = 0

    @property
    def name(self) -> str:
        """The name of the judge inside."""
        return self._judge.name

    def verdict(self, claim: str, passages: Sequence[str], *, question: str = "", lang: str = "zh") -> Verdict:
        """As the judge inside, but it never raises an error of ours."""
        try:
            verdict = self._judge.verdict(claim, passages, question=question, lang=lang)
        except MingbaiError as error:
            self.unparsed += 1
            return Verdict(0.0, f"failed: {error}")
        if not 0 <= verdict.p_supported <= 1:  # NaN fails this too
            self.unparsed += 1
            return Verdict(0.0, f"impossible probability {verdict.p_supported}")
        return verdict


def score_run(run: Run, judge: Judge) -> Scored:
    """Score everything that a run recorded."""
    careful = CarefulJudge(judge)
    answers = {(a.case_id, condition_of(a.mode, a.variant)): a for a in run.answers}
    rows = [row for record in run.retrievals for row in _retrieval_rows(run.cases[record.case_id], record)]
    judged: dict[tuple[str, str], list[Judged]] = {}
    failures: dict[tuple[str, str], Failure] = {}
    for key, record in answers.items():
        if record.variant == REPEAT:
            rows.append(_repeat_row(run.cases[record.case_id], record, answers[record.case_id, str(record.mode)]))
            continue
        case = run.cases[record.case_id]
        if record.answer is not None:
            judged[key] = [] if record.mode is Mode.ROG else judge_claims(record.answer, careful)
            failure = failure_of(case, record.answer, judged[key])
            if failure and record.variant != NO_GOLD:  # a miss there was planned
                failures[key] = failure
        rows.append(_answer_row(case, record, judged.get(key, []), careful))
    return Scored(
        header=run.header,
        judge=judge.name,
        unparsed=careful.unparsed,
        cases=run.cases,
        retrievals={record.case_id: record for record in run.retrievals},
        answers=answers,
        rows=rows,
        figures=list(_figures(rows)),
        failures=failures,
        judged=judged,
        cost=_cost(run),
    )


def check_errors(scored: Scored) -> None:
    """Raises TooManyFailuresError when more than 2 % of a run failed: it says nothing about quality."""
    if scored.error_rate > MAX_ERROR_RATE:
        case_id, condition, error = scored.errors[0]
        raise TooManyFailuresError(
            f"{scored.error_rate:.1%} of the run are errors (at most {MAX_ERROR_RATE:.0%}), the first is case "
            f"{case_id} under {condition}: {error}. Repair the cause and run again with --fresh."
        )


def direction(located: LocatedCase) -> str:
    """``language of the question→language of the evidence``, scripts told apart; empty without evidence."""
    quotes = "".join(evidence.quote for evidence in located.case.evidence)
    return f"{_script(located.case.question)}→{_script(quotes)}" if located.gold else ""


def _retrieval_rows(located: LocatedCase, record: Retrieval) -> Iterator[Row]:
    legs = record.legs or dict.fromkeys((Leg.TERM, Leg.DENSE, Leg.LEXICAL, Leg.HYBRID), ())
    for leg, passages in legs.items():
        scores = [
            *retrieval_scores(located.case, passages, located.gold),
            *budget_scores(passages, located.gold, [_tokens(p) for p in passages], TOKEN_BUDGETS),
        ]
        yield _row(located, str(leg), scores, record.error)


def _answer_row(located: LocatedCase, record: Answered, judged: Sequence[Judged], judge: Judge) -> Row:
    case, answer = located.case, record.answer
    scores = [*answer_scores(case, answer), *refusal_scores([decide(case, answer)])]
    if answer is None:
        detail = [Score(name, worst, "the answer failed") for name, worst in WORST.items()]
    else:
        detail = _text_scores(located, answer, judged, judge)
    if record.mode is Mode.ROG:
        detail = [score for score in detail if score.metric in WITHOUT_EVIDENCE]
    kept = [score for score in (*scores, *detail) if score.metric not in COMPOSITES]
    return _row(located, condition_of(record.mode, record.variant), kept, record.error)


def _text_scores(located: LocatedCase, answer: Answer, judged: Sequence[Judged], judge: Judge) -> list[Score]:
    return [
        *judged_scores(answer, judged),
        *model_free_scores(answer),
        *(citation_scores(answer, judge) if answer.mode is not Mode.ROG else ()),
        id_validity(answer),
        evidence_hit(answer, located.gold),
        evidence_cited(answer, located.gold),
    ]


def _repeat_row(located: LocatedCase, again: Answered, first: Answered) -> Row:
    same = again.answer is not None and first.answer is not None and _shown(again.answer) == _shown(first.answer)
    return _row(located, condition_of(again.mode, REPEAT), [Score("identical", float(same))], again.error)


def _shown(answer: Answer) -> tuple[object, ...]:
    """All of an answer that a reader sees; timings differ between runs."""
    return (answer.state, answer.text, answer.sentences, [p.chunk_id for p in answer.passages], answer.nearest)


def _row(located: LocatedCase, condition: str, scores: Sequence[Score], error: str) -> Row:
    slices = {"type": str(located.case.type), "lang": located.case.lang}
    if where := direction(located):
        slices["direction"] = where
    return Row(located.case.id, condition, slices, {score.metric: score for score in scores}, error)


def _figures(rows: Sequence[Row]) -> Iterator[Figure]:
    """Every metric of every condition over all its cases and over every slice."""
    by_condition: dict[str, list[Row]] = {}
    for row in rows:
        by_condition.setdefault(row.condition, []).append(row)
    for condition, members in by_condition.items():
        measured = list(dict.fromkeys(name for row in members for name in row.scores))
        measured += [name for name, parts in COMPOSITES.items() if set(parts) <= set(measured)]
        for name in slice_names(members):
            chosen = [row for row in members if row.is_in(name)]
            for metric in measured:
                yield Figure(condition, name, metric, estimate(terms(chosen, metric)))


def _cost(run: Run) -> dict[str, dict[str, float | None]]:
    by_condition: dict[str, list[Answered]] = {}
    for record in run.answers:
        if not record.variant:
            by_condition.setdefault(str(record.mode), []).append(record)
    cost: dict[str, dict[str, float | None]] = {}
    for condition, records in by_condition.items():
        seconds = [record.seconds for record in records if not record.error]
        scores = cost_scores([record.answer for record in records if record.answer is not None])
        cost[condition] = {
            "seconds_p50": percentile(seconds, 0.5).value,
            "seconds_p95": percentile(seconds, 0.95).value,
            **{score.metric: score.value for score in scores},
            "peak_memory_mb": max(record.peak_mb for record in records),
        }
    if run.retrievals:
        seconds = [record.seconds for record in run.retrievals]
        cost["retrieval (all legs)"] = {f"seconds_p{p}": percentile(seconds, p / 100).value for p in (50, 95)}
    return cost


def _tokens(passage: Passage) -> int:
    return math.ceil((passage.end - passage.start) * TOKENS_PER_CHAR)


def _script(written: str) -> str:
    if text.language(written) != "zh":
        return "en"
    chinese = "".join(rag.text.HAN.findall(written))
    traditional = sum(char != simple for char, simple in zip(chinese, rag.text.fold(chinese), strict=False))
    return "zh-Hant" if traditional > TRADITIONAL_SHARE * len(chinese) else "zh-Hans"
