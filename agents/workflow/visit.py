"""Executes the nodes of a workflow, one run: every node is a step of the trace."""

import operator
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol, TypedDict

from agents import notes
from agents.reason import MultiHop, Reasoner, Router
from agents.run import Meter, Outcome, Result
from agents.tools import AnyTool, ToolAgent, Toolbox
from agents.workflow.model import AgentNode, Answer, Classify, If, Llm, Node, Retrieve, TemplateNode, ToolNode
from agents.workflow.sandbox import render, truth
from rag.notebook import Notebook
from rag.prompting import defuse
from rag.protocols import GenerationRequest
from rag.types import Answer as CheckedAnswer
from rag.types import Message, Passage, Role, State

Made = dict[str, object]


class Flow(TypedDict):
    """What flows through the graph: inputs by their names, and what each node made by its id."""

    values: Annotated[Made, operator.or_]


class Step(Protocol):
    """What LangGraph calls for a node."""

    def __call__(self, state: Flow) -> dict[str, Any]:
        """Run the node and return what it adds to the flow."""


class Visit:
    """One run: executes nodes and keeps where it was."""

    def __init__(self, notebook: Notebook, toolbox: Toolbox, tools: Sequence[AnyTool], meter: Meter, seed: int) -> None:
        self._notebook = notebook
        self._toolbox = toolbox
        self._tools = tools
        self._meter = meter
        self._seed = seed
        self.path: list[str] = []
        self.answer = ""
        self.is_refused = False
        self.citations: list[Mapping[str, object]] = []

    def step(self, node: Node) -> Step:
        """The function that LangGraph calls for a node."""

        def run(state: Flow) -> dict[str, Any]:
            self._meter.check()
            made = self._make(node, state["values"])
            self.path.append(node.id)
            text = str(made.get("text", ""))
            notes = {k: v for k, v in made.items() if isinstance(v, str | int | float | bool) and k != "text"}
            self._meter.record(node.id, text, kind=node.kind, **notes)
            return {"values": {node.id: made} if made else {}}

        return run

    def _make(self, node: Node, values: Made) -> Made:  # noqa: PLR0911 - one return a kind of node
        match node:
            case Retrieve():
                return self._retrieve(node, values)
            case Classify():
                return self._classify(node, values)
            case If():
                return {"value": truth(node.condition, values)}
            case Llm():
                return self._write(node, values)
            case TemplateNode():
                return {"text": render(node.template, values)}
            case ToolNode():
                return self._call(node, values)
            case AgentNode():
                return self._ask(node, values)
            case Answer():
                self.answer, self.is_refused = render(node.text, values), node.refused
        return {}

    def _retrieve(self, node: Retrieve, values: Made) -> Made:
        self._meter.count_call()
        return _found(self._notebook.search(render(node.query, values), node.k))

    def _classify(self, node: Classify, values: Made) -> Made:
        labels = list(node.labels)
        question = defuse(render(node.question, values))
        chances = self._meter.choose([Message(Role.USER, question)], labels)
        best = max(range(len(labels)), key=lambda at: chances[at])
        return {"label": labels[best], "probability": round(chances[best], 4)}

    def _write(self, node: Llm, values: Made) -> Made:
        system = (Message(Role.SYSTEM, node.system),) if node.system else ()
        messages = (*system, Message(Role.USER, defuse(render(node.prompt, values))))
        stream = self._meter.generate(GenerationRequest(messages=messages, max_tokens=node.max_tokens, seed=self._seed))
        for _ in stream:
            pass
        return {"text": stream.result.text.strip(), "is_cut": stream.result.finish != "stop"}

    def _call(self, node: ToolNode, values: Made) -> Made:
        self._meter.count_call()
        arguments = {
            name: render(value, values) if isinstance(value, str) else value for name, value in node.arguments.items()
        }
        call = self._toolbox.call(node.tool, arguments, by="workflow")
        if call.output is None:
            return {"ok": False, "error": call.error, "text": "", "value": None, "passages": []}
        found = call.output
        return {
            "ok": True,
            "error": "",
            "text": found.shown or found.receipt,
            "value": found.value,
            "passages": list(found.passages),
        }

    def _ask(self, node: AgentNode, values: Made) -> Made:
        question = render(node.question, values)
        limits, stop = self._meter.remaining(), self._meter.cancelled
        generator = self._notebook.generator
        match node.agent:
            case "rcg":
                return self._answer(node, question, values)
            case "cot":
                return self._finished(
                    Reasoner(generator, limits=limits, seed=self._seed).solve(question, cancel=stop), None
                )
            case "hop":
                hop = MultiHop(self._notebook, limits=limits, seed=self._seed).run(question, cancel=stop)
                return self._finished(hop, hop.checked)
            case "tools":
                agent = ToolAgent(generator, self._tools, reader=self._notebook, limits=limits, seed=self._seed)
                used = agent.run(question, cancel=stop)
                return self._finished(used, used.checked)
        routed = Router(self._notebook, limits=limits, seed=self._seed).run(question, cancel=stop)
        return self._finished(routed, routed.checked)

    def _answer(self, node: AgentNode, question: str, values: Made) -> Made:
        given = [p for name in node.passages for p in _passages(values.get(name))]
        if node.passages:
            checked = notes.answer_from(self._notebook, question, given, self._meter)
        else:
            checked = notes.ask(self._notebook, question, self._meter)
        refused = checked.state is State.REFUSED
        self._cite(checked)
        return {
            "outcome": str(Outcome.REFUSED if refused else Outcome.DONE),
            "text": checked.text,
            "reason": "the notes do not hold the answer" if refused else "",
            "citations": _citations(checked),
        }

    def _finished(self, result: Result, checked: CheckedAnswer | None) -> Made:
        self._meter.spend(result.cost.prompt_tokens, result.cost.completion_tokens)
        self._cite(checked)
        return {
            "outcome": str(result.outcome),
            "text": result.answer,
            "reason": result.reason,
            "citations": _citations(checked),
        }

    def _cite(self, checked: CheckedAnswer | None) -> None:
        self.citations += [c for c in _citations(checked) if c not in self.citations]


def _found(passages: Sequence[Passage]) -> Made:
    return {
        "count": len(passages),
        "titles": [p.entry for p in passages],
        "text": "\n\n".join(p.text.strip() for p in passages),
        "passages": list(passages),
    }


def _passages(made: object) -> list[Passage]:
    found = made.get("passages", []) if isinstance(made, dict) else []
    return [p for p in found if isinstance(p, Passage)]


def _citations(checked: CheckedAnswer | None) -> list[Mapping[str, object]]:
    sentences = checked.sentences if checked is not None else ()
    return [
        {"marker": c.marker, "file": c.file, "line": c.line_start, "entry": c.entry, "quote": c.quote}
        for sentence in sentences
        for c in sentence.citations
    ]
