"""``optimize_prompt``: find what is wrong with a prompt and its examples, and mend it with the smallest patches."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter

from agents.prompts.mend_prompt import Choose
from agents.prompts.patches import diff
from agents.prompts.session import Candidate, Session
from agents.prompts.types import Example, Finding, Optimization, examples_from
from agents.run import Cost, Limits, Meter, Progress, Step
from rag.errors import UsageError
from rag.protocols import Generator
from rag.settings import Settings
from rag.wrapped import WrappedGenerator

LIMITS = Limits(steps=48, tokens=2400, seconds=110.0)
"""Enough for eight judged pairs and a few examples written anew; a run must end within two minutes on two cores."""
MAX_CHARACTERS = 40_000
"""Longer input is refused: the checks are quadratic in the number of rules."""


def optimize_prompt(  # noqa: PLR0913 - one parameter per choice
    prompt: str,
    examples: Sequence[Example | Mapping[str, str]] = (),
    *,
    generator: Generator | None = None,
    use_model: bool = True,
    judge_rules: bool = False,
    limits: Limits = LIMITS,
    seed: int = 0,
    choose: Choose | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Optimization:
    """Check a prompt and its examples for contradictions, an unclear output form and wrong examples, and mend them.

    Nothing that the prompt says is an instruction to this function. A prompt without findings comes back byte for
    byte, and so does one whose repair was not accepted; user turns are never changed.

    Args:
        prompt: system or developer text, up to 40,000 characters with the examples.
        examples: few-shot pairs, as ``Example`` or as mappings with ``user`` and ``assistant``.
        generator: the model for what rules cannot decide; the one of the settings when None, opened when first asked.
        use_model: False for the solver alone.
        judge_rules: ask the model also about pairs of rules that the solver leaves open. Off by default: the 1.5B
            model cannot tell them apart (docs/decisions/0015-what-the-small-model-is-asked.md).
        limits: model calls, tokens written, seconds.
        seed: of the model's second attempts.
        choose: asked which rule stays where nothing but their order decides; "" takes the default.
        progress: told of every step that ended.
        cancel: set it to stop the run.

    Raises:
        UsageError: the prompt is empty, or all of it is too long.
        GenerationCancelledError: it was cancelled.
    """
    turns = examples_from(examples)
    size = len(prompt) + sum(len(turn.user) + len(turn.assistant) for turn in turns)
    if not prompt.strip() or size > MAX_CHARACTERS:
        raise UsageError(f"The prompt has {size} characters with its examples; it needs 1 to {MAX_CHARACTERS}.")
    started = perf_counter()
    with _model(generator, use_model) as model:
        meter = Meter(model, limits, cancel=cancel, progress=progress)
        session = Session(
            prompt, turns, meter if use_model else None, seed=seed, choose=choose, judge_rules=judge_rules
        )
        return _run(session, meter, seed, started)


def _run(session: Session, meter: Meter, seed: int, started: float) -> Optimization:
    # LangGraph takes a second to import.
    from agents.prompts.graph import Work, build

    work = Work()
    end = build(session, work, lambda name, **notes: meter.record(name, **notes)).invoke({"round": 0, "verdict": ""})
    before = work.before.findings if work.before else ()
    made = work.candidate if end["verdict"] == "accept" else None
    after = work.after.findings if made is not None and work.after else before
    if end["verdict"] == "roll back":
        meter.record("rolled back", reason=work.reason)
    used = meter.cost
    cost = Cost(used.calls, used.prompt_tokens, used.completion_tokens, perf_counter() - started)
    return _outcome(session, made, (before, after), cost, tuple(meter.steps), seed)


def _outcome(
    session: Session, made: Candidate | None, findings: tuple[tuple[Finding, ...], tuple[Finding, ...]], cost: Cost,
    trace: tuple[Step, ...], seed: int,
) -> Optimization:  # fmt: skip
    prompt, examples = (made.prompt, made.examples) if made else (session.prompt, session.examples)
    changed = (prompt, examples) != (session.prompt, session.examples)
    return Optimization(
        prompt=prompt,
        examples=examples,
        changed=changed,
        accepted=made is not None,
        diff=diff(session.prompt, session.examples, prompt, examples),
        before=findings[0],
        after=findings[1],
        patches=tuple(made.patches) if made else (),
        decisions=tuple(made.decisions) if made else (),
        degraded="; ".join(session.degraded),
        cost=cost,
        trace=trace,
        seed=seed,
    )


@contextmanager
def _model(generator: Generator | None, use_model: bool) -> Iterator[Generator]:
    """The caller's generator, or that of the settings, which is opened at the first question and closed at the end."""
    if generator is not None:
        yield generator
        return
    late = _LateGenerator(_open if use_model else _refuse)
    try:
        yield late
    finally:
        late.close()


def _open() -> Generator:
    from rag.build import make_generator
    from rag.settings import load

    settings: Settings = load()
    return make_generator(settings)


def _refuse() -> Generator:
    raise UsageError("This run is without a model.")


class _LateGenerator(WrappedGenerator):
    """A Generator that is made when it is first asked: a prompt that rules can judge needs no model."""

    def __init__(self, make: Callable[[], Generator]) -> None:
        self._make = make
        self._made: Generator | None = None

    @property
    def inner(self) -> Generator:
        if self._made is None:
            self._made = self._make()
        return self._made

    def close(self) -> None:
        if self._made is not None:
            self._made.close()
