"""The engine against the machine's limits, a bare llama.cpp loop, and itself without caches."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from evals.bench.child import Child
from evals.bench.figures import Figure, Pair, alternate, seconds_of, spread
from evals.bench.scene import Scene, first_token
from rag.engine import LlamaEngine
from rag.errors import EngineError
from rag.processor import thread_count
from rag.protocols import GenerationRequest
from rag.types import Message, Role

REPEATS = 5
DECODED = 48
# About 1,000 tokens of Chinese notes: five packed passages.
PASSAGES_CHARS = 1500
GRADED = 8
GRADED_CHARS = 380
USERS = 4
USER_CHARS = 600
ANSWERED = 64
_REQUESTS = ("用一句话概括。", "提到了哪些概念？逐个说明。", "最重要的一点是什么，为什么？", "请向初学者解释其中一段。")
_BANDWIDTH_BYTES = 256_000_000
_YES_NO = ("是", "否")


def decode(scene: Scene) -> list[Figure]:
    """Tokens a second against what reading the weights once a token would allow."""
    size = scene.model.stat().st_size
    threads = thread_count(scene.engine_settings.threads)
    with scene.engine() as engine:

        def rate() -> float:
            stream = engine.generate(GenerationRequest(_short(scene), max_tokens=DECODED))
            list(stream)
            return stream.result.completion_tokens / stream.result.decode

        rate()
        pair = alternate(rate, lambda: read_bandwidth(threads) / size, REPEATS)
    share = 1 / pair.ratio
    return [
        Figure(
            "decoding ÷ (read bandwidth ÷ model bytes)",
            f"{share:.2f}: {spread(pair.ours, '{:.1f}')} of {spread(pair.theirs, '{:.1f}')} tokens/s",
            f"{threads} threads, {REPEATS} times {DECODED} tokens, in turn with dot products over "
            f"{_BANDWIDTH_BYTES / 1e6:.0f} MB a thread; model {size / 1e9:.2f} GB",
            "≥ 0.50",
            share >= 0.5,
            pair.samples,
        )
    ]


def prefill(scene: Scene) -> list[Figure]:
    """Tokens a second of a cold prompt against the best of llama.cpp's own settings."""
    bare: dict[str, list[float]] = {}
    ours: list[float] = []
    with scene.engine(cache_mb=0) as engine:
        for repack, batch in ((False, 512), (False, 128), (True, 512)):
            name = f"batch {batch}{', repacked' if repack else ''}"
            try:
                with scene.bare(batch=batch, repack=repack) as child:
                    theirs = partial(_bare_rate, scene, engine, child)
                    pair = alternate(partial(_cold_rate, scene, engine), theirs, 3)
            except EngineError as error:
                scene.say(f"{name}: {error}")
                continue
            bare[name], ours = list(pair.theirs), [*ours, *pair.ours]
    best = max(bare, key=lambda name: statistics.median(bare[name]))
    share = statistics.median(ours) / statistics.median(bare[best])
    return [
        Figure(
            "prefill ÷ llama.cpp's best setting",
            f"{share:.2f}: {spread(ours, '{:.0f}')} against {spread(bare[best], '{:.0f}')} tokens/s",
            f"cold prompts of about 500 tokens; tried: {'; '.join(bare)}; best: {best}. What is not listed crashed",
            "≥ 0.95",
            share >= 0.95,
            {"ours": ours, **bare},
        )
    ]


def overhead(scene: Scene) -> list[Figure]:
    """Whole answers of the engine against a bare loop over the same tokens."""
    with scene.engine(cache_mb=0) as engine, scene.bare(batch=128) as child:
        numbers = iter(range(2 * REPEATS + 2))

        def ours() -> float:
            stream = engine.generate(GenerationRequest(_medium(scene, next(numbers)), max_tokens=DECODED))
            started = time.perf_counter()
            list(stream)
            return (time.perf_counter() - started) / stream.result.completion_tokens

        def theirs() -> float:
            tokens = engine.prompt_tokens(_medium(scene, next(numbers)))
            got = child.ask({"tokens": tokens, "decode": DECODED})
            return float(got["prefill"] + got["decode"]) / DECODED

        pair = alternate(ours, theirs, REPEATS)
    more = 1 / pair.ratio - 1
    return [
        Figure(
            "engine overhead against a bare llama.cpp loop",
            f"{more:+.1%}: {spread(pair.ours, '{:.4f}')} against {spread(pair.theirs, '{:.4f}')} s a token",
            f"{REPEATS} prompts of about 250 tokens each and {DECODED} tokens of answer, in turn",
            "≤ 3 %",
            more <= 0.03,
            pair.samples,
        )
    ]


def follow_up(scene: Scene) -> list[Figure]:
    """The first token of a follow-up turn, and of another question over known passages, against a cold prompt."""
    figures = []
    for is_exact in (True, False):
        with scene.engine(exact_reuse=is_exact) as engine:
            cold, turn, known = zip(*(_conversation(scene, engine, number) for number in range(REPEATS)), strict=True)
        kind = "bit by bit as a cold one" if is_exact else "engine.exact_reuse = false"
        for what, warm, bound in (("follow-up turn", turn, 25), ("new question over 5 known passages", known, 3.5)):
            pair = Pair(warm, cold)
            figures.append(
                Figure(
                    f"first token, {what} ÷ cold ({kind})",
                    f"{pair.ratio:.1f} × faster: {spread(warm)} against {spread(cold)} s",
                    f"{REPEATS} conversations over about 1,000 tokens of passages; another prompt was read in between",
                    f"≥ {bound} ×",
                    pair.ratio >= bound,
                    pair.samples,
                )
            )
    return figures


def grading(scene: Scene) -> list[Figure]:
    """One-token verdicts over passages that were read before, against prompting each from nothing."""

    def prompts(question: str) -> list[tuple[Message, ...]]:
        passages = [f"[1] 笔记\n{scene.passage(number, GRADED_CHARS)}" for number in range(GRADED)]
        return [scene.prompt(passage, f"问题：{question}\n笔记能回答问题吗？只回答是或否。") for passage in passages]

    questions = iter(f"第{number}个概念是什么？" for number in range(100))
    with scene.engine() as engine, scene.engine(cache_mb=0) as forgetful:
        engine.choose_each(prompts(next(questions)), _YES_NO)

        def single() -> float:
            asked = prompts(next(questions))
            return seconds_of(lambda: [forgetful.choose(one, _YES_NO) for one in asked])

        def together() -> float:
            asked = prompts(next(questions))
            return seconds_of(lambda: engine.choose_each(asked, _YES_NO))

        pair = alternate(together, single, 3)
    seconds = statistics.median(pair.ours)
    return [
        Figure(
            f"grading {GRADED} known passages ÷ prompting each",
            f"{pair.ratio:.1f} × faster: {spread(pair.ours)} against {spread(pair.theirs)} s",
            f"passages of {GRADED_CHARS} characters, 3 new questions each, in turn",
            "≥ 10 ×, ≤ 1.2 s",
            pair.ratio >= 10 and seconds <= 1.2,
            pair.samples,
        )
    ]


def users(scene: Scene) -> list[Figure]:
    """Several people asking different things at once, against one after the other with one place."""
    return [_at_once(scene, parallel=parallel, is_warm=is_warm) for parallel in (1, USERS) for is_warm in (True, False)]


def _at_once(scene: Scene, *, parallel: int, is_warm: bool) -> Figure:
    """``USERS`` questions at once with ``parallel`` places against the same number in turn with one place."""
    starts = iter(range(200, 2000, USERS))

    def questions(engine: LlamaEngine) -> list[tuple[Message, ...]]:
        first = next(starts)
        asked = [scene.prompt(scene.passage(first + user, USER_CHARS), _REQUESTS[user]) for user in range(USERS)]
        for messages in asked if is_warm else ():
            first_token(engine, (*messages[:-1], Message(Role.USER, messages[-1].text + "？")))
        return asked

    def seconds(engine: LlamaEngine, at_once: int) -> float:
        asked = questions(engine)
        with ThreadPoolExecutor(at_once) as pool:
            return seconds_of(lambda: list(pool.map(partial(_answer, engine), asked)))

    with scene.engine(parallel=parallel) as many, scene.engine(parallel=1) as one:
        pair = alternate(lambda: seconds(many, USERS), lambda: seconds(one, 1), 3)
    share = 1 / pair.ratio
    kind = "known" if is_warm else "new"
    return Figure(
        f"{USERS} users at once ÷ one after the other ({kind} passages, parallel = {parallel})",
        f"{share:.2f}: {spread(pair.ours)} against {spread(pair.theirs)} s",
        f"different passages of {USER_CHARS} characters and different questions, up to {ANSWERED} tokens each; "
        + ("the default, answers in turn" if parallel == 1 else "decoded together; then bits depend on who else asks"),
        "≤ 0.75",
        share <= 0.75,
        pair.samples,
    )


def _answer(engine: LlamaEngine, messages: tuple[Message, ...]) -> str:
    return "".join(engine.generate(GenerationRequest(messages, max_tokens=ANSWERED)))


def read_bandwidth(threads: int) -> float:
    """Bytes a second that ``threads`` read together from memory, each its own block."""
    blocks = [np.ones(_BANDWIDTH_BYTES // 4, dtype=np.float32) for _ in range(threads)]
    times = 3

    def read(block: np.ndarray) -> float:
        return sum(float(np.dot(block, block)) for _ in range(times))

    with ThreadPoolExecutor(threads) as pool:
        seconds = seconds_of(lambda: list(pool.map(read, blocks)))
    return times * _BANDWIDTH_BYTES * threads / seconds


def _conversation(scene: Scene, engine: LlamaEngine, number: int) -> tuple[float, float, float]:
    """Seconds to the first token: cold, of the next turn, and of another question over the same passages."""
    passages = scene.passage(10 + number, PASSAGES_CHARS)
    opening = scene.prompt(passages, "这些笔记主要讲了什么？用中文回答：")
    stream = engine.generate(GenerationRequest(opening, max_tokens=16))
    said = "".join(stream)
    turn = (*opening, Message(Role.ASSISTANT, said), Message(Role.USER, "其中哪一点最重要？"))
    following = first_token(engine, turn)
    first_token(engine, scene.prompt(scene.passage(90 + number, 200), "概括。"))
    return stream.result.prefill, following, first_token(engine, scene.prompt(passages, "提到了哪些数字？用中文回答："))


def _cold_rate(scene: Scene, engine: LlamaEngine) -> float:
    messages = (Message(Role.USER, scene.fresh(750)),)
    return len(engine.prompt_tokens(messages)) / first_token(engine, messages)


def _bare_rate(scene: Scene, engine: LlamaEngine, child: Child) -> float:
    tokens = engine.prompt_tokens((Message(Role.USER, scene.fresh(750)),))
    return len(tokens) / float(child.ask({"tokens": tokens, "decode": 1})["prefill"])


def _medium(scene: Scene, number: int) -> tuple[Message, ...]:
    return (Message(Role.USER, scene.passage(50 + number // 2, 300) + "\n请详细解释上面的内容，写满三百字。"),)


def _short(scene: Scene) -> tuple[Message, ...]:
    return (Message(Role.USER, "请用三百字介绍卷积神经网络的历史。"),)
