# ruff: noqa: ANN401 - DSPy is an optional package, its objects are untyped here
"""DSPy's optimisers as a source of versions: GEPA (Agrawal et al., 2025) or MIPROv2 (Opsahl-Ong et al., 2024).

They see the training cases only; what they propose goes through the same guards, validation and held-out test as any
other version. Both ask the model hundreds of times, which wants a GPU. The extra: ``pip install 'mingbai[dspy]'``.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from agents.prompts.types import Example
from agents.tune.edits import Version, split
from agents.tune.types import AnswerMetric, Program
from rag.errors import UsageError
from rag.protocols import GenerationRequest, Generator
from rag.types import Message, Role

try:
    import dspy
    from dspy import lm15
except ModuleNotFoundError as error:
    raise UsageError("DSPy is not installed. Run: pip install 'mingbai[dspy]'") from error

MAX_TOKENS = 700
Engine = Literal["gepa", "mipro"]


def dspy_versions(
    metric: AnswerMetric, cases: Sequence[tuple[str, str]], *, engine: Engine = "gepa", calls: int = 200, seed: int = 0
) -> Callable[[Program], Iterator[Version]]:
    """The ``versions`` of ``agents.optimize``: what DSPy makes of the program it is first given.

    ``cases`` and ``seed`` are those of ``optimize``, so that validation and held-out cases stay unseen here; ``calls``
    of the metric are DSPy's own and not part of the budget.
    """
    train = [_example(cases[i]) for i in split(cases, seed)[0]]
    done: list[Program] = []

    def versions(program: Program) -> Iterator[Version]:
        if done:
            return
        done.append(program)
        model = dspy.LM("mingbai/local", engine=_LocalEngine(metric.generator), cache=False, num_retries=0)
        with dspy.context(lm=model, adapter=_PlainAdapter()):
            made = _compiled(program, metric, train, model, engine=engine, calls=calls, seed=seed)
        yield engine, made

    return versions


def _compiled(
    program: Program, metric: AnswerMetric, train: list[Any], model: Any, *, engine: Engine, calls: int, seed: int
) -> Program:
    student = dspy.Predict(dspy.Signature("question -> answer", program.prompt))
    student.demos = [dspy.Example(question=e.user, answer=e.assistant) for e in program.examples]
    half = max(len(train) // 2, 1)

    def judged(gold: Any, made: Any, trace: Any = None, name: Any = None, inner: Any = None) -> Any:
        feedback = metric.judge(gold.wanted, made.answer)
        if engine == "mipro":
            return feedback.score
        return dspy.Prediction(score=feedback.score, feedback=feedback.text or f"The score is {feedback.score:.2f}.")

    if engine == "gepa":
        search = dspy.GEPA(judged, max_metric_calls=calls, reflection_lm=model, num_threads=1, seed=seed)
        best = search.compile(student, trainset=train[:half], valset=train[half:])
    else:
        search = dspy.MIPROv2(
            judged, prompt_model=model, task_model=model, auto=None, num_candidates=4, num_threads=1, seed=seed
        )
        trials = max(calls // max(len(train) - half, 1), 1)
        best = search.compile(
            student, trainset=train[:half], valset=train[half:], num_trials=trials, minibatch=False,
            max_bootstrapped_demos=2, max_labeled_demos=2,
        )  # fmt: skip
    shown = tuple(Example(demo["question"], demo.get("answer") or demo["wanted"]) for demo in best.demos)
    return Program(best.signature.instructions, shown)


def _example(case: tuple[str, str]) -> Any:
    return dspy.Example(question=case[0], wanted=case[1], answer=case[1]).with_inputs("question")


class _LocalEngine:
    """The project's generator behind DSPy's engine interface; nothing goes over a network."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def complete(self, request: Any) -> Any:
        """Answer a request of DSPy greedily, or as warm as it asks."""
        chat = [Message(Role(message.role), message.text or "") for message in request.messages]
        if request.system:
            system = request.system if isinstance(request.system, str) else "".join(p.text for p in request.system)
            chat.insert(0, Message(Role.SYSTEM, system))
        asked = GenerationRequest(
            tuple(chat),
            max_tokens=request.config.max_tokens or MAX_TOKENS,
            temperature=min(request.config.temperature or 0.0, 1.0),
        )
        stream = self._generator.generate(asked)
        for _ in stream:
            pass
        made = stream.result
        used = lm15.Usage(
            input_tokens=made.prompt_tokens,
            output_tokens=made.completion_tokens,
            total_tokens=made.prompt_tokens + made.completion_tokens,
        )
        reply = lm15.Message.assistant([lm15.TextPart(made.text)])
        reason = "stop" if made.finish == "stop" else "length"
        return lm15.Response(id=None, model=request.model, message=reply, finish_reason=reason, usage=used)

    def close(self) -> None:
        """Nothing: the generator belongs to the caller."""


class _PlainAdapter(dspy.ChatAdapter):  # type: ignore[misc]
    """Our program as the plain chat that it is everywhere else; DSPy's own programs keep DSPy's layout."""

    def format(self, signature: Any, demos: Any, inputs: Any) -> list[dict[str, Any]]:
        if not _is_ours(signature):
            made: list[dict[str, Any]] = super().format(signature, demos, inputs)
            return made
        shown = tuple(Example(demo["question"], demo.get("answer") or demo["wanted"]) for demo in demos)
        chat = Program(signature.instructions, shown).messages(inputs["question"])
        return [{"role": str(message.role), "content": message.text} for message in chat]

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        if _is_ours(signature):
            return {"answer": completion}
        made: dict[str, Any] = super().parse(signature, completion)
        return made


def _is_ours(signature: Any) -> bool:
    return set(signature.input_fields) == {"question"} and set(signature.output_fields) == {"answer"}
