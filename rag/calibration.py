"""Which engine settings are fastest on this machine for this model: short measurements, remembered.

Every candidate runs in a process of its own, since one that crashes native code (weight repacking on some virtual
machines with AMX) must only lose. What wins is the least time for a typical answer: a prompt of passages is read, a
short answer is written. Nothing is chosen by itself: ``engine.calibrate`` or ``mingbai doctor --bench`` asks for it,
because other settings may give other bits.
"""

import json
import logging
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import platformdirs

from rag.errors import EngineError
from rag.isolated_engine import IsolatedEngine
from rag.manifest import write_atomically
from rag.processor import cores
from rag.protocols import GenerationRequest
from rag.settings import EngineSettings
from rag.types import Message, Role

_log = logging.getLogger(__name__)
# A typical answer: so many tokens are read and written.
READ, WRITTEN = 1000, 100
_WARM_UP = "预热。"
_TEXT = "第{}条：感受野在后面的层里变大，注意力看到全部位置，梯度沿残差返回。\n"
_LINES = 12
_DECODED = 24
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate: the settings that differ, and tokens a second; None and the reason where it failed."""

    settings: Mapping[str, int | bool]
    prefill: float | None
    decode: float | None
    reason: str = ""

    @property
    def seconds(self) -> float:
        """For a typical answer; infinite where it failed."""
        if not self.prefill or not self.decode:
            return float("inf")
        return READ / self.prefill + WRITTEN / self.decode


@dataclass(frozen=True, slots=True)
class Calibration:
    """All candidates that were tried, the fastest first."""

    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The fastest."""
        return self.trials[0]


def candidates(most: int, *, has_gpu: bool) -> Iterator[dict[str, int | bool]]:
    """The settings that are tried, with at ``most`` so many threads."""
    if has_gpu:
        yield {"gpu_layers": -1, "threads": most, "repack": False}
    for threads in sorted({most, max(1, most // 2)}, reverse=True):
        for repack in (False, True):
            yield {"threads": threads, "repack": repack}


def measure(
    path: Path, model_hash: str, settings: EngineSettings, *, has_gpu: bool, say: Callable[[str], None]
) -> Calibration:
    """Try every candidate once; seconds each.

    Raises:
        EngineError: no candidate works.
    """
    trials = []
    for chosen in candidates(cores(), has_gpu=has_gpu):
        say(_named(chosen))
        trials.append(_try(path, model_hash, settings, chosen))
    trials.sort(key=lambda trial: trial.seconds)
    if trials[0].prefill is None:
        raise EngineError(f"No engine settings work here: {trials[0].reason}")
    return Calibration(tuple(trials))


def remembered(model_hash: str, file: Path | None = None) -> Calibration | None:
    """What was measured on this machine for this model; None when nothing was, or with another library."""
    try:
        content = json.loads((file or default_file()).read_text(encoding="utf-8"))
        found = content[_key(model_hash)]
        return Calibration(tuple(Trial(**trial) for trial in found)) if found else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(model_hash: str, calibration: Calibration, file: Path | None = None) -> None:
    """Keep it beside those of other models."""
    place = file or default_file()
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = {}
    content[_key(model_hash)] = [asdict(trial) for trial in calibration.trials]
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(place, json.dumps(content, ensure_ascii=False, indent=1))


def calibrated(path: Path, model_hash: str, settings: EngineSettings, *, has_gpu: bool) -> EngineSettings:
    """The settings with the fastest choice of this machine, measured the first time.

    Raises:
        EngineError: no candidate works.
    """
    found = remembered(model_hash)
    if found is None:
        _log.warning("Measuring the fastest engine settings for this machine, once: about a minute.")
        found = measure(path, model_hash, settings, has_gpu=has_gpu, say=_log.info)
        remember(model_hash, found)
    return settings.model_copy(update=dict(found.best.settings))


def default_file() -> Path:
    """Where calibrations are kept."""
    return Path(platformdirs.user_cache_dir("mingbai")) / "calibration.json"


def _try(path: Path, model_hash: str, settings: EngineSettings, chosen: Mapping[str, int | bool]) -> Trial:
    tried = settings.model_copy(update={**chosen, "cache_mb": 0, "disk_cache_mb": 0})
    try:
        with IsolatedEngine(path, model_id="calibration", model_hash=model_hash, settings=tried) as engine:
            _run(engine, _WARM_UP)
            return Trial(dict(chosen), *_run(engine, "".join(_TEXT.format(n) for n in range(_LINES))))
    except EngineError as error:
        return Trial(dict(chosen), None, None, str(error))


def _run(engine: IsolatedEngine, text: str) -> tuple[float, float]:
    """Tokens a second of reading and of writing."""
    # A drawn answer does not end in a loop after a few tokens.
    request = GenerationRequest((Message(Role.USER, text),), max_tokens=_DECODED, temperature=1.0)
    stream = engine.generate(request)
    list(stream)
    result = stream.result
    return result.prompt_tokens / result.prefill, result.completion_tokens / max(result.decode, 1e-9)


def _named(chosen: Mapping[str, int | bool]) -> str:
    return ", ".join(f"engine.{name} = {json.dumps(value)}" for name, value in chosen.items())


def _key(model_hash: str) -> str:
    """A calibration holds for one model, one machine and one build."""
    return f"{_FORMAT} {model_hash} {platform.node()} {cores()} {version('llama-cpp-python')} {sys.platform}"
