import pytest

from evals.judges.base import Verdict
from evals.judges.lexical import LexicalJudge
from evals.judging import KeptJudge, open_judge
from rag.errors import UsageError
from rag.settings import load


class CountingJudge:
    name = "counting"

    def __init__(self):
        self.asked = 0

    def verdict(self, claim, passages, *, question="", lang="zh"):
        self.asked += 1
        return Verdict(0.25, claim)


def test_a_verdict_is_asked_once_even_in_the_next_process(tmp_path):
    path, inner = tmp_path / "v.jsonl", CountingJudge()
    first = KeptJudge(inner, path).verdict("说法", ["证据"], question="问")
    again = KeptJudge(inner, path).verdict("说法", ["证据"], question="问")
    assert first == again == Verdict(0.25, "说法")
    assert inner.asked == 1


@pytest.mark.parametrize(
    "change", [{"claim": "另"}, {"passages": ["证据", "二"]}, {"question": "何"}, {"lang": "en"}, {"version": "2"}]
)
def test_anything_that_differs_is_asked_anew(tmp_path, change):
    path, inner = tmp_path / "v.jsonl", CountingJudge()
    asked = {"claim": "说法", "passages": ["证据"], "question": "问", "lang": "zh", "version": "1"}
    for row in (asked, asked | change):
        judge = KeptJudge(inner, path, row["version"])
        judge.verdict(row["claim"], row["passages"], question=row["question"], lang=row["lang"])
    assert inner.asked == 2


def test_a_half_written_verdict_is_asked_again(tmp_path):
    path, inner = tmp_path / "v.jsonl", CountingJudge()
    KeptJudge(inner, path).verdict("一", ["证据"])
    KeptJudge(inner, path).verdict("二", ["证据"])
    path.write_text(path.read_text(encoding="utf-8")[:-20] + "\n", encoding="utf-8")
    judge = KeptJudge(inner, path)
    judge.verdict("一", ["证据"])
    judge.verdict("二", ["证据"])
    assert inner.asked == 3


def test_judges_are_opened_by_name(tmp_path):
    with open_judge("lexical", load(), tmp_path / "v") as judge:
        assert isinstance(judge, LexicalJudge)
    for name, advice in [("oracle", "Use one of"), ("nli", "--nli-model"), ("endpoint", r"Set endpoint\.url")]:
        with pytest.raises(UsageError, match=advice), open_judge(name, load(), tmp_path / "v"):
            pass
