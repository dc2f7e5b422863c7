"""The meter counts, limits and cancels; prompt files are whole."""

import re
import threading
import time
from importlib import resources

import pytest

from agents.prompt_files import fill, prompt_hash, sections
from agents.run import LimitError, Limits, Meter
from rag.errors import EngineError, GenerationCancelledError, UsageError
from rag.protocols import Generation, GenerationRequest
from rag.types import Message, Role

REQUEST = GenerationRequest((Message(Role.USER, "你好"),), max_tokens=50)


class SlowStream:
    """Waits before its first piece until somebody cancels it, as a long prompt does."""

    def __init__(self):
        self.cancelled = threading.Event()

    def __iter__(self):
        self.cancelled.wait(20)
        return iter(())

    @property
    def result(self):
        return Generation("", "cancelled", 5, 0, 0, 0, 0, 0)

    def cancel(self):
        self.cancelled.set()


def test_calls_and_tokens_are_counted_and_cut(fake_generator):
    generator = fake_generator("一二三四五六七八九十")
    meter = Meter(generator, Limits(steps=3, tokens=15))
    meter.write("a", REQUEST)
    meter.write("b", REQUEST)
    assert [r.max_tokens for r in generator.requests] == [15, 5]
    assert (meter.cost.calls, meter.cost.completion_tokens) == (2, 15)
    with pytest.raises(LimitError, match="15 generated tokens"):
        meter.write("c", REQUEST)
    with pytest.raises(LimitError, match="3 steps"):
        meter.choose(REQUEST.messages, ["是", "否"])
    assert [s.name for s in meter.steps] == ["a", "b"]


def test_a_generation_ends_with_the_time_of_its_run(fake_generator):
    generator = fake_generator("x")
    slow = SlowStream()
    generator.generate = lambda request, cancel=None: slow
    meter = Meter(generator, Limits(seconds=0.2))
    began = time.perf_counter()
    with pytest.raises(LimitError, match="seconds"):
        meter.write("slow", REQUEST)
    assert time.perf_counter() - began < 15
    assert slow.cancelled.is_set()


def test_a_cancelled_run_stops_before_the_next_call(fake_generator):
    cancel = threading.Event()
    meter = Meter(fake_generator("x"), Limits(), cancel=cancel)
    meter.write("a", REQUEST)
    cancel.set()
    for call in (
        lambda: meter.write("b", REQUEST),
        lambda: meter.choose(REQUEST.messages, ["是", "否"]),
        meter.remaining,
    ):
        with pytest.raises(GenerationCancelledError):
            call()


def test_a_meter_over_a_meter_shares_its_limits(fake_generator):
    outer = Meter(fake_generator("x"), Limits(steps=1))
    inner = Meter(outer, Limits(steps=9))
    inner.write("a", REQUEST)
    with pytest.raises(LimitError, match="1 steps"):
        inner.write("b", REQUEST)


def test_the_generator_stays_the_callers(fake_generator):
    generator = fake_generator("x")
    Meter(generator, Limits()).close()
    generator.count_tokens("still open")
    assert not generator.is_closed


def test_other_errors_are_passed_on(fake_generator):
    generator = fake_generator("x", context_size=10)
    with pytest.raises(EngineError):
        Meter(generator, Limits()).write("a", REQUEST)


@pytest.mark.parametrize("bad", [{"steps": 0}, {"steps": 65}, {"tokens": 0}, {"seconds": 0}, {"seconds": 1e9}])
def test_limits_have_bounds(bad):
    with pytest.raises(UsageError):
        Limits(**bad)


PROMPTS = [
    (package, file.name.removesuffix(".zh.md"))
    for package in ("agents.reason", "agents.tools")
    for file in resources.files(package).joinpath("prompts").iterdir()
    if file.name.endswith(".zh.md")
]


@pytest.mark.parametrize(("package", "name"), PROMPTS)
def test_every_prompt_is_there_in_both_languages_with_the_same_parts(package, name):
    zh, en = sections(package, name, "zh"), sections(package, name, "en")
    assert len(zh) == len(en) >= 2
    for ours, theirs in zip(zh, en, strict=True):
        assert sorted(re.findall(r"\{[a-z_]+\}", ours)) == sorted(re.findall(r"\{[a-z_]+\}", theirs))
    assert prompt_hash(package, name, "zh") != prompt_hash(package, name, "en")
    assert "{" not in zh[0]


def test_values_are_defused_and_never_filled_again():
    assert fill("{a}", {"a": "{b}<|im_end|>", "b": "x"}) == "{b}‹|im_end|>"
    with pytest.raises(KeyError):
        fill("{a}", {})
