"""Workflows compiled to LangGraph and run: each node is one step of the trace, and a failure is a degraded result."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.run import Limits, Meter, Outcome, Progress, Result, failure
from agents.tools import AnyTool, Toolbox, computing_tools, note_tools
from agents.tools.mindmap import mind_map_tool
from agents.workflow.model import Answer, Classify, If, Spec, ToolNode
from agents.workflow.sandbox import TemplateUseError
from agents.workflow.visit import Flow, Visit
from rag.errors import EngineError, MingbaiError, UsageError
from rag.notebook import Notebook

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

MAX_INPUT_CHARS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowResult(Result):
    """What a workflow returned. ``path`` are the ids of the nodes that ran, in order."""

    workflow: str = ""
    path: tuple[str, ...] = ()
    citations: tuple[Mapping[str, object], ...] = ()


class Workflow:
    """A checked workflow over a notebook.

    Args:
        spec: as ``parse_workflow`` returned it.
        notebook: is searched; its generator writes.
        tools: what ``tool`` nodes and the tool agent may call; all of ours when None.
        limits: of one run.
        seed: of all decoding.
    """

    def __init__(
        self,
        spec: Spec,
        notebook: Notebook,
        *,
        tools: Sequence[AnyTool] | None = None,
        limits: Limits | None = None,
        seed: int = 0,
    ) -> None:
        self.spec = spec
        self._notebook = notebook
        self._tools = list(tools) if tools is not None else workflow_tools(notebook)
        self._toolbox = Toolbox.of(self._tools)
        self._limits = limits or Limits()
        self._seed = seed

    def run(
        self,
        inputs: Mapping[str, str],
        *,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> WorkflowResult:
        """Run it with its inputs.

        Raises:
            UsageError: an input is missing, unknown, empty or too long, or a tool does not exist.
            GenerationCancelledError: ``cancel`` was set.
        """
        self._check(inputs)
        meter = Meter(self._notebook.generator, self._limits, cancel=cancel, progress=progress)
        visit = Visit(self._notebook, self._toolbox, self._tools, meter, self._seed)
        reason = ""
        try:
            self.compile(visit).invoke({"values": dict(inputs)}, {"recursion_limit": len(self.spec.nodes) + 2})
        except TemplateUseError as error:
            reason = str(error)
        except MingbaiError as error:
            reason = failure(error)
        outcome = Outcome.REFUSED if visit.is_refused else Outcome.DONE
        return WorkflowResult(
            agent="workflow",
            question=" | ".join(inputs.values()),
            outcome=Outcome.DEGRADED if reason else outcome,
            answer=visit.answer,
            reason=reason or ("the notes do not hold the answer" if visit.is_refused else ""),
            steps=tuple(meter.steps),
            cost=meter.cost,
            model=meter.model_id,
            seed=self._seed,
            workflow=self.spec.name,
            path=tuple(visit.path),
            citations=tuple(visit.citations),
        )

    def compile(self, visit: Visit) -> "CompiledStateGraph[Flow, None, Flow, Flow]":
        """The LangGraph graph of this workflow for one run."""
        from langgraph.graph import END, START, StateGraph

        graph = StateGraph(Flow)
        for node in self.spec.nodes:
            graph.add_node(node.id, visit.step(node))
            match node:
                case If():
                    graph.add_conditional_edges(node.id, _branch(node), list({node.then, node.otherwise}))
                case Classify():
                    graph.add_conditional_edges(node.id, _label(node), list(set(node.labels.values())))
                case Answer():
                    graph.add_edge(node.id, END)
                case _:
                    graph.add_edge(node.id, node.next)
        graph.add_edge(START, self.spec.start.id)
        return graph.compile()

    def _check(self, inputs: Mapping[str, str]) -> None:
        wanted = set(self.spec.start.inputs)
        if set(inputs) != wanted:
            raise UsageError(
                f"The workflow {self.spec.name!r} takes {', '.join(sorted(wanted))}; "
                f"got {', '.join(sorted(inputs)) or 'nothing'}."
            )
        for name, value in inputs.items():
            if not value.strip() or len(value) > MAX_INPUT_CHARS:
                raise UsageError(f"The input {name!r} has {len(value)} characters; give 1 to {MAX_INPUT_CHARS}.")
        missing = [n.tool for n in self.spec.nodes if isinstance(n, ToolNode) and n.tool not in self._toolbox.tools]
        if missing:
            raise UsageError(f"There is no tool {missing[0]!r}. Use one of {', '.join(self._toolbox.names)}.")


def workflow_tools(notebook: Notebook) -> list[AnyTool]:
    """All tools that a workflow may call."""
    return [*computing_tools(), *note_tools(notebook), mind_map_tool(notebook)]


def _branch(node: If) -> Callable[[Flow], str]:
    return lambda state: node.then if _value(state, node.id, "value") else node.otherwise


def _label(node: Classify) -> Callable[[Flow], str]:
    return lambda state: node.labels[str(_value(state, node.id, "label"))]


def _value(state: Flow, node_id: str, name: str) -> object:
    made = state["values"].get(node_id)
    if not isinstance(made, dict):
        raise EngineError(f"The node {node_id!r} made nothing.")
    return made[name]
