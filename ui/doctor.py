"""``mingbai doctor``: what this machine has, whether models and index are whole, and what to do about it."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from rag import build, catalogue, manifest, model_store
from rag.errors import MingbaiError
from rag.index import check_fresh
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.calibration import Trial

_MEMORY = Path("/proc/meminfo")
_CPU = Path("/proc/cpuinfo")
_LIBRARIES = (
    "llama-cpp-python",
    "torch",
    "sentence-transformers",
    "langchain-core",
    "chromadb",
    "rank-bm25",
    "streamlit",
)
_GIB = 1024**3
_FREE_DISK_WANTED = 4 * _GIB


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is in order, and what to do when it is not."""

    name: str
    healthy: bool
    message: str

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


def examine(index: Path, settings: Settings) -> list[Finding]:
    """Look at machine, libraries, models and index; nothing is loaded or changed."""
    return [*_machine(index), *_libraries(), *_acceleration(settings), *_models(settings), _index(index, settings)]


def bench(settings: Settings, say: Callable[[str], None]) -> list[Finding]:
    """Measure which engine settings are fastest here, beside the limit; ``engine.calibrate`` then uses them."""
    from evals.bench.engine_rows import read_bandwidth
    from rag import calibration
    from rag.processor import thread_count

    def measured() -> str:
        card = catalogue.find(settings.models.generator)
        path = model_store.locate(card.id)
        found = calibration.measure(path, card.sha256, settings.engine, has_gpu=build.supports_gpu_offload(), say=say)
        calibration.remember(card.sha256, found)
        say("memory bandwidth")
        ceiling = read_bandwidth(thread_count(0)) / path.stat().st_size
        lines = [_trial(trial, ceiling) for trial in found.trials]
        return f"decoding cannot exceed {ceiling:.0f} tokens/s (memory bandwidth ÷ model bytes)\n" + "\n".join(lines)

    return [_checked("speed", measured)]


def _trial(trial: "Trial", ceiling: float) -> str:
    chosen = ", ".join(f"{name}={value}" for name, value in trial.settings.items())
    if trial.prefill is None or trial.decode is None:
        return f"  {chosen}: {trial.reason}"
    share = trial.decode / ceiling
    return f"  {chosen}: prefill {trial.prefill:.0f}, decoding {trial.decode:.1f} tokens/s ({share:.2f} of the limit)"


def _machine(index: Path) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    flags = _CPU.read_text(encoding="utf-8", errors="replace") if _CPU.exists() else ""
    fast = [name for name in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if f" {name}" in flags]
    yield Finding("processor", True, f"{cores} cores, {', '.join(fast) or 'no vector extensions known'}")
    if _MEMORY.exists():
        kib = dict(line.split(":", 1) for line in _MEMORY.read_text(encoding="ascii").splitlines())
        free = int(kib["MemAvailable"].split()[0]) * 1024
        yield Finding("memory", free > 3 * _GIB, f"{free / _GIB:.1f} GiB free; the default models need about 3.5 GiB")
    existing = next(p for p in (index.absolute(), *index.absolute().parents) if p.exists())
    free_disk = shutil.disk_usage(existing).free
    yield Finding("disk", free_disk > _FREE_DISK_WANTED, f"{free_disk / _GIB:.1f} GiB free at {existing}")


def _libraries() -> Iterator[Finding]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    yield Finding("libraries", True, ", ".join(found))


def _acceleration(settings: Settings) -> Iterator[Finding]:
    can_offload = build.supports_gpu_offload()
    wants = settings.engine.gpu_layers != 0
    engine = settings.engine
    shown = (
        f"gpu_layers={engine.gpu_layers} main_gpu={engine.main_gpu} tensor_split={list(engine.tensor_split)} "
        f"flash_attention={engine.flash_attention} kv_type={engine.kv_type}"
    )
    advice = {
        (True, True): "llama.cpp offloads to the GPU",
        (True, False): "llama.cpp can use a GPU; set engine.gpu_layers = -1 to use it",
        (
            False,
            True,
        ): "engine.gpu_layers is set, but this llama.cpp was built without GPU support. Run: make install EXTRAS=gpu",
        (False, False): "llama.cpp was built for the processor only",
    }
    yield Finding("acceleration", can_offload or not wants, f"{advice[can_offload, wants]} ({shown})")


def _models(settings: Settings) -> Iterator[Finding]:
    names = [settings.models.embedder, settings.models.cross_encoder]
    if not settings.endpoint.url:
        names.insert(0, settings.models.generator)
    for model_id in filter(None, names):
        yield _checked(f"model {model_id}", lambda model_id=model_id: str(model_store.locate(model_id)))  # type: ignore[misc]


def _index(index: Path, settings: Settings) -> Finding:
    def whole() -> str:
        snapshot = manifest.current(index)
        made = manifest.read(snapshot)
        check_fresh(made, settings)
        manifest.verify(snapshot, made, full=True)
        return f"{made.documents} documents, {made.entries} entries, {made.chunks} chunks, built {made.created}"

    return _checked(f"index {index}", whole)


def _checked(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except MingbaiError as error:
        return Finding(name, False, str(error))
