import time

SOON = 60.0


def test_a_chat_can_be_renamed_and_deleted_after_asking(page, notebook, desk):
    notebook.gate.set()
    test = page().ask("甲？").finish()
    chat = test.chat_id

    test.text_input(key=f"name-{chat}").set_value("新的名字")
    test.click("save-name")
    assert desk().store.find(chat).title == "新的名字"
    assert test.button(key=f"open-{chat}").label == "新的名字"

    test.click("delete")
    assert desk().store.find(chat) is not None
    test.click("delete-no")
    test.click("delete")
    test.click("delete-yes")

    assert desk().store.find(chat) is None
    assert "chat" not in test.query_params
    assert "mb-welcome" in test.html


def test_deleting_a_chat_stops_its_answer(page, notebook):
    test = page().ask("甲？")
    assert notebook.drafted.wait(SOON)

    test.click("delete")
    test.click("delete-yes")

    deadline = time.monotonic() + SOON
    while not notebook.streams[0].was_cancelled:
        assert time.monotonic() < deadline
