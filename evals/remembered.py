"""A generator that remembers what it said, so that a changed check or citation rule costs no new generation.

Equal requests give equal bytes (the engine's contract, tested), so a remembered reply stands for a new one, with
the timings of the day it was made. Keys are hashes of the model and of the whole request: a changed prompt, passage
or model asks again. Lines are JSON, synced one by one; a torn last line is ignored.
"""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from rag.errors import EngineError
from rag.protocols import Generation, GenerationRequest, GenerationStream, Generator, Scorer, TokenScore
from rag.types import Message
from rag.wrapped import WrappedGenerator


class RememberedGenerator(WrappedGenerator):
    """Asks ``generator`` only what the file does not hold yet."""

    def __init__(self, generator: Generator, path: Path) -> None:
        super().__init__(generator)
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, object] = {}
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        self._known.update((row["key"], row["reply"]) for row in map(json.loads, lines))

    def generate(self, request: GenerationRequest, cancel: threading.Event | None = None) -> GenerationStream:
        """A remembered reply comes as one piece."""
        key = self._key("generate", asdict(request))
        known = self._known.get(key)
        if isinstance(known, dict):
            return Replay(Generation(**known))
        stream = self.inner.generate(request, cancel)
        for _ in stream:
            pass
        if stream.result.finish != "cancelled":
            self._keep(key, asdict(stream.result))
        return Replay(stream.result)

    def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """As the generator inside, asked once."""
        key = self._key("choose", [[asdict(message) for message in messages], list(options)])
        known = self._known.get(key)
        if isinstance(known, list):
            return [float(probability) for probability in known]
        probabilities = self.inner.choose(messages, options)
        self._keep(key, probabilities)
        return probabilities

    def score(self, messages: Sequence[Message], continuation: str) -> list[TokenScore]:
        """As the generator inside, asked once.

        Raises:
            EngineError: the generator inside cannot tell how likely a text is.
        """
        if not isinstance(self.inner, Scorer):
            raise EngineError(f"{self.model_id} cannot tell how likely a text is. Use a model on this machine.")
        key = self._key("score", [[asdict(message) for message in messages], continuation])
        known = self._known.get(key)
        if isinstance(known, list):
            return [TokenScore(bytes.fromhex(piece), float(score)) for piece, score in known]
        scores = self.inner.score(messages, continuation)
        self._keep(key, [[one.piece.hex(), one.log_probability] for one in scores])
        return scores

    def close(self) -> None:
        """Close the generator inside."""
        self.inner.close()

    def _key(self, kind: str, request: object) -> str:
        text = json.dumps([self.model_hash, kind, request], ensure_ascii=False, sort_keys=True)
        return sha256(text.encode()).hexdigest()[:32]

    def _keep(self, key: str, reply: object) -> None:
        self._known[key] = reply
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "reply": reply}, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


class Replay:
    """A finished generation as a stream of one piece."""

    def __init__(self, result: Generation) -> None:
        self.result = result

    def __iter__(self) -> Iterator[str]:
        yield self.result.text

    def cancel(self) -> None:
        """Nothing runs any more."""
