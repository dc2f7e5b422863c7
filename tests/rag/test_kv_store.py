"""Blocks of KV states: keys, budget, order of eviction, and the files below."""

import logging
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.kv_disk import DiskTier
from rag.kv_store import BLOCK, KVStore, chain


def state(number: int, size: int = 100) -> np.ndarray:
    return np.full(size, number % 256, dtype=np.uint8)


def filled(budget: int, tokens: range, **options) -> KVStore:
    store = KVStore(budget, **options)
    for number, key in enumerate(store.keys(tokens)):
        store.put(key, state(number))
    return store


@given(st.lists(st.integers(0, 3), max_size=60), st.lists(st.integers(0, 3), max_size=60))
def test_equal_keys_mean_equal_beginnings(one, other):
    shared = sum(a == b for a, b in zip(chain(b"", one), chain(b"", other), strict=False))
    common = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    assert shared == common // BLOCK
    assert not set(chain(b"a", one)) & set(chain(b"b", one))


def test_what_is_held_ends_at_the_first_gap():
    store = filled(10_000, range(5 * BLOCK + 3))
    keys = store.keys(range(5 * BLOCK + 3))
    assert len(keys) == store.held(keys) == 5
    assert store.held([keys[0], b"unknown", keys[2]]) == 1
    assert [store.get(key)[0] for key in keys] == [0, 1, 2, 3, 4]


def test_the_longest_unused_branch_goes_first_and_its_end_before_its_stem():
    store = filled(600, range(4 * BLOCK))
    first = store.keys(range(4 * BLOCK))
    other = store.keys([*range(2 * BLOCK), *[-1] * (2 * BLOCK)])
    store.touch(first)
    for key in other[2:]:
        store.put(key, state(9))
    store.touch(other)
    assert (store.size, store.held(first), store.held(other)) == (600, 4, 4)
    store.put(b"new", state(1))
    store.put(b"newer", state(2))
    assert store.size == 600
    assert store.held(other) == 4, "used last"
    assert store.held(first) == 2, "the shared stem stays"


def test_a_budget_of_nothing_keeps_nothing_and_makes_no_keys():
    store = KVStore(0)
    assert store.keys(range(100)) == []
    store.put(b"key", state(1))
    assert (store.size, b"key" in store) == (0, False)


def test_a_block_larger_than_the_budget_is_not_kept():
    store = KVStore(50)
    store.put(b"key", state(1, 51))
    assert store.get(b"key") is None


def test_files_outlive_the_process(tmp_path):
    tokens = range(3 * BLOCK)
    filled(10_000, tokens, below=DiskTier(tmp_path / "kv", budget=10_000))
    later = KVStore(10_000, below=DiskTier(tmp_path / "kv", budget=10_000))
    keys = later.keys(tokens)
    assert later.held(keys) == 3
    assert [later.get(key).tolist() for key in keys] == [state(n).tolist() for n in range(3)]
    assert later.size == 300
    assert (tmp_path / "kv").stat().st_mode & 0o077 == 0
    assert not list((tmp_path / "kv").glob("*.tmp"))


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: b"x" + raw[1:], lambda raw: raw[:-1] + b"\x77"])
def test_a_damaged_file_counts_as_missing_and_goes(tmp_path, change, caplog):
    tier = DiskTier(tmp_path, budget=10_000)
    tier.put(b"key", state(1))
    (file,) = tmp_path.iterdir()
    file.write_bytes(change(file.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert tier.get(b"key") is None
    assert "damaged" in caplog.text
    assert not file.exists()
    assert tier.get(b"key") is None


def test_the_folder_stays_within_its_budget_and_keeps_what_was_used(tmp_path):
    tier = DiskTier(tmp_path, budget=600)
    for number in range(3):
        tier.put(bytes([number]), state(number))
        os.utime(tmp_path / f"{number:02x}.kv", (number, number))
    assert tier.get(b"\x00") is not None
    for number in range(3, 5):
        tier.put(bytes([number]), state(number))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 600
    assert tier.get(b"\x00") is not None
    assert tier.get(b"\x01") is None


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path, caplog):
    tier = DiskTier(tmp_path / "kv", budget=1000)
    (tmp_path / "kv").rmdir()
    with caplog.at_level(logging.WARNING):
        tier.put(b"key", state(1))
    assert "was not kept" in caplog.text
    assert tier.get(b"key") is None
