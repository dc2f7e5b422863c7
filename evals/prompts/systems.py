"""The systems that are measured: the solver alone, solver and model together, and one call that judges everything."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from time import perf_counter

from agents import optimize_prompt
from agents.prompt_files import fill
from evals.prompts.planted import Planted
from evals.prompts.score import TYPES, Outcome, Run, constant
from evals.remembered import RememberedGenerator
from rag.protocols import Generator
from rag.settings import Settings
from rag.text import detect_language
from rag.types import Message, Role

TRIVIAL = {"never": frozenset[str](), "always": frozenset(TYPES)}
SYSTEMS = ("never", "always", "solver", "monolithic", "hybrid")
WITH_MODEL = frozenset({"monolithic", "hybrid"})
_THRESHOLD = 0.5


@contextmanager
def opened(system: str, settings: Settings, remember: Path | None = None) -> Iterator[Run]:
    """A system as a function of a case; its model is closed at the end. Replies in ``remember`` are not asked again."""
    if system in TRIVIAL:
        yield lambda case: constant([case], TRIVIAL[system])[case.id]
        return
    if system not in WITH_MODEL:
        yield lambda case: optimised(case, None)
        return
    from rag.build import make_generator

    made = make_generator(settings)
    generator = RememberedGenerator(made, remember) if remember is not None else made
    try:
        yield (
            (lambda case: optimised(case, generator))
            if system == "hybrid"
            else (lambda case: monolithic(case, generator))
        )
    finally:
        generator.close()


def optimised(case: Planted, generator: Generator | None) -> Outcome:
    """The agents' run on a case; without a generator the solver alone."""
    result = optimize_prompt(case.prompt, case.examples, generator=generator, use_model=generator is not None)
    known = {finding.key for finding in result.before}
    fresh = [one for one in result.after if one.key not in known and one.example_index is None]
    return Outcome(
        case.id,
        frozenset(finding.type for finding in result.before),
        result.prompt,
        tuple(example.assistant for example in result.examples),
        [e.user for e in result.examples] == [e.user for e in case.examples],
        tuple(finding.type for finding in result.after),
        len(fresh) if result.accepted else 0,
        result.cost.seconds,
        result.cost.calls,
        result.degraded,
    )


def monolithic(case: Planted, generator: Generator) -> Outcome:
    """One prompt with everything in it, and a yes or no for each type from its first token; nothing is repaired."""
    language = detect_language(case.prompt)
    text = resources.files("evals").joinpath("prompts", f"monolithic.{language}.md").read_text(encoding="utf-8")
    system, user, *kinds = (part.strip() for part in text.split("\n=====\n"))
    shown = "\n".join(f"[{i}] user: {e.user}\nassistant: {e.assistant}" for i, e in enumerate(case.examples))
    begun = perf_counter()
    found = {
        kind
        for kind, asked in zip(TYPES, kinds, strict=True)
        if _says_yes(generator, system, user, asked, (case.prompt, shown), language)
    }
    assistants = tuple(e.assistant for e in case.examples)
    return Outcome(case.id, frozenset(found), case.prompt, assistants, seconds=perf_counter() - begun, calls=len(kinds))


def _says_yes(generator: Generator, system: str, user: str, asked: str, texts: Sequence[str], language: str) -> bool:
    filled = fill(user, {"prompt": texts[0], "examples": texts[1], "question": asked})
    options = ("是", "否") if language == "zh" else ("Yes", "No")
    return generator.choose((Message(Role.SYSTEM, system), Message(Role.USER, filled)), options)[0] >= _THRESHOLD
