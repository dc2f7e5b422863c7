"""The header of a model file, and how much memory the model will need."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import EngineError
from rag.gguf import available_memory, estimate_memory, read_metadata


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, value: object) -> bytes:
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    if isinstance(value, list):
        return text(key) + struct.pack(f"<IIQ{len(value)}I", 9, 4, len(value), *value)
    return text(key) + struct.pack("<II", 4, value)


def header(**values: object) -> bytes:
    pairs = [pair(key.replace("__", "."), value) for key, value in values.items()]
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, len(pairs)) + b"".join(pairs)


SIZES = {
    "general__architecture": "qwen2",
    "tokenizer__tokens": ["a", "bc", ""],
    "qwen2__block_count": 28,
    "qwen2__embedding_length": 1536,
    "qwen2__attention__head_count": 12,
    "qwen2__attention__head_count_kv": 2,
}


@pytest.fixture
def write(tmp_path):
    def write_file(raw: bytes):
        (tmp_path / "model.gguf").write_bytes(raw)
        return tmp_path / "model.gguf"

    return write_file


def test_wanted_keys_are_read_past_arrays(write):
    path = write(header(**SIZES, qwen2__list=[1, 2]))
    found = read_metadata(path, {"qwen2.block_count", "qwen2.list", "general.architecture", "tokenizer.tokens", "x"})
    assert found == {"general.architecture": "qwen2", "qwen2.block_count": 28, "qwen2.list": (1, 2)}


def test_the_kv_cache_of_a_known_model(write):
    """28,672 bytes a token for Qwen2.5 1.5B, as measured."""
    path = write(header(**SIZES))
    assert estimate_memory(path, 2000, "f16") - estimate_memory(path, 1000, "f16") == 28_672 * 1000
    assert estimate_memory(path, 2000, "q8_0") - estimate_memory(path, 1000, "q8_0") == 28_672 * 1000 * 17 // 32


def test_heads_may_differ_by_layer_and_have_their_own_length(write):
    sizes = {**SIZES, "qwen2__attention__head_count_kv": [1, 0, 3]}
    lengths = {"qwen2__attention__key_length": 64, "qwen2__attention__value_length": 32}
    path = write(header(**sizes, **lengths))
    assert estimate_memory(path, 20, "f16") - estimate_memory(path, 10, "f16") == 4 * (64 + 32) * 2 * 10


@pytest.mark.model
def test_the_small_model_is_estimated_near_its_file_size(small_model_path):
    weights = small_model_path.stat().st_size
    assert weights < estimate_memory(small_model_path, 2048, "f16") < weights + 300_000_000


def test_missing_sizes_are_named(write):
    del (sizes := dict(SIZES))["qwen2__block_count"]
    with pytest.raises(EngineError, match="block_count"):
        estimate_memory(write(header(**sizes)), 512, "f16")


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04" + b"\0" * 100, header(**SIZES)[:60], b"GGUF" + b"\xff" * 60])
def test_a_file_that_is_no_model_is_an_error(write, raw):
    with pytest.raises(EngineError, match=r"model\.gguf"):
        estimate_memory(write(raw), 512, "f16")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(EngineError, match="cannot be read"):
        read_metadata(tmp_path / "none.gguf", {"a"})


@given(st.binary(max_size=200))
def test_damage_is_always_an_engine_error(tmp_path_factory, tail):
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, 5) + tail)
    with pytest.raises(EngineError):
        estimate_memory(path, 512, "f16")


def test_available_memory(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:  99 kB\nMemAvailable:     12 kB\n")
    assert available_memory(tmp_path / "meminfo") == 12 * 1024
    assert available_memory(tmp_path / "none") is None
