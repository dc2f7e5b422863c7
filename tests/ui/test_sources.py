import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import UsageError
from ui import sources
from ui.sources import MAX_NAME_BYTES, Sources, Upload, safe_name


@pytest.fixture
def made(tmp_path):
    return Sources(tmp_path / "index", tmp_path / "data")


def test_folders_are_remembered_for_each_index(made, tmp_path):
    (tmp_path / "notes").mkdir()
    kept = made.add(str(tmp_path / "notes"))
    made.add(f" '{tmp_path / 'notes'}' ")

    assert made.folders() == [kept]
    assert Sources(tmp_path / "index", tmp_path / "data").folders() == [kept]
    assert Sources(tmp_path / "other", tmp_path / "data").folders() == []

    made.remove(kept)
    assert made.folders() == []
    assert kept.exists()


@pytest.mark.parametrize("path", ["", "   ", "/nowhere/at/all"])
def test_what_is_not_there_is_refused(made, path):
    with pytest.raises(UsageError):
        made.add(path)


def test_there_is_a_limit_to_folders(made, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FOLDERS", 1)
    made.add(str(tmp_path))
    (tmp_path / "b").mkdir()

    with pytest.raises(UsageError, match="are the most"):
        made.add(str(tmp_path / "b"))


def test_a_damaged_list_of_folders_counts_as_empty(made, tmp_path):
    (tmp_path / "data").mkdir()
    for broken in ("{", "[1]", json.dumps({"x": 3})):
        (tmp_path / "data" / sources.FILE).write_text(broken)
        assert made.folders() == []


def test_uploads_join_the_paths_and_the_same_name_replaces(made):
    assert made.paths() == []
    made.upload([Upload("a.md", b"1"), Upload("b.txt", b"2")])
    made.upload([Upload("a.md", b"3")])

    assert [path.name for path in made.uploaded()] == ["a.md", "b.txt"]
    assert made.uploaded()[0].read_bytes() == b"3"
    assert made.paths() == [made.uploads]

    made.discard("a.md")
    made.discard("../b.txt")
    assert [path.name for path in made.uploaded()] == ["b.txt"]


@pytest.mark.parametrize("name", ["a.exe", "a", ".md", "..", "", "/", "a" * 300 + ".md"])
def test_names_that_are_none_and_other_kinds_are_refused(made, name):
    with pytest.raises(UsageError):
        made.upload([Upload("good.md", b""), Upload(name, b"")])
    assert made.uploaded() == []


def test_there_is_a_limit_to_size_and_number(made, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 2)
    monkeypatch.setattr(sources, "MAX_FILES", 2)
    with pytest.raises(UsageError, match="MB"):
        made.upload([Upload("a.md", b"123")])
    with pytest.raises(UsageError, match="are the most"):
        made.upload([Upload(f"{n}.md", b"") for n in range(3)])
    made.upload([Upload("a.md", b""), Upload("b.md", b"")])
    with pytest.raises(UsageError, match="are the most"):
        made.upload([Upload("c.md", b"")])


@given(st.text(max_size=300))
def test_no_name_leaves_its_folder(name):
    try:
        clean = safe_name(name)
    except UsageError:
        return
    assert not set(clean) & set("/\\\0\n:")
    assert clean not in (".", "..")
    assert not clean.startswith(".")
    assert 0 < len(clean.encode()) <= MAX_NAME_BYTES
    assert safe_name(clean) == clean
