"""Answers made by hand for the metric tests."""

from evals.judges.base import Verdict
from evals.types import Case, CaseType
from rag.types import Answer, Citation, Mode, Passage, Sentence, State, Support


def make_case(kind=CaseType.DETAIL, facts=(("12",),), answer="共 12 层。"):
    answerable = kind != CaseType.UNANSWERABLE
    return Case("c-1", "有几层？", "zh", kind, answerable, answer, facts if answerable else (), ())


def make_passage(text, rank=1, *, file="a.md", start=0):
    end = start + len(text)
    return Passage(rank, f"p{rank}", file, "层", start, end, 1.0, {}, text, path=("笔记", "层"))


def cite(passage, quote=None):
    quote = passage.text if quote is None else quote
    start = passage.start + max(passage.text.find(quote), 0)
    return Citation(passage.rank, passage.chunk_id, passage.file, passage.entry, 1, 1, start, start + len(quote), quote)


def sentence(text, *citations, support=None):
    return Sentence(text, support or (Support.CITED if citations else Support.UNSUPPORTED), citations)


def make_answer(*sentences, passages=(), state=State.ANSWERED, question="有几层？", text=None, **extra):
    shown = "".join(s.text + "".join(f"[{c.marker}]" for c in s.citations) for s in sentences)
    values = {"timings": {}, "tokens": {}, "model": "m", "prompt_hash": "h", "seed": 0} | extra
    return Answer(
        question=question,
        mode=Mode.RCG,
        state=state,
        text=shown if text is None else text,
        sentences=tuple(sentences),
        passages=tuple(passages),
        **values,
    )


REFUSAL = make_answer(state=State.REFUSED, text="笔记里没有写到这个问题的答案。")


class TableJudge:
    """Supports a claim when one of the passages holds every word that the table asks for it."""

    name = "table"

    def __init__(self, **needs):
        self.needs = needs
        self.asked = []

    def verdict(self, claim, passages, *, question="", lang="zh"):
        self.asked.append((claim, tuple(passages)))
        words = self.needs.get(claim)
        together = "\n".join(passages)
        return Verdict(float(words is not None and all(word in together for word in words)), "table")
