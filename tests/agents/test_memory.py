"""Memory: everything is stored; every policy keeps the order of time and the budget."""

import sqlite3

import numpy as np
import pytest
from fakes import FakeEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.memory import Hybrid, LastN, Memory, RelevantN, TurnStore
from rag.errors import StorageError, UsageError

TALK = [
    ("我的显卡是什么型号", "是 RTX 4090，显存 24 GB"),
    ("学习率应该设多少", "微调时从 2e-5 开始"),
    ("它要预热吗", "预热 500 步就够"),
    ("晚饭吃什么", "番茄牛腩"),
    ("汤放多少盐", "一小勺"),
]


@pytest.fixture
def store():
    with TurnStore(":memory:") as opened:
        yield opened


def policies(store, n=6):
    relevant = RelevantN(FakeEmbedder(), store, n, min_similarity=0.2)
    return {"last": LastN(n), "relevant": relevant, "hybrid": Hybrid(relevant, same_topic=0.3)}


def filled(store, talk=TALK):
    return [store.add("a", q, a) for q, a in talk]


@pytest.mark.parametrize("name", ["last", "relevant", "hybrid"])
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.text("显卡学习率盐汤", min_size=1, max_size=6), st.text("一二三", max_size=6)), max_size=8),
    st.text("显卡它学习率盐", min_size=1, max_size=6),
    st.integers(0, 60),
)
def test_the_contract_of_all_policies(name, talk, question, budget):
    with TurnStore(":memory:") as store:
        turns = filled(store, talk)
        recall = policies(store)[name].recall(turns, question, budget, len)
        ids = [t.turn_id for t in recall.turns]
        assert ids == sorted(set(ids))
        assert recall.tokens == sum(len(t.text) for t in recall.turns) <= budget
        assert set(recall.turns) <= set(turns)
        with pytest.raises(UsageError):
            policies(store)[name].recall(turns, question, -1, len)


def test_last_n_keeps_the_newest(store):
    turns = filled(store)
    assert LastN(2).recall(turns, "显卡", 999, len).turns == tuple(turns[-2:])
    assert LastN(0).recall(turns, "显卡", 999, len).turns == ()
    short = LastN(5).recall(turns, "显卡", len(turns[-1].text) + 3, len)
    assert (short.turns, short.left_out) == ((turns[-1],), 4)


def test_relevant_n_finds_an_old_turn(store):
    turns = filled(store)
    assert policies(store, 1)["relevant"].recall(turns, "显卡的显存有多大", 999, len).turns == (turns[0],)


def test_hybrid_goes_on_with_the_last_turn_and_recalls_the_old_one(store):
    turns = filled(store)
    recall = policies(store)["hybrid"].recall(turns, "那它和我的显卡有关系吗", 999, len)
    assert not recall.is_new_topic
    assert turns[-1] in recall.turns
    assert turns[0] in recall.turns


def test_hybrid_drops_the_last_turns_when_the_topic_changes(store):
    turns = filled(store)
    recall = policies(store)["hybrid"].recall(turns, "微调的学习率设了多少", 999, len)
    assert recall.is_new_topic
    assert recall.turns[0] == turns[1]
    assert turns[-1] not in recall.turns


def test_turns_survive_and_are_kept_apart(tmp_path):
    path = tmp_path / "deep" / "memory.sqlite"
    with TurnStore(path) as store:
        filled(store)
        store.add("b", "别的", "话")
        store.keep_vectors({1: np.array([1, 0.5], dtype=np.float32)}, "m")
    with TurnStore(path) as store:
        turns = store.turns("a")
        assert [(t.question, t.answer) for t in turns] == TALK
        assert store.vectors(turns, "m")[1].tolist() == [1, 0.5]
        assert store.vectors(turns, "other") == {}
        assert store.forget("a") == len(TALK)
        assert (store.turns("a"), len(store.turns("b"))) == ([], 1)
        assert store.vectors(turns, "m") == {}


def test_a_turn_is_embedded_once(store):
    embedder = FakeEmbedder()
    turns = filled(store)
    policy = RelevantN(embedder, store)
    policy.recall(turns, "显卡", 999, len)
    policy.recall(turns, "盐", 999, len)
    assert len(embedder.embedded) == len(turns)


def test_a_memory_recalls_history_for_a_question(store):
    memory = Memory(store, LastN(3), len, conversation="x", budget=30)
    memory.remember("问一", "答一")
    memory.remember("问二", "答二")
    assert memory.recall("问三").history == [("问一", "答一"), ("问二", "答二")]
    with pytest.raises(UsageError):
        memory.remember("  ", "x")


def test_a_file_that_is_no_database_is_a_storage_error(tmp_path):
    (tmp_path / "x.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match="memory file"):
        TurnStore(tmp_path / "x.sqlite")


def test_a_closed_store_is_a_storage_error():
    store = TurnStore(":memory:")
    store.close()
    with pytest.raises((StorageError, sqlite3.ProgrammingError)):
        store.turns("a")
