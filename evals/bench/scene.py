"""What the rows share: settings, notes, and models and indexes that are opened once."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path

import rag
from evals.bench.child import Child
from ingest import ingest
from rag import catalogue, model_store
from rag.engine import LlamaEngine
from rag.notebook import Notebook
from rag.processor import thread_count
from rag.protocols import GenerationRequest
from rag.settings import EngineSettings, Settings
from rag.types import Message, Role

SYSTEM = "你是一个只读笔记的问答助手。只根据给出的笔记回答，不使用笔记以外的知识。"


class Scene:
    """One session of the benchmark over a folder of notes, which is only read.

    Args:
        notes: the folder.
        settings: as for ``rag.open``.
        say: told what is being done.
    """

    def __init__(self, notes: Path, settings: Settings, say: Callable[[str], None]) -> None:
        self.notes, self.settings, self.say = notes, settings, say
        self._scratch = tempfile.TemporaryDirectory(prefix="mingbai-bench-")
        self.folder = Path(self._scratch.name)
        self._numbers = count(1000)

    @property
    def engine_settings(self) -> EngineSettings:
        """Those of the engine."""
        return self.settings.engine

    @cached_property
    def model(self) -> Path:
        """The file of the generator."""
        return model_store.locate(self.settings.models.generator)

    @cached_property
    def text(self) -> str:
        """All notes in one string, long enough for every row."""
        files = sorted(path for path in self.notes.rglob("*") if path.is_file())
        whole = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
        return whole * (1 + 400_000 // max(1, len(whole)))

    @cached_property
    def index(self) -> Path:
        """An index of the notes, made at first use."""
        self.say("indexing the notes")
        ingest([self.notes], self.folder / "index", settings=self.settings)
        return self.folder / "index"

    @cached_property
    def notebook(self) -> Notebook:
        """The notes, opened."""
        return rag.open(self.index, self.settings)

    def passage(self, number: int, chars: int) -> str:
        """A stretch of the notes; other numbers give other stretches."""
        start = number * 1700 % (len(self.text) - chars)
        return self.text[start : start + chars]

    def fresh(self, chars: int) -> str:
        """A stretch that was not given out before, so that nothing of it is known."""
        return self.passage(next(self._numbers), chars)

    def prompt(self, passages: str, request: str) -> tuple[Message, ...]:
        """A prompt in the order of ours: system, passages, question last."""
        return (Message(Role.SYSTEM, SYSTEM), Message(Role.USER, f"<笔记>\n{passages}\n</笔记>\n\n{request}"))

    @contextmanager
    def engine(self, **changes: object) -> Iterator[LlamaEngine]:
        """The default engine with some settings changed, loaded."""
        settings = EngineSettings.model_validate(self.engine_settings.model_dump() | changes)
        card = catalogue.find(self.settings.models.generator)
        with LlamaEngine(self.model, model_id=card.id, model_hash=card.sha256, settings=settings) as engine:
            engine.count_tokens("a")
            yield engine

    def bare(self, *, batch: int, repack: bool = False, threads: int = 0) -> Child:
        """llama.cpp in a loop of its own."""
        options = {
            "batch": batch,
            "repack": repack,
            "threads": threads or thread_count(self.engine_settings.threads),
            "gpu_layers": self.engine_settings.gpu_layers,
        }
        return Child("bare_llama.py", str(self.model), json.dumps(options))

    def close(self) -> None:
        """Close what was opened, remove what was written. Idempotent."""
        if "notebook" in self.__dict__:
            self.notebook.close()
            del self.__dict__["notebook"]
        self._scratch.cleanup()


def first_token(engine: LlamaEngine, messages: Sequence[Message]) -> float:
    """Seconds until the first token of an answer."""
    stream = engine.generate(GenerationRequest(tuple(messages), max_tokens=1))
    list(stream)
    return stream.result.prefill
