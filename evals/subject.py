"""What is evaluated: anything that searches, asks and answers from given passages. ``rag.Notebook`` does."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

from evals.cases import TextOf
from rag.errors import UsageError
from rag.types import Answer, Chunk, Leg, Mode, Passage

LegName = Literal["term", "dense", "lexical", "hybrid"]
ModeName = Literal["rog", "rag", "rcg"]
LEG_NAMES: Mapping[Leg, LegName] = {
    Leg.TERM: "term",
    Leg.DENSE: "dense",
    Leg.LEXICAL: "lexical",
    Leg.HYBRID: "hybrid",
}
MODE_NAMES: Mapping[Mode, ModeName] = {Mode.ROG: "rog", Mode.RAG: "rag", Mode.RCG: "rcg"}


class Subject(Protocol):
    """The system under test. It is asked in one thread, one call at a time."""

    def search(self, question: str, k: int = 5, *, leg: LegName = "hybrid") -> Sequence[Passage]:
        """The best passages of one leg, best first, at most ``k``."""

    def ask(self, question: str, mode: ModeName = "rcg") -> Answer:
        """Retrieve and answer."""

    def answer_from(self, question: str, passages: Sequence[str | Passage], mode: ModeName = "rcg") -> Answer:
        """Answer from the caller's passages, in their order, without retrieval."""

    def chunks(self) -> Iterable[Chunk]:
        """Every stored chunk."""

    def document_text(self, file: str) -> str:
        """The decoded text that offsets count in. Raises KeyError for a file that is not in the index."""

    def fingerprint(self) -> Mapping[str, str]:
        """What decides the output, name → hash: models, prompts, chunker, tokeniser, settings."""


def texts_of(subject: Subject) -> TextOf:
    """The source texts as the subject stored them."""

    def text_of(file: str) -> str:
        try:
            return subject.document_text(file)
        except KeyError as error:
            raise UsageError(
                f"The evidence file {file!r} is not in the index. Ingest the folder that holds it."
            ) from error

    return text_of
