"""A notebook: the notes of one index folder, ready to be searched and asked."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from rag import build, phrases
from rag.answer_stream import AnswerStream
from rag.answering import Answering, stop_if
from rag.contradictions import Contradiction, Report, contradictions
from rag.draftbook import Draftbook
from rag.errors import EngineError, QuestionError
from rag.followup import about, named_before, standalone
from rag.index import Index, open_index
from rag.pack import pack
from rag.prompting import fill, prompt_hash, reading_order, render_passage, render_passages
from rag.protocols import Embedder, Generator, Reranker, Scorer
from rag.provenance import SentenceProvenance, provenance
from rag.retrieval import Retrieval
from rag.settings import Settings, load
from rag.text import detect_language, is_meaningful
from rag.types import Answer, Chunk, Entry, Leg, Mode, Passage, Span, Support

MAX_QUESTION_CHARS = 4000
# Of earlier turns in a prompt; leaves most of a context of 4,096 tokens to the answer.
TOLD_TOKENS = 600

LegName = Literal["term", "dense", "lexical", "hybrid"]
ModeName = Literal["rog", "rag", "rcg"]
Turn = tuple[str, str]


class Notebook:
    """Search and ask one index. Models load at first use; a notebook may be used from several threads.

    Args:
        index_dir: the folder that ``ingest`` wrote.
        settings: as loaded by ``rag.settings.load`` when None.
        generator: used instead of the one that the settings name.
        embedder: used instead of the one that the settings name.

    Raises:
        IndexMissingError, StaleIndexError, DamagedIndexError: the index cannot be used; the message says what to run.
    """

    def __init__(
        self,
        index_dir: Path,
        settings: Settings | None = None,
        *,
        generator: Generator | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self.settings = settings or load()
        self.index: Index = open_index(Path(index_dir), self.settings)
        self._generator = generator
        self._embedder = embedder
        self._reranker: Reranker | None = None
        self._loading = threading.Lock()

    @property
    def generator(self) -> Generator:
        """The language model; created at first use."""
        with self._loading:
            if self._generator is None:
                self._generator = build.make_generator(self.settings)
            return self._generator

    @property
    def embedder(self) -> Embedder:
        """The embedding model; created at first use."""
        with self._loading:
            if self._embedder is None:
                self._embedder = build.make_embedder(self.settings)
            return self._embedder

    def search(self, question: str, k: int | None = None, *, leg: LegName = "hybrid") -> list[Passage]:
        """The best passages for a question, best first.

        Args:
            question: 1 to 4,000 characters with at least one letter, digit or character.
            k: at most so many; the setting ``retrieval.k`` when None; 0 gives none.
            leg: one way of searching alone, or all of them fused.

        Raises:
            QuestionError: an empty, wordless or too long question, or a negative ``k``.
        """
        check_question(question)
        k = self.settings.retrieval.k if k is None else k
        if k < 0:
            raise QuestionError(f"k is {k}; it must be 0 or more.")
        return self._retrieval().search(question, k, leg=Leg(leg))

    def ask(self, question: str, mode: ModeName = "rcg", history: Sequence[Turn] = ()) -> Answer:
        """Answer a question from the notes; see ``stream``."""
        return self.stream(question, mode, history).result

    def stream(self, question: str, mode: ModeName = "rcg", history: Sequence[Turn] = ()) -> AnswerStream:
        """Answer a question, event by event.

        Args:
            question: as in ``search``.
            mode: "rcg" shows only what the notes support, "rag" mixes and marks, "rog" does not search.
            history: earlier (question, answer) pairs, oldest first, for follow-up questions. In "rog" the model is
                told the newest of them, up to TOLD_TOKENS; in the others they only say what a question points back to.

        Raises:
            QuestionError: as in ``search``.
        """
        check_question(question)
        gather = partial(self._gather, question, Mode(mode), tuple(history))
        return AnswerStream(gather, searches=Mode(mode) is not Mode.ROG)

    def answer_from(self, question: str, passages: Sequence[str | Passage], mode: ModeName = "rcg") -> Answer:
        """Answer from the caller's passages, without retrieval. Plain strings become passages of the file "given"."""
        check_question(question)
        given = [p if isinstance(p, Passage) else _given(number, p) for number, p in enumerate(passages, 1)]
        if Mode(mode) is Mode.RCG:
            given = self._retrieval().focused(question, given)
        return AnswerStream(
            lambda cancelled: self._answering(question, Mode(mode), given, Draftbook(), cancelled), searches=False
        ).result

    def provenance(
        self, answer: Answer, progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> list[SentenceProvenance]:
        """How much of the model's sentences came from the notes; see rag.provenance. Two forward passes.

        Args:
            answer: as this notebook gave it; stored ones will do.
            progress: called with (passes done, passes in all) before each; what it raises ends the work.

        Raises:
            EngineError: the generator cannot score a given text (a remote endpoint).
        """
        generator = self.generator
        if not isinstance(generator, Scorer):
            raise EngineError(f"{generator.model_id} cannot score a given text. Use the engine in this process.")
        shown = reading_order(answer.passages, self.settings.engine.passage_reuse)
        values = {"passages": render_passages(shown), "question": answer.question}
        language = detect_language(answer.question)
        read, known = (fill(mode, language, values) for mode in (answer.mode, Mode.ROG))
        worded = [sentence.text for sentence in answer.sentences if sentence.support is not Support.QUOTED]
        return provenance(generator, read, known, worded, progress)

    def document_text(self, file: str) -> str:
        """The whole text of a document, to which all offsets refer.

        Raises:
            KeyError: there is no such document.
        """
        text = self.index.store.document_text(file)
        if text is None:
            raise KeyError(file)
        return text

    def chunks(self) -> Iterator[Chunk]:
        """All chunks that search sees."""
        return self.index.store.chunks()

    def entries(self) -> Iterator[Entry]:
        """All entries, empty ones included."""
        return self.index.store.entries()

    def contradictions(self, report: Report = lambda done, total: None) -> list[Contradiction]:
        """Where the notes say two things of one thing; see rag.contradictions. No model; about 1 s for 2,000 sentences.

        Args:
            report: told (done, total) now and then; may raise to stop.
        """
        return contradictions(tuple(self.chunks()), self.index.terms, report)

    def fingerprint(self) -> dict[str, str]:
        """Everything that may change results: models, chunker, tokenizer, index backends, prompts."""
        prompts = {
            f"prompt {mode}.{language}": prompt_hash(mode, language) for mode in Mode for language in phrases.YES_NO
        }
        return {
            **build.fingerprint(self.settings),
            "generator": f"{self.generator.model_id} ({self.generator.model_hash[:12]})",
            **prompts,
        }

    def close(self) -> None:
        """Stop the generator and close the index. Idempotent."""
        if self._generator is not None:
            self._generator.close()
        self.index.close()

    def __enter__(self) -> "Notebook":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _retrieval(self) -> Retrieval:
        with self._loading:
            if self._reranker is None:
                self._reranker = build.make_reranker(self.settings, lambda: self.generator)
        return Retrieval(self.index, self.embedder, self.settings.retrieval, self._reranker)

    def _told(self, history: Sequence[Turn]) -> list[Turn]:
        left = TOLD_TOKENS
        told: list[Turn] = []
        for pair in reversed(history):
            left -= self.generator.count_tokens("\n".join(pair))
            if left < 0:
                break
            told.insert(0, pair)
        return told

    def _gather(self, question: str, mode: Mode, history: Sequence[Turn], cancelled: threading.Event) -> Answering:
        book = Draftbook()
        if mode is Mode.ROG:
            book.told = self._told(history)
            return self._answering(question, mode, [], book, cancelled)
        started = time.perf_counter()
        query = standalone(question, history, lambda text: bool(self._names(text)))
        check = partial(stop_if, cancelled)
        passages = self._retrieval().search(query, self.settings.retrieval.k, leg=Leg.HYBRID, check=check)
        book.time("search", started, query=query, found=tuple(p.chunk_id for p in passages))
        book.asked = about(question, named_before(query, question, self._names))
        return self._answering(question, mode, passages, book, cancelled)

    def _answering(
        self,
        question: str,
        mode: Mode,
        passages: Sequence[Passage],
        book: Draftbook,
        cancelled: threading.Event,
    ) -> Answering:
        started = time.perf_counter()
        budget = self.settings.pack.budget_tokens
        packed, dropped = pack(passages, budget, self._cost)
        if passages:
            notes = {"packed": len(packed), "budget": budget, "dropped": tuple(one.notes() for one in dropped)}
            book.spans.append(Span("pack", time.perf_counter() - started, notes))
        if dropped:
            book.notices.append(phrases.LEFT_OUT[detect_language(question)].format(count=len(dropped)))
        return Answering(
            question,
            mode,
            packed,
            generator=self.generator,
            settings=self.settings,
            book=book,
            cancelled=cancelled,
        )

    def _names(self, text: str) -> list[str]:
        """What a text names of the notes, rarest first, as it is spelt there."""
        return [text[hit.start : hit.end] for hit in self.index.terms.lookup(text) if hit.exact]

    def _cost(self, passage: Passage) -> int:
        return self.generator.count_tokens(render_passage(passage))


def check_question(question: str) -> None:
    """Refuse what cannot be a question.

    Raises:
        QuestionError: empty, without any letter, digit or character, or longer than MAX_QUESTION_CHARS.
    """
    if not question.strip():
        raise QuestionError("The question is empty. Type a question about your notes.")
    if len(question) > MAX_QUESTION_CHARS:
        raise QuestionError(
            f"The question has {len(question)} characters; at most {MAX_QUESTION_CHARS} are read. "
            "Shorten it, or put long text into a note and ingest it."
        )
    if not is_meaningful(question):
        raise QuestionError(f"The question {question[:20]!r} holds no word. Type a question about your notes.")


def _given(number: int, text: str) -> Passage:
    return Passage(
        rank=number,
        chunk_id=f"given-{number}",
        file="given",
        entry="",
        start=0,
        end=len(text),
        score=1.0,
        found_by={},
        text=text,
        line_start=1,
        line_end=1 + text.count("\n"),
    )
