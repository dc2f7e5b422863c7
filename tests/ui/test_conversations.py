import sqlite3
import threading

import pytest

from rag.errors import StorageError
from rag.types import (
    Answer,
    Citation,
    Leg,
    Mode,
    Passage,
    Sentence,
    SourceSpan,
    Span,
    State,
    Support,
)
from ui.conversations import TITLE_CHARS, Conversations, Status, default_path

CITATION = Citation(1, "c1", "a.md", "词条", 2, 2, 10, 14, "引用的字")
PASSAGE = Passage(
    rank=1,
    chunk_id="c1",
    file="a.md",
    entry="词条",
    start=8,
    end=20,
    score=0.5,
    found_by={Leg.DENSE: 1, Leg.TERM: 2},
    text="前文引用的字后文",
    line_start=2,
    line_end=3,
    path=("章", "词条"),
    aliases=("别名",),
    also_at=(SourceSpan("b.md", 1, 2, 3, 4),),
)
ANSWER = Answer(
    question="问？",
    mode=Mode.RCG,
    state=State.ANSWERED,
    text="答。[1]",
    sentences=(Sentence("答。", Support.CITED, (CITATION,)), Sentence("自己的。", Support.OWN)),
    passages=(PASSAGE,),
    timings={"total": 1.5},
    tokens={"prompt": 3},
    model="m",
    prompt_hash="h",
    seed=7,
    nearest=("近",),
    notices=("注意",),
    trace=(Span("search", 0.1, {"query": "问？", "sufficient": 0.25}),),
)


@pytest.fixture
def store(tmp_path):
    return Conversations(tmp_path / "deep" / "chats.sqlite")


def test_a_chat_survives_reopening_the_file_with_every_field_of_its_answer(store, tmp_path):
    chat = store.create("标题")
    turn = store.begin(chat.conversation_id, "问？", Mode.RAG)
    store.finish(turn.turn_id, Status.DONE, answer=ANSWER)

    again = Conversations(tmp_path / "deep" / "chats.sqlite")
    (found,) = again.turns(chat.conversation_id)

    assert again.find(chat.conversation_id).title == "标题"
    assert (found.question, found.mode, found.status, found.error) == ("问？", Mode.RAG, Status.DONE, "")
    assert found.answer == ANSWER
    assert found.answer.passages[0].found_by == {Leg.DENSE: 1, Leg.TERM: 2}
    assert isinstance(found.answer.sentences[0].support, Support)


def test_a_question_is_stored_before_it_is_answered(store):
    chat = store.create("t")
    begun = store.begin(chat.conversation_id, "问？", Mode.ROG)

    assert store.turns(chat.conversation_id) == [begun]
    assert begun.status is Status.RUNNING
    assert begun.answer is None


def test_turns_keep_their_order_and_chats_are_listed_by_last_use(store):
    first, second = store.create("first"), store.create("second")
    for question in "abc":
        store.begin(second.conversation_id, question, Mode.RCG)
    threading.Event().wait(0.005)
    store.begin(first.conversation_id, "d", Mode.RCG)

    assert [t.question for t in store.turns(second.conversation_id)] == ["a", "b", "c"]
    assert [c.title for c in store.recent()] == ["first", "second"]
    assert len(store.recent(limit=1)) == 1


def test_ids_are_long_and_never_repeat(store):
    ids = {store.create("t").conversation_id for _ in range(20)}

    assert len(ids) == 20
    assert all(len(i) == 32 for i in ids)


def test_deleting_removes_the_turns_and_a_late_answer_is_dropped(store):
    chat, other = store.create("a"), store.create("b")
    turn = store.begin(chat.conversation_id, "q", Mode.RCG)
    store.begin(other.conversation_id, "q", Mode.RCG)

    store.delete(chat.conversation_id)
    store.finish(turn.turn_id, Status.DONE, answer=ANSWER)

    assert store.find(chat.conversation_id) is None
    assert store.turns(chat.conversation_id) == []
    assert len(store.turns(other.conversation_id)) == 1


def test_titles_are_one_short_line_and_a_blank_name_changes_nothing(store):
    chat = store.create("一\n二  三" + "长" * 200)
    assert chat.title.startswith("一 二 三")
    assert len(chat.title) == TITLE_CHARS

    store.rename(chat.conversation_id, "新名字")
    store.rename(chat.conversation_id, "   ")

    assert store.find(chat.conversation_id).title == "新名字"


def test_hostile_text_is_stored_as_it_is(store):
    title = "'; DROP TABLE turns; --"
    chat = store.create(title)
    store.begin(chat.conversation_id, "\"\0'; DELETE FROM conversations", Mode.RCG)

    assert store.find(chat.conversation_id).title == title
    assert store.turns(chat.conversation_id)[0].question == "\"\0'; DELETE FROM conversations"


def test_an_unreadable_answer_costs_only_its_own_turn(store, tmp_path):
    chat = store.create("t")
    broken, whole = (store.begin(chat.conversation_id, q, Mode.RCG) for q in "ab")
    store.finish(broken.turn_id, Status.DONE, answer=ANSWER)
    store.finish(whole.turn_id, Status.DONE, answer=ANSWER)
    with sqlite3.connect(tmp_path / "deep" / "chats.sqlite") as connection:
        connection.execute("UPDATE turns SET answer = '{\"mode\": 1}' WHERE turn_id = ?", [broken.turn_id])
    connection.close()

    first, second = store.turns(chat.conversation_id)

    assert first.status is Status.FAILED
    assert "cannot be read" in first.error
    assert second.answer == ANSWER


def test_a_file_that_is_no_database_is_named_in_the_error(tmp_path):
    path = tmp_path / "chats.sqlite"
    path.write_bytes(b"not a database at all" * 100)

    with pytest.raises(StorageError, match=r"chats\.sqlite"):
        Conversations(path)


def test_a_folder_that_cannot_be_made_is_an_error_with_a_next_step(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(StorageError, match="XDG_DATA_HOME"):
        Conversations(tmp_path / "file" / "chats.sqlite")


def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "chats.sqlite"
    Conversations(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StorageError, match="99"):
        Conversations(path)


def test_many_threads_may_write_at_once(store):
    chat = store.create("t")

    def write(n):
        turn = store.begin(chat.conversation_id, str(n), Mode.RCG)
        store.finish(turn.turn_id, Status.DONE, answer=ANSWER)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    turns = store.turns(chat.conversation_id)
    assert sorted(t.question for t in turns) == sorted("01234567")
    assert all(t.status is Status.DONE for t in turns)


def test_chats_live_in_the_data_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert default_path() == tmp_path / "mingbai" / "conversations.sqlite"
