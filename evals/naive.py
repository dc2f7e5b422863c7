"""The pipeline of a common tutorial, as a yardstick on the same cases with the same models.

Fixed chunks of 500 characters, dense top 4, "use the following context" (the prompt of LangChain's stuff chain and
its usual Chinese translation). It has no citations and no states, so an answer that begins with not knowing is
taken for a refusal: the kindest reading.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

import numpy as np

from evals.subject import LegName, ModeName
from rag.notebook import Notebook
from rag.protocols import GenerationRequest, Vectors
from rag.text import detect_language
from rag.types import Answer, Chunk, Leg, Message, Mode, Passage, Role, Sentence, Span, State, Support

CHUNK_CHARS = 500
OVERLAP_CHARS = 50
TOP = 4
PROMPTS: Final[Mapping[str, str]] = {
    "zh": "使用以下上下文来回答最后的问题。如果你不知道答案，就说你不知道，不要试图编造答案。\n\n{context}\n\n"
    "问题：{question}\n有用的回答：",
    "en": "Use the following pieces of context to answer the question at the end. If you don't know the answer, just "
    "say that you don't know, don't try to make up an answer.\n\n{context}\n\nQuestion: {question}\nHelpful answer:",
}
_REFUSES = re.compile(
    r"我?不(?:太)?知道|无法(?:回答|确定|得知|提供)|(?:文中|上下文|资料|笔记|文本)[^。]{0,12}(?:没有|未)(?:提到|提及|提供|给出|说明|涉及)"
    r"|i (?:do not|don't) know|not (?:mentioned|provided|stated|specified)|does not (?:mention|provide|specify|state)",
    re.IGNORECASE,
)


class NaivePipeline:
    """A ``evals.subject.Subject`` over the documents, the embedder and the generator of a notebook."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        files = dict.fromkeys(chunk.file for chunk in notebook.chunks())
        self._chunks = [chunk for file in files for chunk in _fixed(file, notebook.document_text(file))]
        self._vectors: Vectors | None = None

    def search(self, question: str, k: int = TOP, *, leg: LegName = "hybrid") -> list[Passage]:
        """The nearest chunks; every leg is the dense one."""
        similar = self._embedded() @ self._notebook.embedder.embed_query(question)
        best = np.argsort(-similar, kind="stable")[:k]
        return [
            Passage.of(self._chunks[row], rank=rank, score=float(similar[row]), found_by={Leg.DENSE: rank})
            for rank, row in enumerate(best, 1)
        ]

    def ask(self, question: str, mode: ModeName = "rag") -> Answer:
        """Answer from the four nearest chunks; the mode is not known here."""
        return self.answer_from(question, self.search(question), mode)

    def answer_from(self, question: str, passages: Sequence[str | Passage], mode: ModeName = "rag") -> Answer:
        """Answer from given passages."""
        given = tuple(passage for passage in passages if isinstance(passage, Passage))
        language = detect_language(question)
        prompt = PROMPTS[language].format(context="\n\n".join(p.text for p in given), question=question)
        started = time.perf_counter()
        stream = self._notebook.generator.generate(GenerationRequest((Message(Role.USER, prompt),), max_tokens=320))
        text = "".join(stream)
        result = stream.result
        return Answer(
            question=question,
            mode=Mode(mode),
            state=State.REFUSED if _REFUSES.search(text[:80]) else State.ANSWERED,
            text=text,
            sentences=(Sentence(text, Support.UNSUPPORTED),),
            passages=given,
            timings={
                "first_token": result.queued + result.prefill,
                "decode": result.decode,
                "total": time.perf_counter() - started,
            },
            tokens={"prompt": result.prompt_tokens, "completion": result.completion_tokens},
            model=self._notebook.generator.model_id,
            prompt_hash=sha256(PROMPTS[language].encode()).hexdigest()[:16],
            seed=0,
            trace=(Span("write", result.decode, {"finish": result.finish}),),
        )

    def chunks(self) -> Iterable[Chunk]:
        """The fixed chunks."""
        return self._chunks

    def document_text(self, file: str) -> str:
        """As the notebook stores it."""
        return self._notebook.document_text(file)

    def fingerprint(self) -> Mapping[str, str]:
        """What decides the output."""
        prompts = sha256("".join(PROMPTS.values()).encode()).hexdigest()[:16]
        chunks = f"{CHUNK_CHARS}/{OVERLAP_CHARS}, top {TOP}"
        return {"pipeline": "naive", "chunks": chunks, "prompt": prompts, **self._notebook.fingerprint()}

    def _embedded(self) -> Vectors:
        if self._vectors is None:
            texts = [chunk.text for chunk in self._chunks]
            self._vectors = self._notebook.embedder.embed_documents([""] * len(texts), texts)
        return self._vectors


def _fixed(file: str, text: str) -> Iterable[Chunk]:
    for number, start in enumerate(range(0, max(len(text) - OVERLAP_CHARS, 1), CHUNK_CHARS - OVERLAP_CHARS)):
        end = min(start + CHUNK_CHARS, len(text))
        lines = 1 + text.count("\n", 0, start), 1 + text.count("\n", 0, end)
        yield Chunk(f"{file}#{number}", file, "", (), (), start, end, *lines, text[start:end])
