"""Who may talk to the server: hosts and origins against DNS rebinding, an API key, and the size of what they send.

Pure ASGI, outermost, so that nothing behind it sees a request that it turned away.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import UsageError
from ui.serve.errors import Problem

KEY_VARIABLE = "MINGBAI_API_KEY"
MIN_KEY_CHARS = 16
# About 250,000 Chinese characters: far more than any context holds.
MAX_BODY_BYTES = 1_000_000
# They show no note and no question, and a browser or a supervisor cannot send a key.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
OPEN_FOLDER = "/static-offline-docs/"
_HASHED = re.compile(r"sha256:([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class Access:
    """The rules. Without a key only loopback may talk to a server that listens on loopback.

    ``key_digest`` is the sha256 of the key; the key itself is never kept. ``hosts`` are the names, lower case,
    under which the server may be addressed besides loopback.
    """

    host: str
    key_digest: bytes | None = field(default=None, repr=False)
    hosts: frozenset[str] = frozenset()

    def admits_host(self, header: str) -> bool:
        """Whether a Host header names this server. A page that rebinds its own name to it does not."""
        name = _name_of(header)
        if name in self.hosts or name == self.host.lower() or is_loopback(name):
            return True
        # An address cannot be rebound; it only gets here when the server listens on every address.
        return _is_any(self.host) and _is_address(name)

    def admits_key(self, authorization: str) -> bool:
        """Whether an Authorization header holds the key. Takes equally long for every wrong key."""
        if self.key_digest is None:
            return True
        scheme, _, key = authorization.partition(" ")
        given = hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).digest()
        return hmac.compare_digest(given, self.key_digest) and scheme.lower() == "bearer"


def access(host: str, key: str = "", hosts: Iterable[str] = ()) -> Access:
    """The rules for a server that listens on ``host``.

    Args:
        host: the address to listen on.
        key: the API key, or ``sha256:`` and the 64 hex digits of its hash; empty for none.
        hosts: further names under which clients address the server.

    Raises:
        UsageError: an address beyond loopback without a key, or a key that can be guessed.
    """
    if not key and not is_loopback(host):
        raise UsageError(
            f"'{host}' can be reached by other machines, and there is no API key. Set {KEY_VARIABLE} to a long random "
            "text (openssl rand -hex 32), or listen on 127.0.0.1."
        )
    return Access(host, digest_of(key) if key else None, frozenset(name.lower() for name in hosts))


def digest_of(key: str) -> bytes:
    """The sha256 of a key, given as it is or already hashed.

    Raises:
        UsageError: fewer than MIN_KEY_CHARS characters, or half a hash.
    """
    if hashed := _HASHED.fullmatch(key):
        return bytes.fromhex(hashed.group(1))
    if key.startswith("sha256:") or len(key) < MIN_KEY_CHARS:
        raise UsageError(
            f"{KEY_VARIABLE} must be a text of at least {MIN_KEY_CHARS} characters, or 'sha256:' and 64 hex digits. "
            "Make one: openssl rand -hex 32"
        )
    return hashlib.sha256(key.encode()).digest()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """Turns away what the rules do not admit; everything else passes unchanged."""

    def __init__(self, app: ASGIApp, access: Access, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._access = access
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or pass the request on."""
        problem = self._problem(scope) if scope["type"] == "http" else None
        await (self._app if problem is None else problem.response())(scope, receive, send)

    def _problem(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        if not self._access.admits_host(headers.get("host", "")):
            return Problem(421, "This server has another name. Use its address, or start it with --allow-host.")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != headers["host"].lower():
            return Problem(403, "A page of another origin may not use this server.")
        if not _is_open(scope["path"]) and not self._admits_client(scope, headers):
            return Problem(401, f"A valid API key is needed: Authorization: Bearer <{KEY_VARIABLE}>.")
        return self._size_problem(headers)

    def _admits_client(self, scope: Scope, headers: Headers) -> bool:
        if self._access.key_digest is None:
            client = scope.get("client")
            return client is not None and is_loopback(client[0])
        return self._access.admits_key(headers.get("authorization", ""))

    def _size_problem(self, headers: Headers) -> Problem | None:
        """What says its size is refused before it is read; the application counts the rest."""
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or float(length) > self._max_body_bytes:
            return Problem(413, f"A request may have {self._max_body_bytes} bytes. Send less.")
        return None


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def _name_of(header: str) -> str:
    """The name of a Host header without its port; an IPv6 address without its brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_any(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified
