import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from rag.errors import DamagedIndexError
from rag.lexical import PostingsIndex

TOKENS = st.sampled_from(list("abcdefgh"))
CORPORA = st.lists(st.lists(TOKENS, max_size=12), min_size=1, max_size=15)


@given(CORPORA, st.lists(TOKENS, max_size=6), st.floats(0.1, 3), st.floats(0, 1))
def test_scores_equal_rank_bm25(corpus, query, k1, b):
    index = PostingsIndex.build(corpus, k1=k1, b=b)
    found = dict(index.search(query, len(corpus)))
    matching = {row for row, tokens in enumerate(corpus) if set(tokens) & set(query)}
    assert set(found) == matching
    if any(corpus):
        with np.errstate(invalid="ignore"):  # the library divides 0 by 0 for an empty row when b is 1
            reference = BM25Okapi(corpus, k1=k1, b=b).get_scores(query)
        for row, score in found.items():
            assert score == pytest.approx(reference[row], abs=1e-6)


@given(CORPORA, st.lists(TOKENS, max_size=6), st.integers(1, 15))
def test_a_smaller_k_is_a_prefix(corpus, query, k):
    index = PostingsIndex.build(corpus)
    assert index.search(query, k) == index.search(query, len(corpus))[:k]


def test_order_is_by_score_then_row():
    generator = np.random.default_rng(0)
    corpus = [[str(token) for token in generator.integers(0, 30, 12)] for _ in range(300)]
    found = PostingsIndex.build(corpus).search(["1", "2", "3"], 300)
    assert found == sorted(found, key=lambda item: (-item[1], item[0]))


def test_arrays_are_mapped_and_hold_no_pickle(tmp_path):
    PostingsIndex.build([["a", "b"], ["b"]]).save(tmp_path)
    assert isinstance(np.load(tmp_path / "weights.npy", mmap_mode="r", allow_pickle=False), np.memmap)
    np.save(tmp_path / "rows.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DamagedIndexError):
        PostingsIndex.load(tmp_path)


@pytest.mark.parametrize("damage", ["row beyond the corpus", "token missing", "another type", "scalar"])
def test_files_that_do_not_fit_each_other(tmp_path, damage):
    PostingsIndex.build([["a", "b"], ["b"]]).save(tmp_path)
    rows = np.load(tmp_path / "rows.npy")
    vocabulary = json.loads((tmp_path / "vocabulary.json").read_text())
    if damage == "row beyond the corpus":
        np.save(tmp_path / "rows.npy", rows + 7)
    elif damage == "token missing":
        (tmp_path / "vocabulary.json").write_text(json.dumps({**vocabulary, "tokens": ["a"]}))
    elif damage == "another type":
        np.save(tmp_path / "rows.npy", rows.astype(np.float32))
    else:
        np.save(tmp_path / "rows.npy", np.int32(3))
    with pytest.raises(DamagedIndexError, match="ingest"):
        PostingsIndex.load(tmp_path)
