import asyncio
import threading
import time

import pytest

from rag.errors import EngineError, GenerationCancelledError
from rag.fair_queue import Caller, caller
from ui.serve.gate import RETRY_BOUNDS, Cancellation, Gate, GateFullError, TimeLimitError


class Follower:
    def __init__(self):
        self.cancelled = 0

    def cancel(self):
        self.cancelled += 1


def hanging(started, ended):
    """Work that yields once, then waits until it is cancelled."""

    def work(cancellation):
        started.set()
        try:
            yield "begun"
            assert cancellation.event.wait(10)
        finally:
            ended.set()

    return work


async def settled(gate):
    while gate.working:
        await asyncio.sleep(0.01)


def test_items_come_in_order_and_make_room_when_they_end():
    async def run():
        gate = Gate(limit=1, seconds=10)
        first = [item async for item in gate.run(lambda _: iter(range(100)))]
        await settled(gate)
        return first, [item async for item in gate.run(lambda _: iter("ab"))]

    assert asyncio.run(run()) == (list(range(100)), ["a", "b"])


def test_an_error_is_raised_where_the_client_waits():
    def work(_):
        yield 1
        raise EngineError("broken")

    async def run():
        running = Gate(limit=1, seconds=10).run(work)
        assert await anext(running) == 1
        await anext(running)

    with pytest.raises(EngineError, match="broken"):
        asyncio.run(run())


def test_a_full_gate_turns_away_and_says_when_to_come_back():
    started, ended = threading.Event(), threading.Event()

    async def run():
        gate = Gate(limit=1, seconds=10)
        running = gate.run(hanging(started, ended))
        with pytest.raises(GateFullError, match="The queue is full: 1") as refused:
            gate.run(lambda _: iter("x"))
        assert RETRY_BOUNDS[0] <= refused.value.retry_after <= RETRY_BOUNDS[1]
        running.cancel()
        await settled(gate)
        return [item async for item in gate.run(lambda _: iter("x"))]

    assert asyncio.run(run()) == ["x"]
    assert ended.is_set()


def test_the_wait_that_is_named_follows_how_long_requests_take():
    async def run():
        gate = Gate(limit=1, seconds=10)
        gate._mean = 7.3
        running = gate.run(hanging(threading.Event(), threading.Event()))
        with pytest.raises(GateFullError) as refused:
            gate.run(lambda _: iter("x"))
        running.cancel()
        return refused.value.retry_after

    assert asyncio.run(run()) == 8


def test_what_takes_too_long_is_cancelled():
    started, ended = threading.Event(), threading.Event()

    async def run():
        gate = Gate(limit=1, seconds=0.1)
        with pytest.raises(TimeLimitError, match=r"0\.1 s"):
            async for _ in gate.run(hanging(started, ended)):
                pass
        await settled(gate)

    began = time.monotonic()
    asyncio.run(run())
    assert ended.is_set()
    assert time.monotonic() - began < 5


def test_closing_cancels_what_runs_and_never_looks_like_an_end():
    started, ended = threading.Event(), threading.Event()

    async def run():
        gate = Gate(limit=4, seconds=10)
        running = gate.run(hanging(started, ended))
        assert await anext(running) == "begun"
        gate.close()
        gate.close()
        with pytest.raises(GenerationCancelledError, match="being stopped"):
            gate.run(lambda _: iter("x"))
        gate.open()
        assert [item async for item in gate.run(lambda _: iter("x"))] == ["x"]
        await anext(running)

    with pytest.raises(GenerationCancelledError, match="before it ended"):
        asyncio.run(run())
    assert ended.is_set()


def test_cancelling_reaches_followers_before_and_after():
    cancellation, early, late = Cancellation(), Follower(), Follower()
    cancellation.follow(early)
    assert early.cancelled == 0
    cancellation.cancel()
    cancellation.follow(late)
    assert (early.cancelled, late.cancelled, cancellation.event.is_set()) == (1, 1, True)


def test_the_work_of_a_request_is_done_on_behalf_of_its_caller():
    async def go():
        gate = Gate(limit=2, seconds=5)
        return [item async for item in gate.run(lambda _: iter([caller()]), "ann")]

    assert asyncio.run(go()) == [Caller("ann")]
    assert caller() == Caller()
