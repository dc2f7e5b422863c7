"""The password of a page that other machines can reach. Only its hash is kept: scrypt with a salt (RFC 7914)."""

import hashlib
import hmac
import ipaddress
import os
import secrets
import threading
import time

from rag.errors import UsageError

VARIABLE = "MINGBAI_PASSWORD_HASH"
MIN_CHARS = 8
# 16 MB and some 50 ms a try: slow to guess, quick enough to type.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
_SALT_BYTES = 16
# After so many wrong passwords every further try waits for all pages together.
_FREE_TRIES = 5
_WAIT_SECONDS = 2.0


def hashed(password: str, salt: bytes | None = None) -> str:
    """``scrypt:SALT:HASH`` in hex, as VARIABLE holds it.

    Raises:
        UsageError: fewer than MIN_CHARS characters.
    """
    if len(password) < MIN_CHARS:
        raise UsageError(f"A password needs at least {MIN_CHARS} characters; this one has {len(password)}.")
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    made = hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL)
    return f"scrypt:{salt.hex()}:{made.hex()}"


def fits(password: str, kept: str) -> bool:
    """Whether a password is the one whose hash is kept; takes equally long for every wrong one."""
    if len(password) < MIN_CHARS:
        return False
    return hmac.compare_digest(hashed(password, _salt(kept)), kept.strip().lower())


def kept_hash() -> str:
    """The hash that the page was started with; "" when there is none.

    Raises:
        UsageError: it is not what ``mingbai password`` printed.
    """
    kept = os.environ.get(VARIABLE, "").strip()
    if kept:
        _salt(kept)
    return kept


def check_host(host: str) -> None:
    """Allow an address beyond this machine only with a password: the notes are private.

    Raises:
        UsageError: another address and no password.
    """
    if not is_loopback(host) and not kept_hash():
        raise UsageError(
            f"ui.host is '{host}', which other machines can reach, and there is no password. Run: mingbai password, "
            f'and set {VARIABLE} to what it prints; or set ui.host = "127.0.0.1".'
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Throttle:
    """Slows guessing down: after some wrong passwords, one try in _WAIT_SECONDS for all pages together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wrong = 0
        self._last = 0.0

    def allows(self) -> bool:
        """Whether a password may be tried now; counts as a try when it may."""
        with self._lock:
            now = time.monotonic()
            if self._wrong >= _FREE_TRIES and now - self._last < _WAIT_SECONDS:
                return False
            self._last = now
            return True

    def record(self, *, is_right: bool) -> None:
        """Count how a try ended."""
        with self._lock:
            self._wrong = 0 if is_right else self._wrong + 1


def _salt(kept: str) -> bytes:
    kind, _, rest = kept.strip().partition(":")
    salt, _, digest = rest.partition(":")
    try:
        if kind != "scrypt" or len(bytes.fromhex(digest)) != 64:
            raise ValueError(kind)
        return bytes.fromhex(salt)
    except ValueError as error:
        raise UsageError(f"{VARIABLE} is no hash of a password. Run: mingbai password") from error
