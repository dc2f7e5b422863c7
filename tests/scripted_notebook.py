"""A scripted notebook for the pages: its answers advance only when a test says so."""

import threading
from types import SimpleNamespace

from rag.errors import GenerationCancelledError
from rag.provenance import SentenceProvenance
from rag.types import (
    Answer,
    Checked,
    Citation,
    Draft,
    Entry,
    Leg,
    Mode,
    Passage,
    Sentence,
    Span,
    Stage,
    State,
    Support,
)

TEXT = "### 甲\n甲是第一个字。<img src=x onerror=alert(1)>\n后面还有话。"
PASSAGE = Passage(
    rank=1,
    chunk_id="c1",
    file="笔记<b>.md",
    entry="甲",
    start=100,
    end=100 + len(TEXT),
    score=0.75,
    found_by={Leg.TERM: 1, Leg.DENSE: 3},
    text=TEXT,
    line_start=7,
    line_end=9,
    path=("天干", "甲"),
)
QUOTE = "甲是第一个字。"
START = 100 + TEXT.index(QUOTE)
CITATION = Citation(1, "c1", PASSAGE.file, "甲", 8, 8, START, START + len(QUOTE), QUOTE)
CITED = Sentence("甲是第一个字。", Support.CITED, (CITATION,))
OWN = Sentence("<script>alert(1)</script>乙是第二个。", Support.OWN)
# A test that forgets to open the gate must fail, not hang.
PATIENCE = 60.0


class ScriptedStream:
    """An answer that waits at the gate before it writes; cancelling opens the gate."""

    def __init__(self, notebook, question, mode, history):
        self._notebook, self._question, self._mode = notebook, question, Mode(mode)
        self.question, self.mode = question, self._mode
        self._cancelled = threading.Event()
        self._has_searched = False
        self._shown = []
        self._events = self._run()
        self.history = tuple(history)
        self.was_cancelled = False

    def __iter__(self):
        return self._events

    def cancel(self):
        self.was_cancelled = True
        self._cancelled.set()
        self._notebook.gate.set()

    @property
    def result(self):
        for _ in self._events:
            pass
        if not self._has_searched:
            raise GenerationCancelledError("cancelled")
        refused = self._notebook.refuses and self._mode is Mode.RCG
        return Answer(
            question=self._question,
            mode=self._mode,
            state=State.REFUSED if refused else State.ANSWERED,
            text="没有。" if refused else "".join(s.text for s in self._shown),
            sentences=tuple(self._shown),
            passages=() if self._mode is Mode.ROG else (PASSAGE,),
            timings={"search": 0.01, "total": 0.5},
            tokens={"prompt": 10, "completion": 5},
            model="scripted-model",
            prompt_hash="abc123",
            seed=0,
            nearest=("甲", "[乙](javascript:alert(1))") if refused else (),
            notices=self._notebook.notices,
            trace=(Span("search", 0.01, {"query": self._question}),),
        )

    def _run(self):
        if self._notebook.error is not None:
            raise self._notebook.error
        if self._mode is not Mode.ROG:
            yield Stage("search")
        if self._cancelled.is_set():
            raise GenerationCancelledError("cancelled")
        self._has_searched = True
        if self._mode is Mode.RCG:
            self._notebook.judging()
            yield Stage("judge", {"passages": 1})
            if self._notebook.refuses:
                return
        yield Stage("write", {"passages": 1})
        sentences = {Mode.RCG: [CITED], Mode.RAG: [CITED, OWN], Mode.ROG: [OWN]}[self._mode]
        if (extra := self._notebook.extra.get(self._mode)) is not None:
            sentences = [*sentences, Sentence(extra, Support.OWN)]
        for sentence in sentences:
            yield Draft(sentence.text[:4])
            self._notebook.drafted.set()
            assert self._notebook.gate.wait(PATIENCE), "the test never opened the gate"
            if self._cancelled.is_set():
                raise GenerationCancelledError("cancelled")
            yield Draft(sentence.text[4:])
            self._shown.append(sentence)
            yield Checked(sentence)


class ScriptedNotebook:
    """Has what the page uses of a notebook. ``gate`` holds answers back after their first piece."""

    def __init__(self):
        self.gate, self.drafted = threading.Event(), threading.Event()
        self.refuses = False
        # Called when a search is done, before it is decided whether the notes hold an answer.
        self.judging = lambda: None
        # A further sentence of the model's own, by mode.
        self.extra = {}
        self.notices = ()
        self.error = None
        self.streams = []
        self.settings = SimpleNamespace(
            endpoint=SimpleNamespace(model=""), models=SimpleNamespace(generator="scripted-model")
        )
        self.index = SimpleNamespace(
            store=SimpleNamespace(entries=self.entries, chunks=lambda: iter(()), document_text=lambda _: ""),
            terms=SimpleNamespace(terms=()),
            manifest=SimpleNamespace(documents=2, entries=31, chunks=47, created="2026-01-02T03:04:05+00:00"),
        )
        self.generator = SimpleNamespace(model_id="scripted-model")
        self.embedder = SimpleNamespace(embed_query=lambda _: None)

    def entries(self):
        names = ["甲", "子丑", "丙丁", "**戊己**", "庚辛"]
        return iter([Entry("a.md", name, (), (name,), 0, 1, 2, is_empty=name == "庚辛") for name in names])

    def search(self, question, k=None):
        return []

    def provenance(self, answer, progress):
        progress(0, 2)
        assert self.gate.wait(PATIENCE), "the test never opened the gate"
        progress(2, 2)
        return [SentenceProvenance(s.text, (), gain) for s, gain in zip(answer.sentences, (2.5, -0.1), strict=False)]

    def stream(self, question, mode, history):
        self.streams.append(ScriptedStream(self, question, mode, history))
        return self.streams[-1]
