"""A Generator around another one, for whatever counts, remembers or changes what is asked."""

import threading
from collections.abc import Sequence

from rag.protocols import GenerationRequest, GenerationStream, Generator
from rag.types import Message


class WrappedGenerator:
    """Passes everything on; a subclass overrides what it is about. The generator inside stays its owner's."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    @property
    def inner(self) -> Generator:
        """The generator inside."""
        return self._generator

    @property
    def model_id(self) -> str:
        """As the generator inside."""
        return self.inner.model_id

    @property
    def model_hash(self) -> str:
        """As the generator inside."""
        return self.inner.model_hash

    @property
    def context_size(self) -> int:
        """As the generator inside."""
        return self.inner.context_size

    def count_tokens(self, text: str) -> int:
        """As the generator inside."""
        return self.inner.count_tokens(text)

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> GenerationStream:
        """As the generator inside."""
        return self.inner.generate(request, cancel)

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """As the generator inside."""
        return self.inner.choose(messages, options)

    def close(self) -> None:
        """Nothing: the generator inside belongs to whoever made it."""
