"""One contract, both lexical backends."""

import pytest

from rag.errors import DamagedIndexError
from rag.lexical import PostingsIndex
from rag.lexical_rank_bm25 import RankBM25Index

CORPUS = [
    ["猫", "爱", "鱼"],
    ["狗", "爱", "骨头", "骨头"],
    ["gpt-3", "β-vae"],
    [],
    ["鱼", "鱼", "鱼", "水"],
    ["猫", "爱", "鱼"],
]


@pytest.fixture(params=[PostingsIndex, RankBM25Index], ids=["postings", "rank_bm25"])
def backend(request):
    return request.param


@pytest.fixture(params=["built", "loaded"])
def open_index(request, backend, tmp_path):
    def build(corpus, **constants):
        index = backend.build(corpus, **constants)
        if request.param == "built":
            return index
        index.save(tmp_path / "new" / "lexical")
        return backend.load(tmp_path / "new" / "lexical")

    return build


def rows(found):
    return [row for row, _ in found]


def test_empty_corpus(open_index):
    index = open_index([])
    assert len(index) == 0
    assert index.search(["猫"], 5) == []


def test_corpus_of_empty_rows(open_index):
    index = open_index([[], []])
    assert len(index) == 2
    assert index.search(["猫"], 5) == []


@pytest.mark.parametrize("k", [0, -1])
def test_no_k(open_index, k):
    assert open_index(CORPUS).search(["猫"], k) == []


def test_k_beyond_the_corpus_gives_only_matching_rows(open_index):
    assert sorted(rows(open_index(CORPUS).search(["鱼", "骨头"], 99))) == [0, 1, 4, 5]


def test_best_first_and_ties_by_row(open_index):
    found = open_index(CORPUS).search(["猫", "鱼"], 3)
    assert rows(found) == [0, 5, 4]
    assert found[0][1] == found[1][1] > found[2][1]


def test_cut_through_a_tie_keeps_the_first_rows(open_index):
    assert rows(open_index([["x"], ["y"], ["x"], ["x"], ["z"], ["w"], ["v"]]).search(["x"], 2)) == [0, 2]


def test_unknown_and_empty_queries(open_index):
    index = open_index(CORPUS)
    assert index.search(["鸟"], 5) == []
    assert index.search([], 5) == []
    assert rows(index.search(["鸟", "水"], 5)) == [4]


def test_a_token_asked_twice_counts_twice(open_index):
    index = open_index(CORPUS)
    assert index.search(["水", "水"], 1)[0][1] == pytest.approx(2 * index.search(["水"], 1)[0][1])


def test_a_token_in_every_row_still_matches(open_index):
    index = open_index([["的", "a"], ["的", "b"], ["的"]])
    assert sorted(rows(index.search(["的"], 9))) == [0, 1, 2]


def test_a_token_in_half_of_the_rows_matches_with_weight_zero(open_index):
    assert open_index([["x"], ["x"], ["y"], ["z"]]).search(["x"], 9) == [(0, 0.0), (1, 0.0)]


def test_unicode_and_odd_tokens_survive(open_index):
    odd = ["β-vae", "🙂", "line\nbreak", '"', "\u2028", "\ud800"]
    index = open_index([[token] for token in odd] + [["x"]] * 20)
    assert [rows(index.search([token], 1)) for token in odd] == [[number] for number in range(len(odd))]


def test_constants_reach_the_scores(open_index):
    long_and_short = [["x", "y", "y", "y", "y"], ["x"], ["z"], ["z"], ["z"]]
    flat = open_index(long_and_short, b=0.0).search(["x"], 2)
    assert flat[0][1] == pytest.approx(flat[1][1])
    assert rows(open_index(long_and_short, b=1.0).search(["x"], 2)) == [1, 0]


def test_missing_folder_is_damage(backend, tmp_path):
    with pytest.raises(DamagedIndexError, match="ingest"):
        backend.load(tmp_path / "nothing")


def test_every_file_is_needed_whole(backend, tmp_path):
    backend.build(CORPUS).save(tmp_path)
    for file in sorted(tmp_path.iterdir()):
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        with pytest.raises(DamagedIndexError):
            backend.load(tmp_path)
        file.write_bytes(content)
    assert len(backend.load(tmp_path)) == len(CORPUS)
