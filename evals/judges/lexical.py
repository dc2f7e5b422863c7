"""The lexical judge: no model, the default in CI, and the floor that every other judge has to beat.

A claim is compared with windows of three neighbouring sentences, of each passage and across passages. Coverage is the
share of the claim's content units that a window holds. Then what overlap cannot see: a number or a Latin term that the
window lacks, a negation on one side only, an antonym in the place of its opposite. Traditional and simplified
characters count as equal. An English claim over Chinese notes (or the reverse) shares only numbers and Latin terms;
that says little, so those verdicts stay near one half.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import rag.text
from evals import numerals, text
from evals.judges.base import Verdict

WINDOW = 3
"""Sentences that are read together: a definition and its number often stand in neighbouring ones."""
COVERED = 0.8
UNCOVERED = 0.1
"""Coverage at which overlap alone says surely yes, surely no; chosen on the dev split of the check set."""
FAULT_FACTOR = 0.3
"""What each fault leaves of the probability: with one fault a claim that is fully covered falls below one half."""
CROSS_BASE = 0.5
CROSS_RANGE = 0.25
"""Verdicts across languages lie within 0.5 ± 0.25."""
ALIGNED = 0.5
"""Share of a clause's units that the evidence clause must hold before negation and antonyms are compared."""
_SPREAD_FACTOR = 0.95  # a claim that needs several passages is a little less sure than one that needs a single one

_CLAUSE = re.compile(r"[，,；;。！？!?：:（）()\n]+|(?<=[a-z])\.(?=\s|$)")
_HARMLESS = re.compile(
    "不仅|不但|不同|不过|不断|不止|不管|不论|无论|无非|非常|除非|不只|非线性|无监督|未来|无穷|无限|是否|能否|不等|"
    "否则|从未来|不妨|不得不|不可避免|not only|no matter|nothing but|unsupervised"
)
_WORD = re.compile("[a-z]+")
_NEGATION = re.compile(
    r"不|没|无|非|未|勿|\b(?:not|no|never|nothing|without|cannot|neither|nor|none|fails?|unable|lacks?)\b|n't"
)
_OPPOSITES = tuple(
    tuple(pair.split("/"))
    for pair in (
        "增加/减少 增大/减小 提高/降低 提升/降低 上升/下降 升维/降维 更大/更小 更快/更慢 更高/更低 更多/更少 最大/最小 "
        "变大/变小 较大/较小 较快/较慢 较高/较低 加快/减慢 之前/之后 以前/以后 有监督/无监督 稀疏/稠密 编码器/解码器 "
        "输入/输出 训练/推理 优点/缺点 容易/困难 左侧/右侧 放大/缩小 上采样/下采样 正样本/负样本 全局/局部 静态/动态 "
        "串行/并行 单向/双向 高维/低维 线性/非线性 过拟合/欠拟合 浅层/深层 固定/可变 显式/隐式 精确/近似 在线/离线 "
        "increase/decrease increases/decreases higher/lower faster/slower larger/smaller more/fewer more/less "
        "before/after maximum/minimum encoder/decoder input/output training/inference sparse/dense local/global "
        "raises/lowers raise/lower big/small early/late forward/backward first/last always/never easy/hard "
        "online/offline static/dynamic grows/shrinks wide/narrow left/right"
    ).split()
)


@dataclass(frozen=True, slots=True)
class _Window:
    """Neighbouring sentences of a passage: what they hold, and their clauses."""

    units: frozenset[str]
    numbers: frozenset[str]
    vocabulary: frozenset[str]
    clauses: tuple[str, ...]


class LexicalJudge:
    """A judge by rule: deterministic and without a model."""

    name = "lexical"

    def verdict(self, claim: str, passages: Sequence[str], *, question: str = "", lang: str = "zh") -> Verdict:
        """See :class:`evals.judges.base.Judge`. The question is not read: it is no evidence."""
        read = [_read(p) for p in passages if p.strip()]
        if not read or not rag.text.is_meaningful(claim):
            return Verdict(0.0, "lexical: nothing to compare")
        languages = {text.language(p) for p in passages} - {""}
        if languages and (text.language(claim) or lang) not in languages:
            return _across_languages(claim, read)
        units = text.content_units(claim)
        best = [max(windows, key=lambda w: len(units & w.units)) for windows in read]
        verdicts = [_in_window(claim, units, window) for window in best]
        if len(best) > 1:
            spread = _in_window(claim, units, _joined(best))
            verdicts.append(Verdict(spread.p_supported * _SPREAD_FACTOR, spread.source))
        return max(verdicts, key=lambda v: v.p_supported)


def _in_window(claim: str, units: frozenset[str], window: _Window) -> Verdict:
    coverage = len(units & window.units) / len(units) if units else 1.0
    p = min(1.0, max(0.0, (coverage - UNCOVERED) / (COVERED - UNCOVERED)))
    faults = _faults(claim, window)
    source = ", ".join(["lexical", f"coverage {coverage:.2f}", *faults])
    return Verdict(p * FAULT_FACTOR ** len(faults), source)


def _faults(claim: str, window: _Window) -> list[str]:
    """What in the claim the window does not hold or says the other way round."""
    faults = []
    if numerals.stated_numbers(text.compatible(claim)) - window.numbers:
        faults.append("number not in the evidence")
    if text.missing_terms(text.latin_terms(claim), window.vocabulary):
        faults.append("term not in the evidence")
    pairs = [(c, e) for c in _clauses(claim) if (e := _aligned(c, window.clauses))]
    if any(_is_negated(c) != _is_negated(e) for c, e in pairs):
        faults.append("negated on one side")
    if any(_says_opposite(c, e) for c, e in pairs):
        faults.append("opposite word")
    return faults


def _aligned(clause: str, candidates: Sequence[str]) -> str:
    """The evidence clause that says most of what the clause says, or an empty string."""
    units = text.content_units(clause)
    if not units or not candidates:
        return ""
    best = max(candidates, key=lambda c: len(units & text.content_units(c)))
    return best if len(units & text.content_units(best)) / len(units) >= ALIGNED else ""


def _is_negated(clause: str) -> bool:
    return len(_NEGATION.findall(_HARMLESS.sub("", clause))) % 2 == 1


def _says_opposite(clause: str, evidence: str) -> bool:
    only_here = _opposites_in(clause) - _opposites_in(evidence)
    only_there = _opposites_in(evidence) - _opposites_in(clause)
    return any(
        (one in only_here and other in only_there) or (other in only_here and one in only_there)
        for one, other in _OPPOSITES
    )


@lru_cache(maxsize=text.CACHE_SIZE)
def _opposites_in(clause: str) -> frozenset[str]:
    """The words of ``_OPPOSITES`` that a clause holds; English ones as whole words."""
    words = set(_WORD.findall(clause))
    return frozenset(w for pair in _OPPOSITES for w in pair if w in (words if w.isascii() else clause))


def _across_languages(claim: str, read: Sequence[tuple[_Window, ...]]) -> Verdict:
    everything = _joined([window for windows in read for window in windows])
    numbers = numerals.stated_numbers(text.compatible(claim))
    terms = text.latin_terms(claim)
    stated = len(numbers) + len(terms)
    if not stated:
        return Verdict(CROSS_BASE, "lexical: other language, no number or name to compare")
    missing = len(numbers - everything.numbers) + len(text.missing_terms(terms, everything.vocabulary))
    p = CROSS_BASE + CROSS_RANGE if not missing else CROSS_BASE - CROSS_RANGE * missing / stated
    return Verdict(p, f"lexical: other language, {missing} of {stated} numbers and names missing")


@lru_cache(maxsize=text.CACHE_SIZE)
def _read(passage: str) -> tuple[_Window, ...]:
    """The windows of a passage; its first line, the outline path, belongs to each."""
    head, *body = map(_of_sentence, text.sentences(passage) or [passage])
    starts = range(max(1, len(body) - WINDOW + 1))
    return tuple(_joined([head, *body[i : i + WINDOW]]) for i in starts)


@lru_cache(maxsize=text.CACHE_SIZE)
def _of_sentence(written: str) -> _Window:
    return _Window(
        text.content_units(written),
        numerals.all_numbers(text.compatible(written)),
        text.term_vocabulary(written),
        _clauses(written),
    )


def _joined(windows: Sequence[_Window]) -> _Window:
    return _Window(
        frozenset().union(*(w.units for w in windows)),
        frozenset().union(*(w.numbers for w in windows)),
        frozenset().union(*(w.vocabulary for w in windows)),
        tuple(clause for w in windows for clause in w.clauses),
    )


@lru_cache(maxsize=text.CACHE_SIZE)
def _clauses(written: str) -> tuple[str, ...]:
    return tuple(c.strip() for c in _CLAUSE.split(text.folded(written)) if c.strip())
