"""Who is served next: urgent work before other work, and callers in turn, so that none waits for another's backlog.

The caller is a name that the surrounding code gives (``calling``), such as a client of the server; work that names
nobody shares one place. Background work (evaluations) waits for everything else.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Urgency(IntEnum):
    """Lower is served first."""

    BEGUN = 0  # a short reading for an answer that somebody already waits for
    ANSWER = 1
    BACKGROUND = 2


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf something is asked."""

    name: str = ""
    is_background: bool = False


_CALLER: ContextVar[Caller] = ContextVar("caller", default=Caller())  # noqa: B039 - it is frozen


def caller() -> Caller:
    """On whose behalf this thread asks now."""
    return _CALLER.get()


@contextmanager
def calling(name: str, *, is_background: bool = False) -> Iterator[None]:
    """Let everything inside be asked on behalf of ``name``."""
    token = _CALLER.set(Caller(name, is_background))
    try:
        yield
    finally:
        _CALLER.reset(token)


class FairQueue(Generic[T]):
    """Items by urgency; within one, callers take turns, and each caller's items keep their order.

    Source: round-robin fair queueing (Nagle, 1987). Not thread-safe; the worker holds a lock around it.
    """

    def __init__(self) -> None:
        self._lanes: dict[Urgency, OrderedDict[str, deque[T]]] = {urgency: OrderedDict() for urgency in Urgency}

    def __len__(self) -> int:
        return sum(len(items) for lane in self._lanes.values() for items in lane.values())

    def __iter__(self) -> Iterator[T]:
        return (item for lane in self._lanes.values() for items in lane.values() for item in items)

    def put(self, item: T, urgency: Urgency, caller: Caller) -> None:
        """Add an item behind those of the same caller."""
        lane = self._lanes[Urgency.BACKGROUND if caller.is_background else urgency]
        lane.setdefault(caller.name, deque()).append(item)

    def first(self) -> T:
        """The item that ``take`` would give. Raises IndexError when there is none."""
        for lane in self._lanes.values():
            for items in lane.values():
                return items[0]
        raise IndexError("the queue is empty")

    def take(self) -> T:
        """The next item; its caller goes to the end of the line. Raises IndexError when there is none."""
        for lane in self._lanes.values():
            if lane:
                name, items = lane.popitem(last=False)
                item = items.popleft()
                if items:
                    lane[name] = items
                return item
        raise IndexError("the queue is empty")

    def remove(self, item: T) -> bool:
        """Take an item out; False when it is not there."""
        for lane in self._lanes.values():
            for name, items in lane.items():
                if item in items:
                    items.remove(item)
                    if not items:
                        del lane[name]
                    return True
        return False
