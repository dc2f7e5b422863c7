"""Reuse of the last prompt and the sizes of batches."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import EngineError
from rag.kv_store import BLOCK, KVStore
from rag.prompt_cache import CPU_ROWS, MIN_ROWS, PromptCache, batch_sizes

never = bool
# Nothing, some blocks of the fake, and more than a test needs.
BUDGETS = st.sampled_from([0, 8 * 17 * 8, 10**9])


class FakeDecoder:
    """Keeps the tokens of each sequence as a KV cache would, and the sizes of the batches of the last prompt."""

    def __init__(self):
        self.sequences, self.sizes, self.failing, self.room = defaultdict(list), [], False, 10**9

    @property
    def tokens(self):
        return self.sequences[0]

    def decode(self, tokens, position, *, sequence=0):
        if self.failing:
            raise EngineError("no slot")
        assert position == len(self.sequences[sequence]), "a hole or an overlap in the cache"
        self.sequences[sequence].extend(tokens)
        self.sizes.append(len(tokens))

    def forget(self, position, sequence=0):
        del self.sequences[sequence][position:]
        self.sizes = []

    def save_state(self, start, end, sequence=0):
        tokens = self.sequences[sequence]
        assert end <= len(tokens)
        return np.asarray([start, *tokens[start:end]], dtype=np.int64).view(np.uint8)

    def load_state(self, state, sequence=0, *, shift=0):
        start, *tokens = state.view(np.int64).tolist()
        assert start + shift == len(self.sequences[sequence]), "a hole or an overlap in the cache"
        if start >= self.room:
            return False
        self.sequences[sequence].extend(tokens)
        return True

    def share(self, source, target, end):
        assert not self.sequences[target]
        self.sequences[target].extend(self.sequences[source][:end])


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 400)), min_size=1, max_size=8), st.integers(1, 600), BUDGETS
)
def test_the_cache_always_holds_the_prompt_and_every_batch_is_large(prompts, rows, budget):
    decoder = FakeDecoder()
    cache = PromptCache(decoder, rows=rows, store=KVStore(budget))
    for shared, own in prompts:
        tokens = [*range(shared), *([-shared % 3 - 1] * own)]
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


def stored_cache(**options):
    return PromptCache(decoder := FakeDecoder(), rows=512, store=KVStore(10**9), **options), decoder


def test_prompts_in_turn_do_not_push_each_other_out():
    cache, decoder = stored_cache()
    chats = [[*range(100), *[-chat] * 300] for chat in range(1, 5)]
    assert [cache.prefill(chat, never) for chat in chats] == [0, 100, 100, 100]
    for chat in chats * 2:
        assert cache.prefill(chat, never) == (len(chat) - MIN_ROWS) // BLOCK * BLOCK
        assert decoder.tokens == chat


def test_another_request_over_the_same_notes_is_cheap_after_something_else_was_read():
    cache, _ = stored_cache()
    notes = [*range(1000)]
    cache.prefill([*notes, *[-1] * 70], never)
    cache.prefill([-2] * 80, never)
    assert cache.prefill([*notes, *[-3] * 70], never) == 1000 // BLOCK * BLOCK


def test_answer_tokens_are_not_stored_as_part_of_a_prompt():
    cache, decoder = stored_cache()
    prompt = [*range(160)]
    cache.prefill(prompt, never)
    decoder.decode([7] * 64, 160)
    cache.prefill([-1] * 100, never)
    assert cache.prefill([*prompt, *[7] * 200], never) == 160


def test_a_state_that_does_not_fit_is_read_anew():
    cache, decoder = stored_cache()
    cache.prefill([*range(400)], never)
    cache.prefill([-1] * 100, never)
    decoder.room = 2 * BLOCK
    assert cache.prefill([*range(400)], never) == 2 * BLOCK
    assert decoder.tokens == [*range(400)]


def test_several_prompts_are_spread_over_sequences():
    cache, decoder = stored_cache(sequences=4)
    passages = [[*range(50), *[-n] * 200] for n in range(1, 5)]
    for passage in passages:
        cache.prefill([*passage, *[99] * 80], never)
    questions = [[*passage, *[55] * 30] for passage in passages]
    begun = cache.spread(questions, never)
    assert begun == [250 // BLOCK * BLOCK] * 4, "no passage was read again"
    assert [decoder.sequences[n] for n in range(4)] == [q[:b] for q, b in zip(questions, begun, strict=True)]
    cache.clear()
    assert not any(decoder.sequences.values())
    assert cache.prefill(questions[0], never) > 0


def test_prompts_that_were_never_read_are_read_once_and_then_spread():
    cache, decoder = stored_cache(sequences=2)
    questions = [[*[-n] * 300, *[55] * 30] for n in (1, 2)]
    begun = cache.spread(questions, never)
    assert begun == [329 // BLOCK * BLOCK] * 2
    assert [decoder.sequences[n] for n in range(2)] == [q[:b] for q, b in zip(questions, begun, strict=True)]
    cache.clear()
    assert cache.spread(questions, lambda: True) == begun, "nothing is left to read"
    assert cache.spread([[8] * 300], lambda: True) is None


def test_without_a_store_the_prompts_are_left_whole():
    cache = PromptCache(FakeDecoder(), rows=512, sequences=2)
    assert cache.spread([[*range(300)], [*range(300)]], never) == [0, 0]


def test_inexact_reuse_reads_only_what_is_new_and_knows_the_answer():
    cache, decoder = stored_cache(is_exact=False)
    cache.prefill([*range(200)], never)
    decoder.share(0, 20, 200)
    decoder.decode([*range(200, 220)], 200, sequence=20)
    cache.keep(decoder.sequences[20], 20)
    assert cache.prefill([*range(220), 9, 10], never) == 220 // BLOCK * BLOCK
    assert decoder.sizes == [222 % BLOCK]
    assert decoder.tokens == [*range(220), 9, 10]


def test_exact_reuse_never_keeps_an_answer():
    cache, decoder = stored_cache()
    decoder.decode([*range(200)], 0, sequence=20)
    cache.keep(decoder.sequences[20], 20)
    assert cache.prefill([*range(300)], never) == 0


def test_a_prompt_joins_others_and_shares_what_they_begin_with():
    cache, decoder = stored_cache()
    decoder.decode([*range(150), 7], 0, sequence=20)
    decoder.decode([*range(90), 8], 0, sequence=22)
    others = [(22, [*range(90)]), (20, [*range(150)])]
    new = [*range(100), *[-1] * 300]
    looks = []
    assert cache.join(new, 24, others, lambda: looks.append(1)) == 100
    assert decoder.sequences[24] == new
    assert decoder.sizes == [100] * 3
    assert len(looks) == 3
    assert cache.join([*range(150)], 26, others, never) == 149, "the last token is always evaluated"


def test_a_prompt_that_joins_takes_stored_blocks_too_and_leaves_none_where_bits_count():
    cache, decoder = stored_cache()
    cache.prefill([*range(300)], never)
    decoder.decode([*range(100)], 0, sequence=20)
    joined = [*range(300), *[-1] * 90]
    assert cache.join(joined, 24, [(20, [*range(100)])], never) == 300 // BLOCK * BLOCK
    assert decoder.sequences[24] == joined
    assert cache.join([*range(50)], 26, [], never) == 48
    assert cache.prefill([*joined, *[-2] * 90], never) == 300 // BLOCK * BLOCK
    assert cache.join([*range(500, 900)], 28, [], lambda: True) is None


def test_what_was_read_beside_others_is_not_taken_for_exact():
    cache, decoder = stored_cache(sequences=2)
    cache.is_alone = False
    cache.prefill([*range(300)], never)
    cache.prefill([-1] * 100, never)
    assert cache.spread([[*range(300)]], never) == [0]
    cache.clear()
    cache.is_alone = True
    assert cache.prefill([*range(300)], never) == 0
    assert decoder.tokens == [*range(300)]
