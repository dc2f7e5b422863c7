import json
import sqlite3

import pytest

from evals.cases import load_cases
from rag.types import Mode
from ui import conversations, rating_cases
from ui.conversations import Conversations, Rating, Status


@pytest.fixture
def store(tmp_path):
    return Conversations(tmp_path / "chats.sqlite")


@pytest.fixture
def answered(store, notebook):
    """Stores an answered question in a chat of its own; the turn."""
    notebook.gate.set()

    def ask(question="甲是什么？", mode=Mode.RCG):
        chat = store.create(question)
        turn = store.begin(chat.conversation_id, question, mode)
        store.finish(turn.turn_id, Status.DONE, answer=notebook.stream(question, mode, ()).result)
        return turn

    return ask


def test_a_rating_is_kept_changed_and_taken_back(store, answered):
    turn = answered()
    store.rate(turn.turn_id, Rating(True, ""))
    store.rate(turn.turn_id, Rating(False, " 漏了一半 "))
    assert store.ratings(turn.conversation_id) == {turn.turn_id: Rating(False, "漏了一半")}

    store.rate(turn.turn_id, None)
    assert store.ratings(turn.conversation_id) == {}


def test_a_rating_goes_with_its_chat_and_needs_a_turn(store, answered):
    turn = answered()
    store.rate(turn.turn_id, Rating(True, ""))
    store.rate(turn.turn_id + 99, Rating(True, ""))
    assert len(store.rated()) == 1

    store.delete(turn.conversation_id)
    assert store.rated() == []


def test_chats_of_an_older_version_get_their_ratings(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as connection:
        for statement in conversations._SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO conversations VALUES ('c', 't', 'a', 'b')")
    connection.close()

    store = Conversations(path)

    assert [chat.title for chat in store.recent()] == ["t"]
    assert store.ratings("c") == {}


def test_good_answers_become_cases_that_the_harness_reads(store, answered, tmp_path):
    store.rate(answered().turn_id, Rating(True, ""))
    store.rate(answered("乙是什么？", Mode.ROG).turn_id, Rating(True, ""))
    path = tmp_path / "cases.jsonl"
    path.write_text(rating_cases.case_lines(store.rated()), encoding="utf-8")

    (case,) = load_cases(path)

    assert (case.question, case.answerable) == ("甲是什么？", True)
    assert case.evidence[0].quote == "甲是第一个字。"


def test_a_refusal_that_was_right_is_an_unanswerable_case(store, answered, notebook):
    notebook.refuses = True
    store.rate(answered().turn_id, Rating(True, ""))

    (case,) = rating_cases.cases(store.rated())

    assert not case.answerable
    assert case.evidence == ()


def test_a_question_counts_once(store, answered):
    for _ in range(2):
        store.rate(answered().turn_id, Rating(True, ""))

    assert len(rating_cases.cases(store.rated())) == 1


def test_bad_answers_are_listed_with_their_reasons_and_are_no_cases(store, answered):
    store.rate(answered().turn_id, Rating(False, "漏了一半"))

    assert rating_cases.cases(store.rated()) == []
    (row,) = map(json.loads, rating_cases.disliked_lines(store.rated()).splitlines())
    assert row["reason"] == "漏了一半"


@pytest.mark.parametrize(
    ("words", "found"),
    [("甲是", 1), ("第一个字", 1), ("火星", 0), ("%", 0), ("_", 0), ("|", 0), ("  ", 2), ("百分之百", 1)],
)
def test_chats_are_found_by_title_question_and_answer(store, answered, words, found):
    answered()
    store.create("百分之百")

    assert len(store.recent(words=words)) == found


def test_a_thumb_with_a_reason_is_stored_shown_again_and_exported(page, notebook, desk):
    notebook.gate.set()
    test = page().ask("甲是什么？").finish()
    (turn,) = test.turns
    thumbs = test.get("feedback")[0]
    thumbs.set_value(0)
    test.run()
    test.text_input(key=f"reason-{turn.turn_id}").set_value("<b>不对")
    test.run()

    assert desk().store.ratings(turn.conversation_id) == {turn.turn_id: Rating(False, "<b>不对")}
    assert "记下了" in test.run().html
    assert "1 个差评" in test.visit("evals").html


def test_the_list_of_chats_can_be_searched(page, notebook, desk):
    notebook.gate.set()
    for number in range(7):
        desk().store.create(f"第{number}个")
    test = page()
    test.text_input(key="find-chat").set_value("第3")
    test.run()

    assert [b.label for b in test.button if b.key.startswith("open-")] == ["第3个"]
    test.text_input(key="find-chat").set_value("没有的")
    assert "没有找到这样的对话" in test.run().html
