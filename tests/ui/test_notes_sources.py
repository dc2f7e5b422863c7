"""The notes page: where notes come from, the ingest, and how the index is."""

import threading

import pytest

from ingest.report import FileReport, FileStatus, IngestReport
from rag import manifest
from rag.errors import EngineError, StorageError
from ui import notes_sources
from ui.ingest_task import NAME
from ui.sources import Upload

SOON = 60.0
PAYLOAD = "<img src=x onerror=alert(1)>.md"


@pytest.fixture
def sources(filled, notes):
    """The part about the sources, with the folder of the index added by hand."""

    def open_part(*folders, lang="zh"):
        page = filled(lang).visit("notes", view="sources")
        for folder in folders:
            page.text_input(key="source-path").set_value(str(folder))
            page.click("add-path")
        return page

    return open_part


def _ingest(page):
    return page.click("ingest").settle(NAME)


def test_without_sources_nothing_can_be_ingested(sources):
    page = sources()

    assert "先加一个文件夹" in page.html
    assert "ingest" not in [button.key for button in page.button]


def test_a_folder_that_is_not_there_is_refused_with_its_name(sources, home):
    page = sources(home / "nowhere<b>")

    assert "nowhere&lt;b&gt;" in page.html
    assert "这样不行" in page.html


def test_the_same_folder_changes_nothing_and_the_report_names_every_file(sources, notes):
    page = sources(notes)
    assert "会读 3 个文件，其中 0 个是新的，0 个会离开索引" in page.html

    _ingest(page)

    assert "没有变化" in page.html
    assert "没变 3" in page.html
    assert "rag.md" in page.html


def test_a_new_file_is_found_by_the_chat_without_a_restart(sources, notes, home, desk):
    more = home / "more"
    more.mkdir()
    (more / "new.md").write_text("# 新的\n\n## 火星猫\n\n火星猫住在火星上。\n", encoding="utf-8")
    page = sources(notes, more)
    before = desk().library.opened

    _ingest(page)
    assert desk().library.wait(SOON)
    page.segmented_control(key="notes-view").set_value("browse")
    page.run()

    assert any("火星猫" in button.label for button in page.button if button.key.startswith("entry-"))
    assert desk().library.opened is not before
    assert desk().library.notebook().search("火星猫", 1)[0].file == "new.md"


def test_files_leave_the_index_only_after_a_tick(sources, home, desk):
    other = home / "other"
    other.mkdir()
    (other / "only.md").write_text("# 独苗\n\n只有这一个。\n", encoding="utf-8")
    page = sources(other)

    assert "&lt;img src=x onerror=alert(1)&gt;.md" in page.html
    assert "<img" not in page.html
    assert page.button(key="ingest").disabled

    page.checkbox(key="leaving").check()
    _ingest(page.run())

    assert "离开 3" in page.html
    assert desk().library.notebook().index.manifest.documents == 1


def test_a_folder_can_be_removed_from_the_list_and_stays_on_the_disk(sources, notes, desk):
    page = sources(notes)

    page.click("remove-0")

    assert desk().sources.folders() == []
    assert (notes / "rag.md").exists()


def test_uploads_are_kept_listed_ingested_and_removed(sources, notes, desk):
    page = sources(notes)
    page.file_uploader(key="uploads-0").upload(
        "上传.md", "# 上传\n\n## 水星狗\n\n水星狗住在水星上。\n".encode(), "text/markdown"
    )
    page.run().click("keep")
    assert "已保存 1 个文件" in page.html
    assert "其中 1 个是新的" in page.html

    _ingest(page)
    assert desk().library.notebook().search("水星狗", 1)[0].file == "上传.md"

    page.click("discard-0")
    assert desk().sources.uploaded() == []


def test_an_upload_that_is_refused_says_why_and_keeps_nothing(sources, notes, desk, monkeypatch):
    monkeypatch.setattr("ui.sources.MAX_BYTES", 3)
    page = sources(notes)
    page.file_uploader(key="uploads-0").upload(PAYLOAD, b"# too long", "text/markdown")
    page.run().click("keep")

    assert "&lt;img src=x onerror=alert(1)&gt;.md" in page.html
    assert "<img" not in page.html
    assert desk().sources.uploaded() == []


def test_an_ingest_shows_its_progress_and_can_be_stopped(sources, notes, desk, monkeypatch):
    reached = threading.Event()

    def slow(*_, progress, **__):
        for done in range(10_000):
            progress("embed", done, 10_000)
            reached.set()
            threading.Event().wait(0.01)

    monkeypatch.setattr("ingest.ingest", slow)
    page = sources(notes).click("ingest")
    assert reached.wait(SOON)
    page.run()

    assert "算语义向量" in page.get("progress")[0].proto.text
    assert page.button(key="remove-0").disabled
    page.click("stop-ingest").settle(NAME)
    assert "已停止，旧索引照常回答" in page.html


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (StorageError("The disk <b>is full</b>. Free space."), "The disk &lt;b&gt;is full&lt;/b&gt;"),
        (EngineError("no"), "模型运行出错"),
        (ZeroDivisionError("inner workings"), "ZeroDivisionError"),
    ],
)
def test_an_ingest_that_fails_is_a_card_and_the_old_index_answers(sources, notes, desk, monkeypatch, error, shown):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("ingest.ingest", fail)
    page = sources(notes).click("ingest").settle(NAME)

    assert shown in page.html
    assert "inner workings" not in page.html
    assert desk().library.notebook().search("检索增强生成", 1)


def test_a_report_shows_failures_first_and_escapes_reasons():
    files = [FileReport("a.md", FileStatus.UNCHANGED), FileReport(PAYLOAD, FileStatus.FAILED, "<script>no</script>")]
    report = IngestReport(tuple(files), 3, 4, 1, 2, True, {"total": 1.5})

    for lang in ("zh", "en"):
        made = notes_sources.report_html(lang, report)
        assert made.index("&lt;img src=x onerror=alert(1)&gt;.md") < made.index("a.md</bdi>")
        assert "&lt;script&gt;no&lt;/script&gt;" in made
        assert "<script" not in made


def test_a_long_report_says_how_many_files_it_leaves_out():
    files = tuple(FileReport(f"{n}.md", FileStatus.ADDED) for n in range(notes_sources.ROWS + 7))
    made = notes_sources.report_html("en", IngestReport(files, 1, 1, 0, 0, True, {}))

    assert made.count("<tr class=") == notes_sources.ROWS
    assert "7 more files" in made


def test_the_index_shows_what_it_is_made_of(filled):
    page = filled("en").visit("notes", view="health")

    assert "The index fits the settings" in page.html
    assert "embeddinggemma-300m" in page.html
    assert "postings" in page.html


def test_checking_every_byte_finds_a_changed_one(filled, home):
    page = filled().visit("notes", view="health")
    page.click("check-index").settle("check-index")
    assert "每个字节都对" in page.html

    store = manifest.current(home / "index") / "store.sqlite"
    store.write_bytes(store.read_bytes() + b"x")
    page.click("check-index").settle("check-index")
    assert "索引损坏" in page.html


def test_an_index_of_other_settings_is_named(filled, monkeypatch):
    monkeypatch.setenv("MINGBAI_LEXICAL__K1", "0.9")
    page = filled().visit("notes", view="health")

    assert "索引和现在的设置不一致" in page.html


def test_uploaded_names_with_folders_lose_them(desk):
    kept = desk().sources.upload([Upload("../../etc/passwd.md", b"x")])

    assert [path.name for path in kept] == ["passwd.md"]
    assert kept[0].parent == desk().sources.uploads
