import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import SettingsError
from rag.settings import Settings, known_keys, load


def test_defaults_are_valid_without_a_file(tmp_path):
    assert load(file=tmp_path / "none.toml") == Settings()


def test_later_sources_win(tmp_path, monkeypatch):
    file = tmp_path / "mingbai.toml"
    file.write_text("[retrieval]\nk = 3\ncandidates = 20\n[engine]\nthreads = 2\n")
    monkeypatch.setenv("MINGBAI_RETRIEVAL__K", "7")
    settings = load({"engine.threads": 1}, file=file)
    assert (settings.retrieval.k, settings.retrieval.candidates, settings.engine.threads) == (7, 20, 1)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[retrieval]\nkk = 3", "nearest known one is 'retrieval.k'"),
        ("[retreival]\nk = 3", "Unknown setting 'retreival'"),
        ("[retrieval]\nk = 0", "retrieval.k"),
        ("[chunk]\nmax_chars = 'many'", "chunk.max_chars"),
        ("not toml", "cannot be read"),
    ],
)
def test_what_cannot_be_a_setting_is_refused_with_the_place(tmp_path, text, part):
    file = tmp_path / "mingbai.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=part.replace(".", r"\.")):
        load(file=file)


def test_a_named_file_must_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("MINGBAI_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(SettingsError, match="does not exist"):
        load()


@given(st.text(min_size=1).filter(lambda key: key not in known_keys()))
def test_every_unknown_key_names_a_known_one(key):
    with pytest.raises(SettingsError, match="nearest known one"):
        load({key: 1})


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Settings().retrieval.k = 9
