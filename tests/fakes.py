"""Fakes that implement the Protocols, for tests without model weights."""

import threading
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from rag import catalogue
from rag.evidence import features
from rag.protocols import Generation, GenerationRequest, Vectors
from rag.settings import Settings
from rag.types import Message


class FakeEmbedder:
    """Texts that share bigrams and words lie close: a hashed bag of content units. Counts what it embeds."""

    def __init__(self) -> None:
        card = catalogue.find(Settings().models.embedder)
        self.model_id = card.id
        self.model_hash = card.sha256
        self.dimension = card.dimension
        self.embedded: list[str] = []

    def embed_documents(self, titles: Sequence[str], texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        vectors = [self.embed_query(f"{title} {text}") for title, text in zip(titles, texts, strict=True)]
        return np.array(vectors, dtype=np.float32).reshape(len(texts), self.dimension)

    def embed_query(self, text: str) -> Vectors:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for unit in features(text).units:
            vector[zlib.crc32(unit.encode()) % self.dimension] += 1
        return vector / np.linalg.norm(vector)


class FakeStream:
    """A finished text, streamed by characters."""

    def __init__(self, text: str, cancel: threading.Event | None) -> None:
        self._text = text
        self._cancel = cancel or threading.Event()
        self._sent = ""

    def __iter__(self) -> Iterator[str]:
        for character in self._text:
            if self._cancel.is_set():
                return
            self._sent += character
            yield character

    @property
    def result(self) -> Generation:
        finish = "cancelled" if self._cancel.is_set() else "stop"
        return Generation(self._sent, finish, 10, len(self._sent), 0, 0.0, 0.1, 0.1)

    def cancel(self) -> None:
        self._cancel.set()


class FakeGenerator:
    """Says what it is told to say. ``yes`` is its probability of the first option; prompts are recorded."""

    model_id = "fake"
    model_hash = "0" * 64
    context_size = 4096

    def __init__(self, reply: str = "", *, yes: float = 0.97) -> None:
        self.reply = reply
        self.yes = yes
        self.prompts: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text)

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> FakeStream:
        self.prompts.append("\n".join(message.text for message in request.messages))
        return FakeStream(self.reply, cancel)

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        self.prompts.append("\n".join(message.text for message in messages))
        return [self.yes, *[(1 - self.yes) / (len(options) - 1)] * (len(options) - 1)]

    def close(self) -> None:
        pass
