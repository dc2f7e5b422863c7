"""Reads the header of a GGUF file, and from it how much memory a model will need.

Source: the GGUF specification, versions 2 and 3 (little-endian). No weights are read.
"""

import re
import struct
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from rag.errors import EngineError

Value = int | float | bool | str | tuple[int | float | bool, ...]

# GGUF value type → struct format; 8 is a string, 9 an array.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# Names, templates and per-layer lists are short; a longer length is a damaged file.
_MAX_STRING = 1 << 24
_MAX_KEPT_ARRAY = 4096
# Bytes per number in the KV cache: q8_0 stores 32 numbers in 34 bytes, q4_0 in 18.
_KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
# Scratch buffers of llama.cpp for batches of 128 to 512 tokens with one row of logits (measured: 60 to 150 MB).
_SCRATCH_BYTES = 160_000_000


def read_metadata(path: Path, wanted: Collection[str]) -> dict[str, Value]:
    """The wanted keys of the header that are there; string arrays are skipped. Stops once it has all.

    Raises:
        EngineError: the file cannot be read, is not GGUF, or is damaged.
    """
    found: dict[str, Value] = {}
    try:
        with path.open("rb") as file:
            magic, version, _, pairs = struct.unpack("<4sIQQ", _take(file, 24))
            if magic != b"GGUF" or version not in {2, 3}:
                raise EngineError(f"{path} is not a GGUF model (version 2 or 3). Pull it again: mingbai models pull")
            for _ in range(pairs):
                key = _string(file)
                value = _value(file, *struct.unpack("<I", _take(file, 4)))
                if key in wanted and value is not None:
                    found[key] = value
                if len(found) == len(wanted):
                    break
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise EngineError(f"The model file {path} cannot be read: {error}. Check it: mingbai models verify") from error
    return found


def estimate_memory(path: Path, context_size: int, kv_type: str) -> int:
    """Bytes for weights, KV cache of ``context_size`` tokens and scratch buffers.

    Raises:
        EngineError: the file cannot be read, or its header lacks the sizes of the model.
    """
    return int(path.stat().st_size + kv_bytes(path, context_size, kv_type) + _SCRATCH_BYTES)


def kv_bytes(path: Path, tokens: int, kv_type: str) -> int:
    """Bytes of the keys and values of so many tokens.

    Raises:
        EngineError: as estimate_memory.
    """
    kind = str(read_metadata(path, {"general.architecture"}).get("general.architecture", ""))
    names = ("block_count", "embedding_length", "attention.head_count", "attention.head_count_kv")
    lengths = ("attention.key_length", "attention.value_length")
    raw = read_metadata(path, {f"{kind}.{name}" for name in names + lengths})
    sizes = {name.removeprefix(f"{kind}."): value for name, value in raw.items()}
    if missing := [name for name in names[:3] if not sizes.get(name)]:
        raise EngineError(f"{path} does not say its {missing[0]}. Pull the model again: mingbai models pull")
    layers, width, heads = (_largest(sizes[name]) for name in names[:3])
    kv_heads = sizes.get("attention.head_count_kv", heads)
    all_kv_heads = sum(kv_heads) if isinstance(kv_heads, tuple) else layers * _largest(kv_heads)
    key, value = (_largest(sizes.get(name, width // heads)) for name in lengths)
    return int(all_kv_heads * (key + value) * tokens * _KV_BYTES[kv_type])


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that can be used without swapping; None where the system does not tell (not Linux)."""
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(match.group(1)) * 1024 if match else None


def _largest(value: Value) -> int:
    numbers = value if isinstance(value, tuple) else (value,)
    return max(int(number) for number in numbers)


def _take(file: BinaryIO, size: int) -> bytes:
    taken = file.read(size)
    if len(taken) < size:
        raise EOFError(f"it ends at byte {file.tell()}, inside the header")
    return taken


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", _take(file, 8))
    if length > _MAX_STRING:
        raise EOFError(f"a text of {length} bytes in the header")
    return _take(file, length).decode("utf-8")


def _value(file: BinaryIO, kind: int) -> Value | None:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        return _array(file, *struct.unpack("<IQ", _take(file, 12)))
    (number,) = struct.unpack(f"<{_format(kind)}", _take(file, struct.calcsize(f"<{_format(kind)}")))
    return number  # type: ignore[no-any-return]


def _array(file: BinaryIO, kind: int, count: int) -> Value | None:
    """A short array of numbers; other arrays are passed over."""
    if kind == _STRING:
        for _ in range(count):
            (length,) = struct.unpack("<Q", _take(file, 8))
            _take(file, min(length, _MAX_STRING + 1))
        return None
    size = struct.calcsize(f"<{_format(kind)}")
    if count > _MAX_KEPT_ARRAY:
        if count * size > _MAX_STRING:
            raise EOFError(f"an array of {count} numbers in the header")
        _take(file, count * size)
        return None
    return struct.unpack(f"<{count}{_format(kind)}", _take(file, count * size))


def _format(kind: int) -> str:
    if kind not in _SCALARS:
        raise EOFError(f"an unknown value type {kind} in the header")
    return _SCALARS[kind]
