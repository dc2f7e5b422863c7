"""Versions of a program, cheapest first: repairs and pattern edits, another order of rules, other demos, reflection."""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from agents.prompt_files import fill, sections
from agents.prompts.optimize import optimize_prompt
from agents.prompts.types import Example
from agents.tune.types import Feedback, Program
from rag.protocols import GenerationRequest, Generator
from rag.text import detect_language
from rag.types import Message, Role

Version = tuple[str, Program]
"""Where a version comes from, and the version."""
MAX_DEMOS = 4
SHOWN_FAILURES = 3
MAX_REFLECTED_TOKENS = 700
_PATTERNS: Mapping[str, Mapping[str, str]] = {
    "read first": {"zh": "先把输入完整读一遍，再动笔。", "en": "Read the whole input before you write."},
    "check last": {"zh": "写完后逐条核对以上要求。", "en": "Before you finish, check your answer against each rule."},
    "only the answer": {"zh": "只写答案，不写别的。", "en": "Write the answer and nothing else."},
    "think first": {"zh": "先一步一步地想，再给出答案。", "en": "Think step by step before you give the answer."},
}  # fmt: skip
_ITEM = re.compile(r"^[ \t]*(?:[-*+•]|\d{1,2}[.)、])[ \t]*")


def edits(program: Program, pool: Sequence[Example], rank: Callable[[Example], float]) -> Iterator[Version]:
    """All versions that need no model. ``rank`` scores a demo by the metric; better ones are tried first."""
    mended = optimize_prompt(program.prompt, program.examples, use_model=False)
    if mended.changed:
        yield "repair", Program(mended.prompt, mended.examples)
    yield from _pattern_edits(program)
    yield from _orders(program)
    yield from _demos(program, pool, rank)


def reflected(
    program: Program, failures: Sequence[tuple[Sequence[str], Feedback]], generator: Generator, seed: int
) -> Program | None:
    """The prompt as a model rewrites it from what the metric said of failed cases; None when it was cut or unchanged.

    The examples stay as they are. Raises EngineError when the model fails.
    """
    language = detect_language(program.prompt)
    system, user, line = sections("agents.tune", "reflect", language)
    shown = [
        fill(line, {"case": " / ".join(texts)[:400], "feedback": feedback.text or f"score {feedback.score:.2f}"})
        for texts, feedback in failures[:SHOWN_FAILURES]
    ]
    asked = fill(user, {"prompt": program.prompt, "failures": "\n".join(shown)})
    request = GenerationRequest(
        (Message(Role.SYSTEM, system), Message(Role.USER, asked)),
        max_tokens=MAX_REFLECTED_TOKENS,
        temperature=0.7,
        seed=seed,
    )
    stream = generator.generate(request)
    for _ in stream:
        pass
    made = stream.result
    text = re.sub(r"^\s*```[\w-]*\n|\n```\s*$|</?(?:prompt|提示词)>", "", made.text).strip()
    return replace(program, prompt=text) if made.finish == "stop" and text and text != program.prompt else None


def _pattern_edits(program: Program) -> Iterator[Version]:
    language = detect_language(program.prompt)
    for name, texts in _PATTERNS.items():
        if texts[language] not in program.prompt:
            mark = _last_mark(program.prompt)
            yield name, replace(program, prompt=f"{program.prompt.rstrip()}\n{mark}{texts[language]}")


def _last_mark(prompt: str) -> str:
    """The bullet of the last line, so that a new line looks like its neighbours; numbers are not continued."""
    match = _ITEM.match(prompt.rstrip().split("\n")[-1])
    return match[0] if match and not any(c.isdigit() for c in match[0]) else ""


def _orders(program: Program) -> Iterator[Version]:
    """The list of rules turned: each later item first in its turn, where the list is not numbered."""
    lines = program.prompt.split("\n")
    at = [i for i, line in enumerate(lines) if (m := _ITEM.match(line)) and not any(c.isdigit() for c in m[0])]
    if len(at) < 2 or at[-1] - at[0] != len(at) - 1:
        return
    for chosen in at[1:]:
        rest = [lines[i] for i in at if i != chosen]
        turned = [*lines[: at[0]], lines[chosen], *rest, *lines[at[-1] + 1 :]]
        yield f"rule {chosen - at[0] + 1} first", replace(program, prompt="\n".join(turned))


def _demos(program: Program, pool: Sequence[Example], rank: Callable[[Example], float]) -> Iterator[Version]:
    """One demo more, then one exchanged, then one less."""
    fresh = sorted((demo for demo in pool if demo not in program.examples), key=rank, reverse=True)
    for demo in fresh:
        if len(program.examples) < MAX_DEMOS:
            yield "a demo more", replace(program, examples=(*program.examples, demo))
        elif program.examples:
            yield "a demo exchanged", replace(program, examples=(*program.examples[1:], demo))
    for i in range(len(program.examples)):
        yield "a demo less", replace(program, examples=(*program.examples[:i], *program.examples[i + 1 :]))


def split(cases: Sequence[object], seed: int) -> tuple[list[int], list[int], list[int]]:
    """Indices of the training, validation and held-out cases: 40, 30 and 30 of 100, shuffled by the seed."""
    order = list(range(len(cases)))
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    a, b = round(0.4 * len(order)), round(0.7 * len(order))
    return order[:a], order[a:b], order[b:]
