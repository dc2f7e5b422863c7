"""Whole answers beside what a tutorial builds: fixed chunks, dense top 4, llama.cpp with a wrapper's usual defaults.

The yardstick runs the same model on the same notes and questions: prompts of evals.naive (LangChain's stuff chain),
half of the cores, batches of 8, no cache between questions. langchain-community, where its FAISS and ensemble
retrievers live, is sunset and not installed; retrieval is that of evals.naive instead. Quality: ``evals run --naive``.
"""

import os
from dataclasses import dataclass

from evals.bench.child import Child
from evals.bench.figures import Figure, Pair, seconds_of, spread
from evals.bench.scene import Scene
from evals.naive import PROMPTS, NaivePipeline
from rag.engine import LlamaEngine
from rag.types import Message, Role

QUESTIONS = 3
WRITTEN = 64
# What LangChain's ChatLlamaCpp gives llama.cpp when nothing is said: n_batch 8, and n_threads of half the cores.
WRAPPER_BATCH = 8


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds to the first token and in total, and tokens a second after the first."""

    first: float
    total: float
    rate: float


def side_by_side(scene: Scene) -> list[Figure]:
    """Time to the first token, total time and tokens a second of both, question by question in turn."""
    notebook = scene.notebook
    titles = list(dict.fromkeys(entry.title for entry in notebook.entries() if not entry.is_empty))
    naive = NaivePipeline(notebook)
    naive.search(titles[-1])
    notebook.ask(f"什么是{titles[-1]}？", "rag")
    questions = [f"什么是{title}？" for title in titles[:QUESTIONS]]
    threads = max(1, (os.cpu_count() or 1) // 2)
    with scene.engine(cache_mb=0) as engine, scene.bare(batch=WRAPPER_BATCH, threads=threads) as child:
        pairs = [(_ours(scene, question), _theirs(naive, engine, child, question)) for question in questions]
    how = f"{QUESTIONS} questions in turn; RAG mode with checks; theirs: {threads} threads, batches of {WRAPPER_BATCH}"
    figures = []
    for name, what, is_faster in (
        ("first", "time to first token, s", True),
        ("total", "whole answer, s", True),
        ("rate", "tokens/s", False),
    ):
        pair = Pair(*(tuple(getattr(timed, name) for timed in side) for side in zip(*pairs, strict=True)))
        ratio = pair.ratio if is_faster else 1 / pair.ratio
        value = f"{ratio:.1f} × better: {spread(pair.ours)} against {spread(pair.theirs)}"
        figures.append(Figure(f"beside a tutorial's chain: {what}", value, how, samples=pair.samples))
    return figures


def _ours(scene: Scene, question: str) -> Timed:
    answers = []
    total = seconds_of(lambda: answers.append(scene.notebook.ask(question, "rag")))
    (answer,) = answers
    return Timed(answer.timings["first_token"], total, answer.tokens["completion"] / answer.timings["decode"])


def _theirs(naive: NaivePipeline, engine: LlamaEngine, child: Child, question: str) -> Timed:
    passages = []
    search = seconds_of(lambda: passages.extend(naive.search(question)))
    prompt = PROMPTS["zh"].format(context="\n\n".join(passage.text for passage in passages), question=question)
    tokens = engine.prompt_tokens((Message(Role.USER, prompt),))
    got = child.ask({"tokens": tokens, "decode": WRITTEN})
    first = search + float(got["prefill"])
    return Timed(first, first + float(got["decode"]), (WRITTEN - 1) / float(got["decode"]))
