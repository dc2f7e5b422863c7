"""Citations: do they carry what they are put to?

Precision and recall are those of ALCE (Gao et al., "Enabling Large Language Models to Generate Text with Citations",
EMNLP 2023) with our judge in the place of its entailment model. What a citation brings is the whole passage it points
into. Sentences that are honestly marked as the model's own need no citation and are left out, and so are quotes, which
are their citation.
"""

import re
from collections.abc import Sequence

from evals import text
from evals.gold import holds, holds_any
from evals.judges.base import Judge
from evals.metrics.faithfulness import passage_text
from evals.types import GoldSpan, Score
from rag.types import Answer, Citation, Sentence, State, Support

# A typed marker; behind a Latin letter, digit or bracket it is more likely an index, as in x[0].
_MARKER = re.compile(r"(?<![A-Za-z0-9_)\]])\[([1-9]\d{0,2})\]")
NO_SENTENCE = "no sentence needs a citation"
NO_CITATION = "no citation"


def citation_scores(answer: Answer, judge: Judge) -> list[Score]:
    """ALCE ``citation_recall`` and ``citation_precision`` of one answer.

    Recall: the share of sentences whose cited passages together support them (0 for a sentence without citations).
    Precision: the share of citations that are needed. A citation is not when its sentence is not supported, or when
    it does not support the sentence alone while the sentence's other citations do without it.
    """
    sentences = [s for s in answer.sentences if s.support not in (Support.OWN, Support.QUOTED)]
    if answer.state == State.REFUSED or not sentences:
        reason = "refused" if answer.state == State.REFUSED else NO_SENTENCE
        return [Score("citation_recall", None, reason), Score("citation_precision", None, reason)]
    texts = {p.chunk_id: passage_text(p) for p in answer.passages}
    judged = [_judge_sentence(s, texts, judge=judge, question=answer.question) for s in sentences]
    recall = sum(supported for supported, _, _ in judged) / len(judged)
    needed, total = sum(n for _, n, _ in judged), sum(t for _, _, t in judged)
    precision = Score("citation_precision", needed / total) if total else Score("citation_precision", None, NO_CITATION)
    return [Score("citation_recall", recall), precision]


def id_validity(answer: Answer) -> Score:
    """The share of citations that exist: the chunk was in the prompt under that marker, and typed markers resolve."""
    cited = [c for s in answer.sentences for c in s.citations]
    ranks = {(p.chunk_id, p.rank) for p in answer.passages}
    known = {c.marker for c in cited}
    dangling = [m for m in _MARKER.findall(answer.text) if int(m) not in known] if answer.sentences else []
    if not cited and not dangling:
        return Score("id_validity", None, NO_CITATION)
    valid = sum((c.chunk_id, c.marker) in ranks for c in cited)
    return Score("id_validity", valid / (len(cited) + len(dangling)))


def evidence_hit(answer: Answer, gold: Sequence[Sequence[GoldSpan]]) -> Score:
    """1 when a cited passage holds any gold evidence, else 0; undefined without gold or without citations."""
    if not gold:
        return Score("cited_evidence_hit", None, "no gold evidence")
    cited = {c.chunk_id for c in _citations(answer)}
    if not cited:
        return Score("cited_evidence_hit", None, NO_CITATION)
    return Score("cited_evidence_hit", float(any(holds_any(p, gold) for p in answer.passages if p.chunk_id in cited)))


def evidence_cited(answer: Answer, gold: Sequence[Sequence[GoldSpan]]) -> Score:
    """|evidences that some cited passage holds| / |evidences that were in the prompt|: evidence used, not ignored."""
    cited = {c.chunk_id for c in _citations(answer)}
    in_prompt, used = 0, 0
    for spans in gold:
        holders = {p.chunk_id for p in answer.passages if any(holds(p, span) for span in spans)}
        in_prompt += bool(holders)
        used += bool(holders & cited)
    if not in_prompt or answer.state == State.REFUSED:
        return Score("evidence_cited", None, "no gold evidence in the prompt" if not in_prompt else "refused")
    return Score("evidence_cited", used / in_prompt)


def _citations(answer: Answer) -> list[Citation]:
    return [c for s in answer.sentences for c in s.citations]


def _judge_sentence(sentence: Sentence, texts: dict[str, str], *, judge: Judge, question: str) -> tuple[bool, int, int]:
    """Whether the sentence is supported, how many of its citations are needed, and how many it has."""
    chunks = list(dict.fromkeys(c.chunk_id for c in sentence.citations))
    lang = text.language(sentence.text) or "zh"

    def supports(ids: Sequence[str]) -> bool:
        known = [texts[i] for i in ids if i in texts]
        return bool(known) and judge.verdict(sentence.text, known, question=question, lang=lang).is_supported

    if not chunks or not supports(chunks):
        return False, 0, len(chunks)
    if len(chunks) == 1:
        return True, 1, 1
    needed = sum(supports([c]) or not supports([o for o in chunks if o != c]) for c in chunks)
    return True, needed, len(chunks)
