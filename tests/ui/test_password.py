import pytest

from rag.errors import UsageError
from rag.settings import Settings
from ui import launch, password

SECRET = "correct horse"  # noqa: S105 - of this test


@pytest.fixture
def locked(home, monkeypatch):
    monkeypatch.setenv(password.VARIABLE, password.hashed(SECRET))


def test_a_hash_fits_its_password_alone_and_two_hashes_of_one_differ():
    kept = password.hashed(SECRET)

    assert password.fits(SECRET, kept)
    assert not password.fits(SECRET + " ", kept)
    assert not password.fits("", kept)
    assert password.hashed(SECRET) != kept
    assert SECRET not in kept


@pytest.mark.parametrize("text", ["plain text", "scrypt:zz:00", "scrypt:00:00", "md5:00:" + "0" * 128])
def test_what_is_no_hash_is_refused(monkeypatch, text):
    monkeypatch.setenv(password.VARIABLE, text)

    with pytest.raises(UsageError, match="mingbai password"):
        password.kept_hash()


def test_a_short_password_is_refused():
    with pytest.raises(UsageError, match="at least 8"):
        password.hashed("short")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
def test_this_machine_needs_no_password(monkeypatch, host):
    monkeypatch.delenv(password.VARIABLE, raising=False)
    password.check_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])  # noqa: S104 - must be refused
def test_other_machines_are_let_in_with_a_password_only(monkeypatch, host):
    monkeypatch.delenv(password.VARIABLE, raising=False)
    settings = Settings.model_validate({"ui": {"host": host}})
    with pytest.raises(UsageError, match="no password"):
        launch.command(settings)

    monkeypatch.setenv(password.VARIABLE, password.hashed(SECRET))
    assert f"--server.address={host}" in launch.command(settings)


def test_guessing_gets_slow():
    throttle = password.Throttle()
    for _ in range(5):
        assert throttle.allows()
        throttle.record(is_right=False)

    assert not throttle.allows()
    throttle.record(is_right=True)
    assert throttle.allows()


def test_nothing_is_shown_before_the_password_and_all_of_it_after(locked, opened, app, desk):
    page = app()
    assert "这个页面有密码" in page.html
    assert "mb-facts" not in page.html
    assert not page.get("chat_input")
    assert opened.times == 0

    page.text_input(key="password").set_value("wrong password")
    assert "密码不对" in page.click("unlock").html
    page.text_input(key="password").set_value(SECRET)
    page.click("unlock")

    assert desk().library.wait(60)
    assert "mb-facts" in page.run().html
    assert page.get("chat_input")


def test_another_page_is_locked_as_well(locked, opened, app):
    for name in ("notes", "models", "evals"):
        assert "mb-page" not in app().visit(name).html


def test_uploads_and_requests_from_other_sites_are_limited():
    flags = launch.command(Settings())

    for flag in ("enableXsrfProtection=true", "enableCORS=true", "maxUploadSize=64", "address=127.0.0.1"):
        assert f"--server.{flag}" in flags
    assert "--browser.gatherUsageStats=false" in flags


def test_a_page_that_was_started_in_another_way_is_not_open_to_other_machines(opened, app, monkeypatch):
    from streamlit import config

    monkeypatch.setattr("ui.door.runtime.exists", lambda: True)
    config.set_option("server.address", None)

    page = app()

    assert "no password" in page.html
    assert "mb-facts" not in page.html
