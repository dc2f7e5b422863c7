"""Reuse of the last prompt and the sizes of batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import EngineError
from rag.prompt_cache import CPU_ROWS, MIN_ROWS, PromptCache, batch_sizes

never = bool


class FakeDecoder:
    """Keeps the tokens as a KV cache would, and the sizes of the batches of the last prompt."""

    def __init__(self):
        self.tokens, self.sizes, self.failing = [], [], False

    def decode(self, tokens, position):
        if self.failing:
            raise EngineError("no slot")
        assert position == len(self.tokens), "a hole or an overlap in the cache"
        self.tokens += tokens
        self.sizes.append(len(tokens))

    def forget(self, position):
        del self.tokens[position:]
        self.sizes = []


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 400)), min_size=1, max_size=8), st.integers(1, 600))
def test_the_cache_always_holds_the_prompt_and_every_batch_is_large(prompts, rows):
    decoder = FakeDecoder()
    cache = PromptCache(decoder, rows=rows)
    for number, (shared, own) in enumerate(prompts):
        tokens = [*range(shared), *([-number - 1] * own)]
        reused = cache.prefill(tokens, never)
        assert decoder.tokens == tokens
        assert sum(decoder.sizes) == len(tokens) - reused
        assert max(decoder.sizes) <= max(rows, CPU_ROWS)
        assert min(decoder.sizes) >= min(MIN_ROWS, len(tokens))
        # As the engine does after it: answer tokens follow the prompt and must not be taken for it.
        decoder.decode([7], len(tokens))


def test_a_shared_beginning_is_reused():
    cache = PromptCache(FakeDecoder(), rows=512)
    cache.prefill([*range(500)], never)
    assert cache.prefill([*range(400), *[-1] * 80], never) == 400


def test_the_last_rows_are_evaluated_again_so_that_no_batch_is_small():
    cache = PromptCache(FakeDecoder(), rows=512)
    cache.prefill([*range(500)], never)
    assert cache.prefill([*range(500)], never) == 500 - MIN_ROWS


def test_rows_of_a_short_prompt_are_not_reused():
    cache = PromptCache(FakeDecoder(), rows=512)
    cache.prefill([*range(63)], never)
    assert cache.prefill([*range(300)], never) == 0


def test_a_cancelled_prompt_keeps_what_was_done():
    cache = PromptCache(decoder := FakeDecoder(), rows=128)
    answers = iter([False, False, True])
    assert cache.prefill([*range(512)], lambda: next(answers)) is None
    assert len(decoder.tokens) == 256
    assert cache.prefill([*range(512)], never) == 256


def test_after_a_failure_nothing_is_reused():
    cache = PromptCache(decoder := FakeDecoder(), rows=128)
    cache.prefill([*range(200)], never)
    decoder.failing = True
    with pytest.raises(EngineError, match="no slot"):
        cache.prefill([*range(300)], never)
    decoder.failing = False
    assert decoder.tokens == []
    assert cache.prefill([*range(300)], never) == 0


@given(st.integers(1, 5000), st.integers(1, 600))
def test_batches_are_as_few_and_as_equal_as_possible(count, rows):
    sizes = batch_sizes(count, rows)
    assert sum(sizes) == count
    assert len(sizes) == -(-count // rows)
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= rows
