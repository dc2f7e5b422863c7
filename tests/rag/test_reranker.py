"""The reranker: order and legs as a pure function, then a tiny cross-encoder through the library."""

import socket

import pytest

from rag.errors import ModelError, ModelMissingError
from rag.reranker import CrossEncoderReranker, reorder
from rag.types import Leg, Passage

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"残差连接卷积网络注意力归一化梯度"]


def passage(rank, text="残差", path=()):
    return Passage(
        rank=rank,
        chunk_id=f"c{rank}",
        file="a.md",
        entry="e",
        start=0,
        end=len(text),
        score=1 / rank,
        found_by={Leg.DENSE: rank},
        text=text,
        path=path,
    )


def test_best_first_with_new_ranks_scores_and_the_leg_added():
    found = reorder([passage(1), passage(2), passage(3)], [0.1, 0.9, 0.5])
    assert [(p.chunk_id, p.rank, p.score) for p in found] == [("c2", 1, 0.9), ("c3", 2, 0.5), ("c1", 3, 0.1)]
    assert found[0].found_by == {Leg.DENSE: 2, Leg.RERANK: 1}


def test_equal_scores_keep_the_order_given():
    assert [p.chunk_id for p in reorder([passage(3), passage(1), passage(2)], [0.5, 0.5, 0.5])] == ["c3", "c1", "c2"]


def test_the_passages_given_are_not_changed():
    given = [passage(1), passage(2)]
    reorder(given, [0.0, 1.0])
    assert given == [passage(1), passage(2)]


def test_a_folder_without_a_model_names_the_command(tmp_path):
    with pytest.raises(ModelMissingError, match="mingbai models pull bge"):
        CrossEncoderReranker(tmp_path / "bge")


def test_nothing_to_rank_loads_nothing(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert CrossEncoderReranker(tmp_path).rerank("什么", []) == []


@pytest.mark.slow
def test_a_folder_that_cannot_be_loaded_names_the_command(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert", "num_labels": 1}')
    with pytest.raises(ModelError, match="mingbai models verify"):
        CrossEncoderReranker(tmp_path).rerank("什么", [passage(1)])


@pytest.fixture(scope="module")
def make_tiny(tmp_path_factory):
    """Writes a cross-encoder with random weights, 16 numbers wide."""
    transformers = pytest.importorskip("transformers")
    import torch

    def make(labels):
        folder = tmp_path_factory.mktemp("cross-encoder")
        (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
        config = transformers.BertConfig(
            vocab_size=len(WORDS),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=64,
            num_labels=labels,
            initializer_range=2.0,
        )
        torch.manual_seed(1)
        transformers.BertForSequenceClassification(config).save_pretrained(folder)
        transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
        return folder

    return make


@pytest.mark.slow
def test_a_tiny_cross_encoder_orders_by_its_scores(make_tiny, monkeypatch, capfd):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was tried"))
    reranker = CrossEncoderReranker(make_tiny(1))
    capfd.readouterr()
    given = [passage(n, text, ("网络",)) for n, text in enumerate(["残差连接", "卷积网络", "注意力", "梯度" * 99], 1)]
    found = reranker.rerank("残差", given)
    assert capfd.readouterr() == ("", "")
    assert sorted(p.chunk_id for p in found) == ["c1", "c2", "c3", "c4"]
    scores = [p.score for p in found]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    assert all(0 <= score <= 1 for score in scores)
    again = reranker.rerank("残差", list(reversed(given)))
    assert {p.chunk_id: round(p.score, 2) for p in again} == {p.chunk_id: round(p.score, 2) for p in found}


class FakeModel:
    """Scores a pair by how long its passage is."""

    def __init__(self):
        self.pairs = []

    def predict(self, pairs, **_):
        self.pairs += pairs
        return [float(len(text)) for _, text in pairs]


def test_the_breadcrumb_is_read_with_the_text(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    reranker = CrossEncoderReranker(tmp_path)
    reranker._model = FakeModel()
    found = reranker.rerank("问", [passage(1, "短"), passage(2, "梯度", ("网络", "残差"))])
    assert reranker._model.pairs == [("问", "短"), ("问", "网络 > 残差\n梯度")]
    assert [p.chunk_id for p in found] == ["c2", "c1"]


@pytest.mark.slow
def test_a_classifier_is_no_reranker(make_tiny):
    with pytest.raises(ModelError, match="3 scores"):
        CrossEncoderReranker(make_tiny(3)).rerank("残差", [passage(1)])
