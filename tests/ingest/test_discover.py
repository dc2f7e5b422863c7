import os
from pathlib import Path

import pytest

from ingest.discover import Failure, discover


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def names(*paths: Path) -> list[str]:
    return [source.file for source in discover(paths)[0]]


def test_a_folder_is_walked_in_order_without_hidden_and_unknown_files(tmp_path):
    for name in ("b.md", "a/c.TXT", "a/b/d.markdown", ".git/x.md", ".hidden.md", "~$e.docx", "photo.png", "z.jsonl"):
        write(tmp_path / name)
    files, failures = discover([tmp_path])
    assert [source.file for source in files] == ["a/b/d.markdown", "a/c.TXT", "b.md", "z.jsonl"]
    assert failures == []
    assert files[0].path.read_text() == "x"


def test_an_empty_folder_gives_nothing(tmp_path):
    assert discover([tmp_path]) == ([], [])


def test_a_file_named_itself_is_called_by_its_name(tmp_path):
    assert names(write(tmp_path / "deep" / "note.md")) == ["note.md"]


def test_a_missing_path_and_an_unknown_kind_are_failures_when_named(tmp_path):
    write(tmp_path / "photo.png")
    files, failures = discover([tmp_path / "nowhere.md", tmp_path / "photo.png"])
    assert files == []
    assert "cannot be opened" in failures[0].reason
    assert "'.png' is not a kind of file that can be read" in failures[1].reason
    assert ".md" in failures[1].reason


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.md")
    assert discover([tmp_path]) == ([], [])
    assert "not a regular file" in discover([tmp_path / "pipe.md"])[1][0].reason


def test_links_in_a_circle_end(tmp_path):
    write(tmp_path / "a" / "note.md")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "here").symlink_to(".")
    (tmp_path / "self.md").symlink_to("self.md")
    files, failures = discover([tmp_path])
    assert [source.file for source in files] == ["a/note.md"]
    assert [failure.file for failure in failures] == ["self.md"]


def test_a_link_out_of_the_root_is_refused_and_one_inside_is_read_once(tmp_path):
    write(tmp_path / "outside" / "secret.md")
    root = tmp_path / "root"
    write(root / "real.md")
    (root / "also.md").symlink_to("real.md")
    (root / "leak.md").symlink_to(tmp_path / "outside" / "secret.md")
    (root / "door").symlink_to(tmp_path / "outside")
    files, failures = discover([root])
    assert [source.file for source in files] == ["real.md"]
    assert sorted(failure.file for failure in failures) == ["door", "leak.md"]
    assert all("path outside" in failure.reason for failure in failures)


def test_a_link_into_a_hidden_folder_of_the_root_is_read(tmp_path):
    write(tmp_path / ".store" / "note.md")
    (tmp_path / "note.md").symlink_to(".store/note.md")
    assert names(tmp_path) == ["note.md"]


def test_a_dangling_link_is_a_failure(tmp_path):
    (tmp_path / "gone.md").symlink_to("nothing.md")
    files, failures = discover([tmp_path])
    assert files == []
    assert failures[0].file == "gone.md"


def test_equal_names_of_several_roots_get_their_roots_names(tmp_path):
    write(tmp_path / "one" / "note.md")
    write(tmp_path / "one" / "only.md")
    write(tmp_path / "two" / "note.md")
    assert names(tmp_path / "one", tmp_path / "two") == ["one/note.md", "only.md", "two/note.md"]


def test_roots_with_equal_names_get_more_of_their_path(tmp_path):
    write(tmp_path / "x" / "notes" / "a.md")
    write(tmp_path / "y" / "notes" / "a.md")
    assert names(tmp_path / "x" / "notes", tmp_path / "y" / "notes") == ["x/notes/a.md", "y/notes/a.md"]


def test_a_file_reached_twice_is_read_once(tmp_path):
    note = write(tmp_path / "a.md")
    assert names(tmp_path, note, tmp_path) == ["a.md"]


def test_a_folder_that_cannot_be_listed_is_a_failure(tmp_path, monkeypatch):
    write(tmp_path / "open.md")
    write(tmp_path / "closed" / "x.md")
    real = os.scandir

    def refuse(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    files, failures = discover([tmp_path])
    assert [source.file for source in files] == ["open.md"]
    assert failures == [Failure("closed", "It cannot be opened: Permission denied. Check its permissions.")]


def test_a_name_that_is_not_utf8_is_a_failure_with_a_printable_name(tmp_path):
    raw = os.fsencode(tmp_path) + b"/\xff.md"
    try:
        os.close(os.open(raw, os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    files, failures = discover([tmp_path])
    assert files == []
    assert failures[0].file.encode("utf-8").endswith(b".md")
