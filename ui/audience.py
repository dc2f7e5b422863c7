"""Who looks at work under way: when the last page that showed it was closed, it ends, and the engine is free."""

import threading
import time
from collections.abc import Callable

# A reload closes the page and opens it again; a page that stays away longer was closed.
RELOAD_SECONDS = 5.0
# While others wait for the engine, a closed page gets no such grace.
CONTENDED_SECONDS = 0.5
_POLL_SECONDS = 0.1


class Audience:
    """The pages that showed something. Work that nobody ever looked at has no audience to lose.

    Args:
        is_open: whether the page of a session is still open.
    """

    def __init__(self, is_open: Callable[[str], bool] = lambda _: True) -> None:
        self._is_open = is_open
        self._lock = threading.Lock()
        self._sessions: set[str] = set()
        self._last_seen = time.monotonic()

    def watch(self, session: str) -> None:
        """A page shows it now."""
        with self._lock:
            self._sessions.add(session)
            self._last_seen = time.monotonic()

    def gone_for(self) -> float:
        """Seconds since the last of its pages was seen open; 0 while one is."""
        with self._lock:
            sessions = tuple(self._sessions)
        if not sessions or any(self._is_open(session) for session in sessions):
            self._last_seen = time.monotonic()
        return time.monotonic() - self._last_seen

    def guard(self, done: threading.Event, cancel: Callable[[], None], patience: Callable[[], float]) -> None:
        """In a thread of its own: call ``cancel`` once the audience was gone for longer than ``patience()``."""

        def wait() -> None:
            while not done.wait(_POLL_SECONDS):
                if self.gone_for() > patience():
                    cancel()
                    return

        threading.Thread(target=wait, name="audience", daemon=True).start()
