"""The nouns of Mingbai: plain frozen values that every stage passes on.

Offsets count characters (Unicode code points) of the decoded document text; lines start at 1.
``document.text[x.start:x.end] == x.text`` holds for every chunk and citation ``x``.
A higher score is always better; ranks start at 1.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Self


class Mode(StrEnum):
    """How an answer may use the notes and the model's own knowledge."""

    ROG = "rog"
    RAG = "rag"
    RCG = "rcg"


class State(StrEnum):
    """What kind of answer came out; a structured state, never a phrase in the text."""

    ANSWERED = "answered"
    REFUSED = "refused"
    CONFLICT = "conflict"


class Support(StrEnum):
    """Where a sentence of an answer comes from: the model over a citation, the notes verbatim, or the model alone."""

    CITED = "cited"
    QUOTED = "quoted"
    OWN = "own"
    UNSUPPORTED = "unsupported"


class Leg(StrEnum):
    """A way in which a passage can be found."""

    TERM = "term"
    LINK = "link"
    DENSE = "dense"
    LEXICAL = "lexical"
    HYBRID = "hybrid"
    RERANK = "rerank"


class Role(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Document:
    """One source, whole. ``file`` is relative to the ingested root (POSIX), or ``name.jsonl#doc_id``."""

    file: str
    text: str
    sha256: str
    flavour: str
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Entry:
    """One term of the notes: its names, its place in the outline and the span it covers.

    ``start`` is where its heading begins, ``body_start`` where the text below it begins, ``end`` is
    exclusive. ``path`` ends with ``title``. An entry without a body is kept for term lookup only.
    """

    file: str
    title: str
    aliases: tuple[str, ...]
    path: tuple[str, ...]
    start: int
    body_start: int
    end: int
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """Another place in the notes that holds the same text as a chunk."""

    file: str
    start: int
    end: int
    line_start: int
    line_end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored slice of a document: ``document.text[start:end] == text``, lines inclusive.

    ``entry`` is the title of the entry that holds it, ``path`` its headings from the outermost to
    that entry (or, in an outline, to the bullet that holds the slice).
    """

    chunk_id: str
    file: str
    entry: str
    aliases: tuple[str, ...]
    path: tuple[str, ...]
    start: int
    end: int
    line_start: int
    line_end: int
    text: str
    also_at: tuple[SourceSpan, ...] = ()

    @property
    def breadcrumb(self) -> str:
        """The outline path as one line, outermost first."""
        return " > ".join(self.path)


@dataclass(frozen=True, slots=True)
class Focus:
    """A part of a passage that met the question, in document offsets, and its similarity (higher is nearer)."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found: its rank, its score, which legs found it at which rank, and where it met the question."""

    rank: int
    chunk_id: str
    file: str
    entry: str
    start: int
    end: int
    score: float
    found_by: Mapping[Leg, int]
    text: str
    line_start: int = 0
    line_end: int = 0
    path: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    also_at: tuple[SourceSpan, ...] = ()
    focus: tuple[Focus, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its entry."""
        return tuple(name for name in (self.entry, *self.aliases) if name.strip())

    @classmethod
    def of(
        cls,
        chunk: Chunk,
        *,
        rank: int = 1,
        score: float = 1.0,
        found_by: Mapping[Leg, int] = MappingProxyType({}),
        focus: tuple[Focus, ...] = (),
    ) -> Self:
        """A chunk as a passage."""
        return cls(
            rank=rank,
            chunk_id=chunk.chunk_id,
            file=chunk.file,
            entry=chunk.entry,
            start=chunk.start,
            end=chunk.end,
            score=score,
            found_by=dict(found_by),
            text=chunk.text,
            line_start=chunk.line_start,
            line_end=chunk.line_end,
            path=chunk.path,
            aliases=chunk.aliases,
            also_at=chunk.also_at,
            focus=focus,
        )


@dataclass(frozen=True, slots=True)
class Citation:
    """A marker in an answer and the exact span it points to: ``document.text[start:end] == quote``."""

    marker: int
    chunk_id: str
    file: str
    entry: str
    line_start: int
    line_end: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer with its support. What is backed has at least one citation; the others none."""

    text: str
    support: Support
    citations: tuple[Citation, ...] = ()

    @property
    def is_backed(self) -> bool:
        """Whether the reader is told that the notes say this."""
        return self.support in (Support.CITED, Support.QUOTED)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn given to a generator."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A timed step of a trace; ``notes`` holds what it decided, as plain JSON values."""

    name: str
    seconds: float
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reader gets, and all that is needed to reproduce and to check it.

    ``text`` is what is shown: the sentences in order with their ``[n]`` markers; for a refusal it
    is a plain sentence in the language of the question. ``nearest`` names the closest entries of a refusal.
    ``timings`` are seconds by stage; ``tokens`` counts by kind.
    """

    question: str
    mode: Mode
    state: State
    text: str
    sentences: tuple[Sentence, ...]
    passages: tuple[Passage, ...]
    timings: Mapping[str, float]
    tokens: Mapping[str, int]
    model: str
    prompt_hash: str
    seed: int
    nearest: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    trace: tuple[Span, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The answer as plain JSON values: the one schema of the API, the command line and the run files."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Stage:
    """An answer enters a stage: "search", "judge", "write" or "check"; ``notes`` says how much there is to do."""

    name: str
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A piece of text as the model writes it, before it was checked against the notes."""

    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence that was checked; in RCG only supported ones are ever sent."""

    sentence: Sentence


Event = Stage | Draft | Checked
