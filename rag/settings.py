"""Settings: one TOML file, environment variables, then explicit overrides; later ones win.

The file is ``mingbai.toml`` in the working folder, else ``config.toml`` in the user's configuration
folder; ``MINGBAI_CONFIG`` names another. Environment variables look like ``MINGBAI_RETRIEVAL__K=8``.
Unknown keys are refused with the nearest known key. Settings are frozen and passed as an argument.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rag.errors import SettingsError

ENV_PREFIX = "MINGBAI_"
CONFIG_VARIABLE = "MINGBAI_CONFIG"
PROFILE = "profile"

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen group of settings for one stage; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# As ``models.reranker``: the generator itself judges the passages (rag.query_likelihood).
BY_GENERATOR = "generator"


class ModelSettings(Section):
    """Which models to use: catalogue ids. The reranker may be none, "", or BY_GENERATOR."""

    generator: str = "qwen2.5-coder-1.5b-instruct-q4_k_m"
    embedder: str = "embeddinggemma-300m"
    reranker: str = ""

    @property
    def cross_encoder(self) -> str:
        """The id of the reranker where it is a model of its own, else ""."""
        return "" if self.reranker == BY_GENERATOR else self.reranker


class ChunkSettings(Section):
    """Sizes in characters: entries up to ``max_chars`` are one chunk, longer ones are cut near ``target_chars``."""

    max_chars: Annotated[int, Field(ge=100, le=8000)] = 700
    target_chars: Annotated[int, Field(ge=50, le=8000)] = 450
    overlap_sentences: Annotated[int, Field(ge=0, le=5)] = 1


class LexicalSettings(Section):
    """BM25 constants (Robertson and Zaragoza, 2009) and backend."""

    backend: Literal["postings", "rank_bm25"] = "postings"
    k1: Annotated[float, Field(ge=0, le=5)] = 1.5
    b: Fraction = 0.75


class DenseSettings(Section):
    """Vector index. L1 needs FAISS."""

    backend: Literal["faiss", "chroma"] = "faiss"
    metric: Literal["cosine", "ip", "l2", "l1"] = "cosine"


class RetrievalSettings(Section):
    """How the legs are searched and fused; ``links`` passages come from names inside the best ones."""

    k: Positive = 5
    candidates: Positive = 50
    fusion: Literal["convex", "rrf"] = "convex"
    dense_weight: Fraction = 0.6
    rrf_constant: Positive = 60
    term_boost: Annotated[float, Field(ge=0, le=2)] = 0.1
    links: Annotated[int, Field(ge=0, le=10)] = 2


class PackSettings(Section):
    """How many tokens of passages a prompt may hold."""

    budget_tokens: Annotated[int, Field(ge=64, le=100_000)] = 1400


class GenerationSettings(Section):
    """Decoding, greedy by default; when RCG refuses; how many quotes of the notes it adds.

    ``context_weight`` above 0 turns context-aware decoding on in RCG (GenerationRequest.contrast).

    RCG refuses where the probability that the notes hold the answer (rag.sufficiency) is below ``answer_threshold``.
    """

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0
    max_tokens: Annotated[int, Field(ge=1, le=8192)] = 320
    answer_threshold: Fraction = 0.4
    quotes: Annotated[int, Field(ge=0, le=10)] = 3
    context_weight: Annotated[float, Field(ge=0, le=2)] = 0.0


class EngineSettings(Section):
    """llama.cpp. Zero threads means all cores; ``gpu_layers`` -1 offloads all layers.

    States of prompts are kept in ``cache_mb`` megabytes of memory, and in ``disk_cache_mb`` on disk when that is not 0.
    ``exact_reuse`` keeps warm answers equal to cold ones bit by bit (rag.prompt_cache); without it they come sooner.
    ``repack`` lays weights out anew for the processor; ``calibrate`` measures once which settings are fastest here.
    ``isolated`` runs it in a process of its own, which a crash of native code ends instead of this one.
    ``parallel`` answers are decoded together and share the ``context_size``; above 1, an answer given while others run
    may differ from the same answer alone where two tokens are nearly as likely.
    ``passage_reuse`` answers sooner from known passages, approximately (rag.passage_cache): "best-first" reads none
    of them anew; "mixed" puts the best one last and reads it anew, and others before it within ``recompute_tokens``.
    """

    context_size: Annotated[int, Field(ge=512, le=262_144)] = 4096
    batch_size: Annotated[int, Field(ge=32, le=8192)] = 512
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    gpu_layers: Annotated[int, Field(ge=-1)] = 0
    main_gpu: Annotated[int, Field(ge=0)] = 0
    tensor_split: tuple[float, ...] = ()
    flash_attention: bool = True
    kv_type: Literal["f16", "q8_0", "q4_0"] = "f16"
    queue_size: Positive = 64
    parallel: Annotated[int, Field(ge=1, le=16)] = 1
    cache_mb: Annotated[int, Field(ge=0)] = 256
    disk_cache_mb: Annotated[int, Field(ge=0)] = 0
    exact_reuse: bool = True
    repack: bool = False
    calibrate: bool = False
    isolated: bool = False
    passage_reuse: Literal["off", "best-first", "mixed"] = "off"
    recompute_tokens: Annotated[int, Field(ge=0)] = 0

    def bits(self) -> str:
        """The settings that the bits of a KV state depend on."""
        return self.model_dump_json(
            exclude={"context_size", "queue_size", "parallel", "cache_mb", "disk_cache_mb", "isolated", "calibrate"}
            | {"passage_reuse", "recompute_tokens"}
        )


class EndpointSettings(Section):
    """An OpenAI-compatible server used instead of the in-process engine when ``url`` is set."""

    url: str = ""
    model: str = ""
    api_key_variable: str = "MINGBAI_ENDPOINT_KEY"
    context_size: Positive = 8192
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0


class UISettings(Section):
    """The local page."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8501
    language: Literal["auto", "zh", "en"] = "auto"


# Settings that belong together; whatever else is set wins. Embedder, reranker and FAISS find a GPU by themselves.
PROFILES: Mapping[str, Mapping[str, object]] = {
    "cpu": {},
    # All layers on the card, a prompt in one wide batch, room for the states of many prompts; several answers decoded
    # together, in the longest context that every generator of the catalogue was trained for.
    "gpu": {
        "engine.gpu_layers": -1,
        "engine.batch_size": 2048,
        "engine.cache_mb": 2048,
        "engine.parallel": 8,
        "engine.context_size": 8192,
    },
}


class Settings(Section):
    """All settings of a notebook. ``profile`` sets a group of them at once (PROFILES)."""

    profile: Literal["cpu", "gpu"] = "cpu"
    models: ModelSettings = ModelSettings()
    chunk: ChunkSettings = ChunkSettings()
    lexical: LexicalSettings = LexicalSettings()
    dense: DenseSettings = DenseSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    pack: PackSettings = PackSettings()
    generation: GenerationSettings = GenerationSettings()
    engine: EngineSettings = EngineSettings()
    endpoint: EndpointSettings = EndpointSettings()
    ui: UISettings = UISettings()


def load(overrides: Mapping[str, object] | None = None, *, file: Path | None = None) -> Settings:
    """Read the settings file and the environment, then apply ``overrides`` (dotted key → value).

    Raises:
        SettingsError: an unknown key, a value out of bounds, or a file that cannot be read.
    """
    tree: dict[str, object] = dict(_read_toml(file or default_file()))
    for key, value in [*_environment(), *(overrides or {}).items()]:
        _put(tree, key, value)
    for key, value in PROFILES.get(str(tree.get(PROFILE, "")), {}).items():
        _put(tree, key, value, is_default=True)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error


def default_file() -> Path:
    """The settings file that is read when none is named; it need not exist."""
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    local = Path("mingbai.toml")
    return local if local.exists() else Path(platformdirs.user_config_dir("mingbai")) / "config.toml"


def known_keys() -> list[str]:
    """Every dotted key that a settings file may hold, in order."""
    sections = {name: field.annotation for name, field in Settings.model_fields.items() if name != PROFILE}
    return [PROFILE, *(f"{name}.{key}" for name, section in sections.items() for key in section.model_fields)]  # type: ignore[union-attr]


def _read_toml(file: Path) -> dict[str, object]:
    if not file.exists():
        if os.environ.get(CONFIG_VARIABLE):
            raise SettingsError(f"{CONFIG_VARIABLE} names {file}, which does not exist. Create it or unset it.")
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error}. Fix it or remove it.") from error


def _environment() -> Iterator[tuple[str, object]]:
    for name, value in os.environ.items():
        if name.startswith(ENV_PREFIX) and ("__" in name or name == f"{ENV_PREFIX}{PROFILE}".upper()):
            yield name.removeprefix(ENV_PREFIX).lower().replace("__", "."), _literal(value)


def _literal(value: str) -> object:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _put(tree: dict[str, object], dotted: str, value: object, *, is_default: bool = False) -> None:
    """Set a key; a default only where nothing is set."""
    if dotted not in known_keys():
        raise SettingsError(_unknown(dotted))
    if dotted == PROFILE:
        tree[PROFILE] = value
        return
    section, key = dotted.split(".")
    inner = tree.setdefault(section, {})
    if not isinstance(inner, dict):
        raise SettingsError(f"Setting '{section}' must be a section of keys, not {inner!r}.")
    if not is_default or key not in inner:
        inner[key] = value


def _unknown(dotted: str) -> str:
    near = get_close_matches(dotted, known_keys(), n=1, cutoff=0.0)
    return f"Unknown setting '{dotted}'. The nearest known one is '{near[0]}'."


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    dotted = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return _unknown(dotted)
    return f"Setting '{dotted}': {first['msg']} (got {first['input']!r})."
