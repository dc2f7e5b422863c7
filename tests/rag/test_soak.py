"""A thousand requests of every kind from many users at once, with crashes in between: nothing leaks, nobody waits for
ever, and everybody gets an answer to the own question."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from rag.engine import LlamaEngine
from rag.errors import EngineError, PromptTooLongError, QueueFullError
from rag.fair_queue import calling
from rag.isolated_engine import IsolatedEngine
from rag.protocols import GenerationRequest
from rag.settings import EngineSettings
from rag.types import Message, Role

USERS = 8
# What every user asks: plain, cancelled after its first piece, too long.
PLAIN, CANCELLED, LONG = 750, 200, 50
KILLS = 20
QUESTIONS = 12
SECONDS = 120
SETTINGS = EngineSettings(context_size=1024, threads=1, queue_size=USERS, cache_mb=4)
# One answer after the other, and several decoded together.
BOTH = pytest.mark.parametrize("settings", [SETTINGS, SETTINGS.model_copy(update={"parallel": 4})], ids=["1", "4"])


def ask_of(number: int) -> GenerationRequest:
    """One of a few questions: some share a beginning, some are drawn with a seed."""
    text = f"Notes about {number % 3}: " + "leaves fall in autumn. " * (2 + number) + f"Question {number}?"
    sampled = {"temperature": 0.8, "top_p": 0.9, "seed": number} if number % 2 else {}
    return GenerationRequest((Message(Role.USER, text),), max_tokens=6, **sampled)


def expected(path) -> list[str]:
    """What each question is answered when it is asked alone, from nothing."""
    answers = []
    for number in range(QUESTIONS):
        with LlamaEngine(path, model_id="m", model_hash="h", settings=SETTINGS) as engine:
            answers.append("".join(engine.generate(ask_of(number))))
    # An empty answer would be the right one of two questions as soon as rounding ends another at once.
    assert all(answers) and len(set(answers)) == QUESTIONS
    return answers


class Users:
    """Threads that work off one list of requests, and what they saw.

    ``is_exact``: every answer must be the expected one. Else a few may differ, but none may answer another question.
    """

    def __init__(self, engine, answers: list[str], work: list[str], *, is_exact: bool) -> None:
        self.engine, self.answers, self.work, self.is_exact = engine, answers, work, is_exact
        self.wrong: list[str] = []
        self.differing = 0
        self.counts = dict.fromkeys(("plain", "cancelled", "long", "crashed"), 0)
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(user,), daemon=True) for user in range(USERS)]

    def _run(self, user: int) -> None:
        dice = random.Random(user)
        with calling(f"user {user}"):
            while True:
                with self.lock:
                    if not self.work:
                        return
                    kind = self.work.pop()
                self._ask(kind, dice.randrange(QUESTIONS))

    def _ask(self, kind: str, number: int) -> None:
        while True:
            try:
                seen = getattr(self, f"_{kind}")(number)
            except QueueFullError:
                time.sleep(0.01)
                continue
            except PromptTooLongError:
                seen = kind == "long"
            except EngineError as error:
                seen, kind = "ended unexpectedly" in str(error), "crashed"
            with self.lock:
                self.counts[kind] += 1
                if not seen:
                    self.wrong.append(f"{kind} {number}")
            return

    def _plain(self, number: int) -> bool:
        said = "".join(self.engine.generate(ask_of(number)))
        return said == self.answers[number] or (self._may_differ() and said not in self.answers)

    def _cancelled(self, number: int) -> bool:
        stream = self.engine.generate(ask_of(number))
        got = next(iter(stream), "")
        return self.answers[number].startswith(got) or self._may_differ()

    def _may_differ(self) -> bool:
        with self.lock:
            self.differing += 1
        return not self.is_exact

    def _long(self, number: int) -> bool:
        self.engine.generate(GenerationRequest((Message(Role.USER, "a" * (2000 + number)),)))
        return False


def run(engine, answers: list[str], settings: EngineSettings, scale: int = 1) -> Users:
    """All requests in a mixed order, the same each time."""
    work = ["plain"] * (PLAIN // scale) + ["cancelled"] * (CANCELLED // scale) + ["long"] * (LONG // scale)
    random.Random(7).shuffle(work)
    users = Users(engine, answers, work, is_exact=settings.parallel == 1)
    for thread in users.threads:
        thread.start()
    return users


def finish(users: Users, seconds: float) -> None:
    ends = time.monotonic() + seconds
    for thread in users.threads:
        thread.join(max(0.0, ends - time.monotonic()))
    assert not any(thread.is_alive() for thread in users.threads), f"stuck with {len(users.work)} requests left"
    assert users.wrong == []
    assert users.differing <= (PLAIN + CANCELLED) / 10


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@BOTH
@pytest.mark.timeout(SECONDS + 60)
def test_a_thousand_requests_and_twenty_crashes(tiny_model_path, settings):
    answers = expected(tiny_model_path)
    with IsolatedEngine(tiny_model_path, model_id="m", model_hash="h", settings=settings) as engine:
        users = run(engine, answers, settings)
        pids = set()
        for _ in range(KILLS):
            # Only a process that works is killed: one that dies again and again while it loads is given up on purpose.
            while not engine.is_ready and any(thread.is_alive() for thread in users.threads):
                time.sleep(0.005)
            time.sleep(0.1)
            pids.add(engine.pid)
            os.kill(engine.pid, signal.SIGKILL)
            while engine.is_ready:
                time.sleep(0.001)
        finish(users, SECONDS)
        assert len(pids) == KILLS
        assert sum(users.counts.values()) == PLAIN + CANCELLED + LONG
        assert users.counts["long"] > LONG // 2
        assert users.counts["crashed"] <= KILLS * USERS
        # After all of it the queue is empty and answers come at once.
        assert "".join(engine.generate(ask_of(0))) == answers[0]


@pytest.mark.slow
@BOTH
@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_thousand_requests_leak_nothing(tiny_model_path, settings):
    answers = expected(tiny_model_path)
    with LlamaEngine(tiny_model_path, model_id="m", model_hash="h", settings=settings) as engine:
        finish(run(engine, answers, settings, scale=10), SECONDS)
        before, threads = resident(os.getpid()), threading.active_count()
        users = run(engine, answers, settings)
        finish(users, SECONDS)
        assert users.counts == {"plain": PLAIN, "cancelled": CANCELLED, "long": LONG, "crashed": 0}
        assert threading.active_count() == threads
        # One leaked context of a cancelled request would be 30 times as much.
        assert resident(os.getpid()) - before < 40_000_000
        assert "".join(engine.generate(ask_of(3))) == answers[3]
