"""What the page adds to a real model: how much later an answer is on the page than the engine had finished it."""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from browsing import Window
from serving import ROOT, served

QUESTIONS = (
    "RCG和RAG有什么区别？",
    "ROG是什么？",
    "RAG有什么坏处？",
    "RCG的难点是什么？",
    "RAG的论文用了什么生成器？",
    "ROG适合做什么？",
)


def figures(
    launched: object, model: str, ask: Callable[[Window, str], dict[str, float]]
) -> Iterator[tuple[str, str, str]]:
    """Ask the questions of a real model over the sample notes, each in a new chat; ``ask`` gives times in ms."""
    with (
        tempfile.TemporaryDirectory() as home,
        served(Path(home), [ROOT / "data" / "sample_notes"], model) as address,
    ):
        one = Window(launched, address).open()
        # The first question also reads the instructions, once for all.
        times = [ask(one, question) for question in QUESTIONS][1:]
        one.close()
        engine = _timings(Path(home) / "kept" / "mingbai")[1:]
    over = [seen["done"] / 1000 - known["total"] for seen, known in zip(times, engine, strict=True)]
    share = [extra / known["total"] for extra, known in zip(over, engine, strict=True)]
    alone = statistics.median(known["total"] for known in engine)
    yield (
        "page on top of a real engine",
        f"{statistics.median(over) * 1000:.0f} ms ({statistics.median(share):.1%})",
        f"{model}, {len(times)} RAG answers of {alone:.1f} s (median): on the page against the answer's own clock",
    )
    first = [seen["token"] for seen in times]
    known = [timing["first_token"] * 1000 for timing in engine]
    yield (
        "question → first token, real engine",
        f"{statistics.median(first):.0f} ms",
        f"the engine alone: {statistics.median(known):.0f} ms",
    )


def _timings(folder: Path) -> list[dict[str, float]]:
    """The engine's own times of the answers that were stored, oldest first."""
    from ui.conversations import FILE, Conversations

    store = Conversations(folder / FILE)
    turns = sorted(
        (turn for chat in store.recent() for turn in store.turns(chat.conversation_id)), key=lambda t: t.turn_id
    )
    return [dict(turn.answer.timings) for turn in turns if turn.answer is not None]
