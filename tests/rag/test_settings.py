import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import SettingsError
from rag.settings import PROFILES, Settings, known_keys, load


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


def test_a_profile_sets_a_group_and_everything_else_wins_over_it(tmp_path, monkeypatch):
    file = tmp_path / "mingbai.toml"
    file.write_text('profile = "gpu"\n[engine]\nbatch_size = 1024\n')
    settings = load(file=file)
    assert (settings.profile, settings.engine.gpu_layers, settings.engine.batch_size) == ("gpu", -1, 1024)
    assert load({"engine.gpu_layers": 10}, file=file).engine.gpu_layers == 10
    assert load({"profile": "cpu"}, file=file).engine.gpu_layers == 0
    monkeypatch.setenv("MINGBAI_PROFILE", "gpu")
    assert load(file=tmp_path / "none.toml").engine.gpu_layers == -1
    with pytest.raises(SettingsError, match="profile"):
        load({"profile": "tpu"}, file=file)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_profile_holds_settings_that_exist(profile, tmp_path):
    settings = load({"profile": profile}, file=tmp_path / "none.toml")
    for key, value in PROFILES[profile].items():
        section, name = key.split(".")
        assert getattr(getattr(settings, section), name) == value
