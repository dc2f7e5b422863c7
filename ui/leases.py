"""Who works with a model, so that it is put away only when nobody does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Asks somebody to begin again elsewhere; may be called from any thread, and be ignored by who is nearly done.
Leave = Callable[[], None]


class Leases:
    """Those who work with a model now."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[object, Leave | None] = {}

    @property
    def are_firm(self) -> bool:
        """Whether somebody works with it who cannot leave."""
        with self._changed:
            return None in self._held.values()

    @contextmanager
    def hold(self, leave: Leave | None) -> Iterator[None]:
        """Work with it until the block ends; ``leave`` is called when it is to be put away."""
        ticket = object()
        with self._changed:
            self._held[ticket] = leave
        try:
            yield
        finally:
            with self._changed:
                del self._held[ticket]
                self._changed.notify_all()

    def vacate(self) -> None:
        """Ask everybody to leave and wait until they did. Newcomers are kept out elsewhere."""
        with self._changed:
            asked = [leave for leave in self._held.values() if leave is not None]
        for leave in asked:
            leave()
        with self._changed:
            self._changed.wait_for(lambda: not self._held)
