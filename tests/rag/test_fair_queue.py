"""Who is served next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fair_queue import Caller, FairQueue, Urgency, caller, calling

ITEMS = st.lists(st.tuples(st.sampled_from(list(Urgency)), st.sampled_from("abc")), max_size=30)


@given(ITEMS)
def test_nothing_is_lost_and_nobody_is_served_twice_before_another_once(items):
    queue: FairQueue[tuple[int, Urgency, str]] = FairQueue()
    for number, (urgency, name) in enumerate(items):
        queue.put((number, urgency, name), urgency, Caller(name))
    waiting = list(queue)
    assert len(queue) == len(waiting) == len(items)
    served = []
    for _ in items:
        announced = queue.first()
        served.append(queue.take())
        assert announced is served[-1]
    assert sorted(served) == sorted(waiting)
    assert [urgency for _, urgency, _ in served] == sorted(urgency for urgency, _ in items)
    for urgency in Urgency:
        for name in "abc":
            own = [number for number, level, who in served if (level, who) == (urgency, name)]
            assert own == sorted(own)
        names = [who for _, level, who in served if level == urgency]
        for start in range(len(names)):
            left = set(names[start:])
            assert set(names[start : start + len(left)]) == left, "callers take turns"
    for empty in (queue.take, queue.first):
        with pytest.raises(IndexError):
            empty()


def test_an_item_is_taken_out_once():
    queue: FairQueue[str] = FairQueue()
    queue.put("one", Urgency.ANSWER, Caller("a"))
    queue.put("two", Urgency.ANSWER, Caller("a"))
    assert (queue.remove("one"), queue.remove("one"), len(queue), queue.take()) == (True, False, 1, "two")


def test_the_caller_is_who_the_surrounding_code_says():
    assert caller() == Caller()
    with calling("a"), calling("b", is_background=True):
        assert caller() == Caller("b", is_background=True)
    assert caller() == Caller()
