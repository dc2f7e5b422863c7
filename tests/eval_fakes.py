"""A small system under test for the eval harness: made-up notes, retrieval by shared bigrams, answers by copying."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from evals.cases import LocatedCase, locate
from evals.run import Plan, execute
from evals.runs import Run, RunFile, new_header, read_run
from evals.subject import texts_of
from evals.types import Case, CaseType, Evidence
from rag.errors import EngineError
from rag.types import Answer, Chunk, Citation, Leg, Mode, Passage, Sentence, State, Support

FIRST = "青松 白鹭 赤铁 墨竹 银杏 翠湖 紫砂 金钟 玄武 碧螺 朱雀 苍狼 丹枫 素问 流萤 飞瀑 寒梅 雪莲 晨曦 暮云".split()
KINDS = "算子 网络 采样 归约".split()
PEOPLE = "周行 吴越 郑观 王简 冯路".split()
NAMES = [first + KINDS[i % len(KINDS)] for i, first in enumerate(FIRST)]
STRANGERS = ["乌木算子", "沧海网络", "孤峰采样", "明镜归约", "铜雀算子", "鹿鸣网络"]
INVENTED = "另外，业界普遍认为它在QuantumBench上达到了97.3%的准确率。"
READ = 5


def width(i: int) -> int:
    return 120 + 7 * i


def entry(i: int) -> str:
    name = NAMES[i]
    return (
        f"## {name}\n{name}是一种{KINDS[i % len(KINDS)]}方法。\n"
        f"它由{PEOPLE[i % len(PEOPLE)]}在{1980 + i}年提出，默认宽度是{width(i)}。\n"
        f"{name}常用于第{i + 3}类任务。\n\n"
    )


NOTES = {"a.md": "".join(map(entry, range(10))), "b.md": "".join(map(entry, range(10, 20)))}


def file_of(i: int) -> str:
    return "a.md" if i < 10 else "b.md"


def evidence(i: int) -> Evidence:
    return Evidence(file_of(i), NAMES[i], f"提出，默认宽度是{width(i)}。")


def make_cases() -> list[Case]:
    cases = []
    for i, name in enumerate(NAMES):
        facts = ((str(width(i)),),)
        question = f"{name}的默认宽度是多少？"
        kind = (CaseType.DETAIL, CaseType.PARAPHRASE)[i % 2]
        cases.append(Case(f"d-{i:02}", question, "zh", kind, True, f"{width(i)}。", facts, (evidence(i),)))
    for i in range(4):
        j = i + 10
        question = f"{NAMES[i]}和{NAMES[j]}的默认宽度分别是多少？"
        facts = ((str(width(i)),), (str(width(j)),))
        both = (evidence(i), evidence(j))
        cases.append(Case(f"c-{i:02}", question, "zh", CaseType.COMPARISON, True, "见两条。", facts, both))
    for i, name in enumerate(STRANGERS):
        question = f"{name}的默认宽度是多少？"
        cases.append(Case(f"u-{i:02}", question, "zh", CaseType.UNANSWERABLE, False, "", (), ()))
    return cases


class FakeSubject:
    """Good by default; each argument plants one fault."""

    def __init__(
        self,
        *,
        chunk_chars: int = 0,
        reverse_fusion: bool = False,
        own_knowledge: bool = False,
        unstable: bool = False,
        failing: frozenset[str] = frozenset(),
    ) -> None:
        self._chunks = list(_chunk(chunk_chars))
        self._chunk_chars = chunk_chars
        self._reverse = reverse_fusion
        self._own = own_knowledge
        self._unstable = unstable
        self._failing = failing
        self.asked: list[str] = []

    def search(self, question: str, k: int = 5, *, leg: str = "hybrid") -> list[Passage]:
        if question in self._failing:
            raise EngineError(f"planted failure for {question}")
        scored = [(self._score(question, chunk, leg), chunk) for chunk in self._chunks]
        scored = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: (-pair[0], pair[1].chunk_id))
        if leg == "hybrid" and self._reverse:
            scored.reverse()
        return [
            Passage.of(chunk, rank=rank, score=score, found_by={Leg.LEXICAL: rank})
            for rank, (score, chunk) in enumerate(scored[:k], start=1)
        ]

    def ask(self, question: str, mode: str = "rcg") -> Answer:
        passages = [] if mode == "rog" else self.search(question, READ)
        return self.answer_from(question, passages, mode)

    def answer_from(self, question: str, passages: Sequence[str | Passage], mode: str = "rcg") -> Answer:
        if question in self._failing:
            raise EngineError(f"planted failure for {question}")
        self.asked.append(question)
        given = [p for p in passages if isinstance(p, Passage)]
        if mode == "rog":
            return _answer(question, Mode.ROG, [Sentence("大概是100。", Support.OWN)], [])
        sentences = list(_copied(question, given))
        if self._own and given:
            sentences.append(Sentence(INVENTED, Support.CITED, (_whole(given[0]),)))
        if self._unstable:
            sentences.append(Sentence(f"这是第{len(self.asked)}次。", Support.OWN))
        return _answer(question, Mode(mode), sentences, given)

    def chunks(self) -> Iterator[Chunk]:
        return iter(self._chunks)

    def document_text(self, file: str) -> str:
        return NOTES[file]

    def fingerprint(self) -> dict[str, str]:
        return {
            "generator": "fake",
            "chunker": str(self._chunk_chars),
            "prompt rcg.zh": "own" if self._own else "notes",
        }

    def _score(self, question: str, chunk: Chunk, leg: str) -> float:
        named = float(chunk.entry in question)
        shared = len(_bigrams(question) & _bigrams(chunk.text))
        parts = {"term": named, "lexical": float(shared), "dense": shared / len(chunk.text) + named}
        return parts.get(leg, parts["lexical"] + parts["dense"])


def located_cases() -> list[LocatedCase]:
    return locate(make_cases(), texts_of(FakeSubject()))


def make_run(path: Path, subject: FakeSubject, plan: Plan | None = None, cases: list[LocatedCase] | None = None) -> Run:
    """Run a subject over the made-up cases and read the file back."""
    located = cases or located_cases()
    file = RunFile(path, new_header("fake.jsonl", located, subject.fingerprint(), top=20), located)
    chosen = plan or Plan(modes=(Mode.RCG,), repeats=3, ladder_cases=0)
    for _ in execute(subject, chosen.tasks(located), file):
        pass
    return read_run(path)


def _chunk(chars: int) -> Iterator[Chunk]:
    for file, text in NOTES.items():
        starts = [i for i in range(len(text)) if text.startswith("## ", i)] if not chars else range(0, len(text), chars)
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            name = text[start:end].split("\n")[0].removeprefix("## ") if not chars else ""
            line = text.count("\n", 0, start) + 1
            last = line + text[start : end - 1].count("\n")
            yield Chunk(f"{file}-{start}", file, name or "?", (), (name,), start, end, line, last, text[start:end])


def _copied(question: str, passages: Sequence[Passage]) -> Iterator[Sentence]:
    for passage in passages:
        line = next((line for line in passage.text.split("\n") if "默认宽度" in line), "")
        if passage.entry in question and line:
            start = passage.start + passage.text.index(line)
            citation = Citation(
                marker=passage.rank,
                chunk_id=passage.chunk_id,
                file=passage.file,
                entry=passage.entry,
                line_start=passage.line_start,
                line_end=passage.line_end,
                start=start,
                end=start + len(line),
                quote=line,
            )
            yield Sentence(line, Support.CITED, (citation,))


def _whole(passage: Passage) -> Citation:
    return Citation(
        marker=passage.rank,
        chunk_id=passage.chunk_id,
        file=passage.file,
        entry=passage.entry,
        line_start=passage.line_start,
        line_end=passage.line_end,
        start=passage.start,
        end=passage.end,
        quote=passage.text,
    )


def _answer(question: str, mode: Mode, sentences: Sequence[Sentence], passages: Sequence[Passage]) -> Answer:
    marked = [s.text + "".join(f"[{c.marker}]" for c in s.citations) for s in sentences]
    return Answer(
        question=question,
        mode=mode,
        state=State.ANSWERED if sentences else State.REFUSED,
        text="".join(marked) or "笔记里没有这个问题的答案。",
        sentences=tuple(sentences),
        passages=tuple(passages),
        timings={"total": 0.02, "first_token": 0.01},
        tokens={"prompt": 100, "completion": 20},
        model="fake",
        prompt_hash="0",
        seed=0,
    )


def _bigrams(text: str) -> frozenset[str]:
    return frozenset(text[i : i + 2] for i in range(len(text) - 1))
