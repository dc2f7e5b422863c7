"""An agent that may call tools: Qwen's own format, typed arguments, and a wall between notes and calls.

The model that decides about calls sees the question and receipts, never the text of a note, a title, or anything else
that a note says. What the tools read in the notes goes to ``Notebook.answer_from``, whose model has no tools. So a note
cannot make a tool run: this holds by construction, whatever the note says and however the model is misled.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from agents import prompt_files
from agents.numbers import all_numbers_in, numbers_in
from agents.run import Limits, Meter, Outcome, Progress, Result, failure
from agents.tools import rules
from agents.tools.base import AnyTool, Output, Toolbox, ToolCall
from rag.errors import MingbaiError
from rag.notebook import check_question
from rag.protocols import Generator
from rag.text import detect_language
from rag.types import Answer, Passage, State

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

    from rag.notebook import ModeName

MAX_ROUNDS = 4
SEARCH = "search_notes"
REPLY_TOKENS = 256

FAILED = {
    "zh": "工具没有给出结果（{error}）。",
    "en": "No tool gave a result ({error}).",
}
IN_WORDS = {
    "zh": "这不是回答。要么按格式调用工具，要么直接用一句话回答。",
    "en": "That is no answer. Either call a tool in the format given, or answer in one sentence.",
}
OWN = {"zh": "没有用工具；这是模型自己的话，没有核对。", "en": "No tool was used; this is the model's own, unchecked."}
NEAREST = {"zh": "笔记里没有这个词条。最接近的：{names}", "en": "The notes have no such entry. Nearest: {names}"}


class Reader(Protocol):
    """Something that answers from passages and checks every sentence, such as a Notebook."""

    def answer_from(self, question: str, passages: Sequence[str | Passage], mode: "ModeName" = "rcg") -> Answer:
        """An answer of which every sentence is supported by the passages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult(Result):
    """What the tool agent found. ``checked`` is the answer from the notes, when notes were read."""

    calls: tuple[ToolCall, ...] = ()
    checked: Answer | None = None
    notices: tuple[str, ...] = ()


class ToolAgent:
    """Answers with tools.

    Args:
        generator: the model.
        tools: what may be called.
        reader: answers from what the tools read in the notes; needed when a tool reads notes.
        limits: of one run.
        seed: of the decoding, which is greedy.
    """

    def __init__(
        self,
        generator: Generator,
        tools: Sequence[AnyTool],
        *,
        reader: Reader | None = None,
        limits: Limits | None = None,
        seed: int = 0,
    ) -> None:
        self._generator = generator
        self._toolbox = Toolbox.of(tools)
        self._reader = reader
        self._limits = limits or Limits()
        self._seed = seed

    def run(
        self, question: str, *, cancel: threading.Event | None = None, progress: Progress | None = None
    ) -> ToolResult:
        """Answer a question.

        Raises:
            QuestionError: the question holds no word.
            GenerationCancelledError: ``cancel`` was set.
        """
        check_question(question)
        meter = Meter(self._generator, self._limits, cancel=cancel, progress=progress)
        calls: list[ToolCall] = []
        reason = text = ""
        try:
            proposed = rules.propose(question)
            if proposed is not None and proposed.name in self._toolbox.tools:
                self._make(meter, calls, proposed.name, proposed.arguments, by="rule")
            if not calls:
                text = self._converse(meter, question, calls)
            if not _worked(calls) and rules.asks_notes(question) and SEARCH in self._toolbox.tools:
                # What is asked of the notes is never answered by the model alone.
                self._make(meter, calls, SEARCH, {"query": question}, by="fallback")
            return self._finish(meter, question, calls, text)
        except MingbaiError as error:
            reason = failure(error)
        return self._result(meter, question, calls, outcome=Outcome.DEGRADED, reason=reason)

    def _converse(self, meter: Meter, question: str, calls: list[ToolCall]) -> str:
        """Let the model call tools until it answers in words; its words are returned."""
        from langchain_core.messages import HumanMessage, SystemMessage

        from rag.langchain_model import MingbaiChatModel

        language = detect_language(question)
        system, user = prompt_files.messages(__package__, "tools", language, {"question": question})
        chat: list[BaseMessage] = [SystemMessage(system.text), HumanMessage(user.text)]
        offered = [] if rules.is_small_talk(question) else self._toolbox.schemas(question)
        model = MingbaiChatModel(generator=meter, max_tokens=REPLY_TOKENS, seed=self._seed).bind_tools(offered)
        for _ in range(MAX_ROUNDS):
            reply = model.invoke(chat)
            text = str(reply.text).strip()
            meter.record("reply", text, calls=[call["name"] for call in reply.tool_calls])
            chat.append(reply)
            if reply.tool_calls or reply.invalid_tool_calls:
                if _all_made(calls, reply):
                    break
                chat += self._answers(meter, question, calls, reply)
            elif not _means_a_call(text, self._toolbox.names):
                return text
            else:
                chat.append(HumanMessage(IN_WORDS[language]))
        return ""

    def _answers(self, meter: Meter, question: str, calls: list[ToolCall], reply: "AIMessage") -> "list[ToolMessage]":
        """Run the calls of a reply. What goes back are receipts and errors: never text of a note."""
        from langchain_core.messages import ToolMessage

        answers = [
            ToolMessage(f"this call cannot be read: {bad['error']}", tool_call_id=str(bad["id"]))
            for bad in reply.invalid_tool_calls
        ]
        for wanted in reply.tool_calls:
            call = self._make(meter, calls, wanted["name"], wanted["args"], question=question)
            text = call.output.receipt if call.output else f"error: {call.error}"
            answers.append(ToolMessage(text, tool_call_id=str(wanted["id"])))
        return answers

    def _make(
        self,
        meter: Meter,
        calls: list[ToolCall],
        name: str,
        arguments: Mapping[str, object],
        *,
        question: str = "",
        by: str = "model",
    ) -> ToolCall:
        """Make one call, unless its numbers were invented, and record it."""
        meter.count_call()
        invented = _invented(self._toolbox, name, arguments, question, calls) if by == "model" else ""
        call = ToolCall(name, arguments, None, invented) if invented else self._toolbox.call(name, arguments, by=by)
        calls.append(call)
        receipt = call.output.receipt if call.output else ""
        meter.record("call", receipt, tool=name, arguments=dict(arguments), error=call.error, by=by)
        return call

    def _finish(self, meter: Meter, question: str, calls: list[ToolCall], text: str) -> ToolResult:
        language = detect_language(question)
        worked = _worked(calls)
        passages = _passages([call for call in worked if call.by != "rule"])
        checked = self._reader.answer_from(question, passages) if passages and self._reader is not None else None
        if checked is not None:
            meter.spend(checked.tokens.get("prompt", 0), checked.tokens.get("completion", 0))
            meter.record("read", checked.text, state=str(checked.state), passages=len(passages))
        if not worked:
            return self._without(meter, question, calls, text)
        # An entry that the question asked to open is shown as it stands.
        computed = [_shown(call, language) for call in worked if call.by == "rule" or not _output(call).passages]
        if checked is None:
            answer = text if _repeats(text, question, worked) else "\n".join(computed)
            return self._result(meter, question, calls, outcome=Outcome.DONE, answer=answer)
        outcome = Outcome.REFUSED if checked.state is State.REFUSED and not computed else Outcome.DONE
        reason = "the notes do not hold the answer" if outcome is Outcome.REFUSED else ""
        answer = "\n".join([*computed, checked.text])
        return self._result(meter, question, calls, outcome=outcome, reason=reason, answer=answer, checked=checked)

    def _without(self, meter: Meter, question: str, calls: list[ToolCall], text: str) -> ToolResult:
        """No tool worked: the model's own words when it wanted none, else a degraded result."""
        language = detect_language(question)
        if not calls and text:
            return self._result(meter, question, calls, outcome=Outcome.DONE, answer=text, notices=(OWN[language],))
        reason = calls[-1].error if calls else "the model gave no answer"
        answer = FAILED[language].format(error=reason)
        return self._result(meter, question, calls, outcome=Outcome.DEGRADED, reason=reason, answer=answer)

    def _result(  # noqa: PLR0913 - the fields of one result
        self,
        meter: Meter,
        question: str,
        calls: Sequence[ToolCall],
        *,
        outcome: Outcome,
        answer: str = "",
        reason: str = "",
        checked: Answer | None = None,
        notices: tuple[str, ...] = (),
    ) -> ToolResult:
        return ToolResult(
            agent="tools",
            question=question,
            outcome=outcome,
            answer=answer,
            reason=reason,
            steps=tuple(meter.steps),
            cost=meter.cost,
            model=meter.model_id,
            seed=self._seed,
            calls=tuple(calls),
            checked=checked,
            notices=notices,
        )


def _all_made(calls: Sequence[ToolCall], reply: "AIMessage") -> bool:
    """Whether a reply only asks again for what was called already: a model that goes in circles."""
    made = [(call.name, call.arguments) for call in calls]
    return not reply.invalid_tool_calls and all((wanted["name"], wanted["args"]) in made for wanted in reply.tool_calls)


def _means_a_call(text: str, names: Sequence[str]) -> bool:
    """Whether words speak of a call instead of answering: the name of a tool, or an object like a call."""
    if '"name"' in text and '"arguments"' in text:
        return True
    return any(name in text if "_" in name else f"`{name}" in text for name in names)


def _worked(calls: Sequence[ToolCall]) -> list[ToolCall]:
    return [call for call in calls if call.output is not None]


def _output(call: ToolCall) -> Output:
    return call.output or Output("")


def _passages(calls: Sequence[ToolCall]) -> list[Passage]:
    """What the calls read, each chunk once, ranked in the order of reading."""
    once = {passage.chunk_id: passage for call in calls for passage in _output(call).passages}
    return [replace(passage, rank=rank) for rank, passage in enumerate(once.values(), 1)]


def _shown(call: ToolCall, language: str) -> str:
    output = _output(call)
    if isinstance(output.value, dict) and "nearest" in output.value:
        return NEAREST[language].format(names=output.shown or "–")
    return output.shown or output.receipt


def _repeats(text: str, question: str, calls: Sequence[ToolCall]) -> bool:
    """Whether the model's words hold the last result and no number that neither question nor tools gave."""
    if any(_output(call).shown for call in calls):
        return False
    given = {n for call in calls for n in numbers_in(_output(call).receipt)}
    said = set(numbers_in(text))
    last = _output(calls[-1])
    result = set(numbers_in(last.value if isinstance(last.value, str) else last.receipt.split("=")[-1]))
    return bool(said) and said <= given | set(all_numbers_in(question)) and bool(result & said)


def _invented(
    toolbox: Toolbox, name: str, arguments: Mapping[str, object], question: str, calls: Sequence[ToolCall]
) -> str:
    """What is wrong with the numbers of a call, "" when each was asked, computed before, or is the tool's own."""
    tool = toolbox.tools.get(name)
    if tool is None or tool.own_numbers is None:
        return ""
    known = {*all_numbers_in(question), *tool.own_numbers, *(n for c in calls for n in numbers_in(_output(c).receipt))}
    foreign = [n for n in numbers_in(json.dumps(list(arguments.values()), ensure_ascii=False)) if n not in known]
    return f"the number {foreign[0]} is neither in the question nor a result" if foreign else ""
