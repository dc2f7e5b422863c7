"""New questions over passages that the model read before: the curve between speed and what is read anew.

The other axis, quality, comes from ``evals run`` with the same settings (docs/decisions/0014-passage-states.md).
"""

from contextlib import ExitStack

from evals.bench.figures import Figure, Pair, spread
from evals.bench.scene import Scene, first_token
from rag.engine import LlamaEngine
from rag.prompting import fill, reading_order, render_passages
from rag.types import Chunk, Message, Mode, Passage, Role

REPEATS = 5
KNOWN = 8
PASSAGES = 5
# Five of them are about 1,000 tokens of Chinese notes.
PASSAGE_CHARS = 290
POINTS: dict[str, dict[str, object]] = {
    "no passage read anew": {"passage_reuse": "best-first"},
    "the best read anew": {"passage_reuse": "mixed"},
    "450 tokens read anew": {"passage_reuse": "mixed", "recompute_tokens": 450},
}
OFFERED = "the best read anew"


def passages(scene: Scene) -> list[Figure]:
    """Seconds to the first token of each point and of a full prefill, in turn."""
    known = [scene.passage(number, PASSAGE_CHARS) for number in range(KNOWN)]
    chunks = [Chunk(f"{n}", "f", f"笔记{n}", (), (), 0, len(text), 1, 1, text) for n, text in enumerate(known)]
    seconds: dict[str, list[float]] = {name: [] for name in POINTS}
    whole: list[float] = []
    with ExitStack() as stack:
        cold = stack.enter_context(scene.engine(cache_mb=0))
        engines = {name: stack.enter_context(scene.engine(**changes)) for name, changes in POINTS.items()}
        for engine in engines.values():
            for chunk in chunks:
                engine.bake(_prompt([chunk], "", "best-first"))
        tokens = len(cold.prompt_tokens(_prompt(chunks[:PASSAGES], _question(0), "off")))
        for number in range(REPEATS):
            chosen = [chunks[(number * 3 + step) % KNOWN] for step in range(PASSAGES)]
            whole.append(_asked(cold, chosen, number, "off"))
            for name, engine in engines.items():
                seconds[name].append(_asked(engine, chosen, number, str(POINTS[name]["passage_reuse"])))
    return [_figure(name, Pair(tuple(taken), tuple(whole)), tokens) for name, taken in seconds.items()]


def _figure(name: str, pair: Pair, tokens: int) -> Figure:
    is_offered = name == OFFERED
    return Figure(
        f"first token, new question over {PASSAGES} known passages, {name} ÷ full prefill",
        f"{pair.ratio:.1f} × faster: {spread(pair.ours)} against {spread(pair.theirs)} s",
        f"{REPEATS} questions over prompts of about {tokens} tokens, passages of {KNOWN} in changing order, in turn; "
        f"approximate: {', '.join(f'engine.{key}={value}' for key, value in POINTS[name].items())}",
        "≥ 3.5 ×" if is_offered else "",
        pair.ratio >= 3.5 if is_offered else None,
        pair.samples,
    )


def _asked(engine: LlamaEngine, chosen: list[Chunk], number: int, reuse: str) -> float:
    """Another prompt in between, so that the context holds nothing of it; then the question."""
    first_token(engine, (Message(Role.USER, f"你好，{number}"),))
    return first_token(engine, _prompt(chosen, _question(number), reuse))


def _question(number: int) -> str:
    return f"第{number}个概念是什么，它和别的概念有什么区别？"


def _prompt(chosen: list[Chunk], question: str, reuse: str) -> tuple[Message, ...]:
    ranked = [Passage.of(chunk, rank=rank) for rank, chunk in enumerate(chosen, 1)]
    values = {"passages": render_passages(reading_order(ranked, reuse)), "question": question}
    return fill(Mode.RCG, "zh", values)
