import hashlib

import pytest
from fakes import FakeGenerator

from rag.errors import UsageError
from ui.serve.guard import MAX_BODY_BYTES, access, is_loopback

KEY = "a-long-and-random-key-for-tests"
REMOTE = {"host": "0.0.0.0", "key": KEY, "client": ("192.168.1.9", 4000)}  # noqa: S104 - that is what is tested
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])  # noqa: S104 - must be refused
def test_without_a_key_only_loopback_is_listened_on(host):
    with pytest.raises(UsageError, match="MINGBAI_API_KEY"):
        access(host)
    assert access(host, KEY).key_digest == hashlib.sha256(KEY.encode()).digest()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.0.1"])
def test_loopback_needs_no_key(host):
    assert is_loopback(host)
    assert access(host).key_digest is None


@pytest.mark.parametrize("key", ["short", "sha256:abc", "sha256:" + "g" * 64, "x" * 15])
def test_a_key_that_can_be_guessed_is_refused(key):
    with pytest.raises(UsageError, match="16 characters"):
        access("127.0.0.1", key)


def test_the_key_may_be_given_as_its_hash_and_is_never_kept():
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    rules = access("127.0.0.1", f"sha256:{digest}")
    assert rules.admits_key(f"Bearer {KEY}")
    assert not rules.admits_key(f"Bearer {digest}")
    assert digest not in repr(rules)
    assert KEY not in repr(access("127.0.0.1", KEY))


@pytest.mark.parametrize(
    "authorization", ["", KEY, f"Basic {KEY}", "Bearer ", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer \udcff"]
)
def test_everything_but_the_key_is_wrong(authorization):
    assert not access("127.0.0.1", KEY).admits_key(authorization)


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/nothing/here"])
def test_with_a_key_every_client_needs_it(client_of, path):
    client = client_of(FakeGenerator(), key=KEY)
    for headers in ({}, {"Authorization": "Bearer wrong-wrong-wrong"}):
        refused = client.get(path, headers=headers)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.json()["error"]["type"] == "authentication_error"
    assert client.get(path, headers=BEARER).status_code in {200, 404}


def test_without_a_key_a_client_from_elsewhere_is_turned_away(client_of):
    client = client_of(FakeGenerator(), client=("10.0.0.8", 4000))
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json"])
def test_what_shows_nothing_private_is_open(client_of, path):
    client = client_of(FakeGenerator(), **REMOTE)
    assert client.get(path, headers={"Host": "192.168.1.5:8502"}).status_code in {200, 503}


@pytest.mark.parametrize(
    ("host", "admitted"),
    [
        ("127.0.0.1:8502", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("[::1]:8502", True),
        ("evil.example:8502", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("192.168.1.5", False),
        ("", False),
    ],
)
def test_a_rebound_name_is_refused(client_of, host, admitted):
    status = client_of(FakeGenerator()).get("/v1/models", headers={"Host": host}).status_code
    assert status == (200 if admitted else 421)


@pytest.mark.parametrize(
    ("host", "admitted"), [("192.168.1.5:8502", True), ("notes.lan", True), ("Notes.LAN:1", True), ("other.lan", False)]
)
def test_a_server_for_others_answers_to_its_addresses_and_given_names(client_of, host, admitted):
    client = client_of(FakeGenerator(), **REMOTE, hosts=["notes.lan"])
    status = client.get("/v1/models", headers={**BEARER, "Host": host}).status_code
    assert status == (200 if admitted else 421)


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        ("http://127.0.0.1:8502", True),
        ("http://127.0.0.1:9999", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_pages_of_other_origins_are_refused(client_of, origin, admitted):
    answer = client_of(FakeGenerator()).post(
        "/v1/notes/search", json={"question": "云杉", "k": 1}, headers={"Origin": origin}
    )
    assert answer.status_code == (200 if admitted else 403)
    assert "access-control-allow-origin" not in answer.headers


def test_too_large_a_body_is_refused_declared_or_not(client_of):
    client = client_of(FakeGenerator())
    big = b'{"question": "' + b"a" * MAX_BODY_BYTES + b'"}'
    declared = client.post("/v1/notes/search", content=big)
    chunked = client.post(
        "/v1/notes/search",
        content=iter([big[:1000], big[1000:]]),
        headers={"Content-Type": "application/json"},
    )
    assert (declared.status_code, chunked.status_code) == (413, 413)
    assert "message" in declared.json()["error"]
    assert "message" in chunked.json()["error"]


@pytest.mark.parametrize("length", ["9" * 6000, "-1", "1.5", "abc"])
def test_a_strange_length_is_refused(client_of, length):
    answer = client_of(FakeGenerator()).get("/v1/models", headers={"Content-Length": length})
    assert answer.status_code == 413
