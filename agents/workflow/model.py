"""What a workflow file may hold. Unknown keys, kinds and types are refused when it is read.

Every node has an ``id`` and a ``kind``; all but ``answer``, ``if`` and ``classify`` name the ``next`` node. What a node
makes is a variable of its id: ``{{ notes.count }}``, ``{{ reply.text }}``.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Template = Annotated[str, Field(max_length=8000)]
MAX_NODES = 50
CONSTANT = re.compile(r"^[^{}]*$")


class Part(BaseModel):
    """A frozen part of a workflow; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Start(Part):
    """The first node: the inputs with what they mean. Variables: the inputs themselves."""

    id: Name
    kind: Literal["start"]
    inputs: Mapping[Name, str]
    next: Name


class Retrieve(Part):
    """Search the notes. Variables: ``count``, ``titles``, ``text``, ``passages``."""

    id: Name
    kind: Literal["retrieve"]
    query: Template
    k: Annotated[int, Field(ge=1, le=20)] = 5
    next: Name


class Classify(Part):
    """One short verdict of the model among labels. Variables: ``label``, ``probability``."""

    id: Name
    kind: Literal["classify"]
    question: Template
    labels: Annotated[Mapping[str, Name], Field(min_length=2, max_length=8)]


class If(Part):
    """A branch on an expression of the sandbox, such as ``notes.count > 0``."""

    id: Name
    kind: Literal["if"]
    condition: Annotated[str, Field(max_length=400)]
    then: Name
    otherwise: Name


class Llm(Part):
    """The model writes. ``system`` must not hold variables: retrieved text is never given in the system role.

    Variables: ``text``, ``is_cut``.
    """

    id: Name
    kind: Literal["llm"]
    prompt: Template
    system: Annotated[str, Field(max_length=2000, pattern=CONSTANT.pattern)] = ""
    max_tokens: Annotated[int, Field(ge=1, le=1024)] = 256
    next: Name


class TemplateNode(Part):
    """Text from variables. Variable: ``text``."""

    id: Name
    kind: Literal["template"]
    template: Template
    next: Name


class ToolNode(Part):
    """Call one tool; texts are templates. Variables: ``ok``, ``error``, ``text``, ``value``, ``passages``."""

    id: Name
    kind: Literal["tool"]
    tool: str
    arguments: Mapping[str, str | int | float | bool | list[int]] = {}
    next: Name


class AgentNode(Part):
    """Run an agent on a question. ``passages`` names nodes whose passages ``rcg`` reads instead of searching.

    Variables: ``outcome``, ``text``, ``reason``, ``citations`` (each with marker, file, line, entry, quote).
    """

    id: Name
    kind: Literal["agent"]
    agent: Literal["rcg", "cot", "hop", "tools", "router"]
    question: Template
    passages: tuple[Name, ...] = ()
    next: Name


class Answer(Part):
    """The end: what the workflow returns. ``refused`` marks it as a refusal."""

    id: Name
    kind: Literal["answer"]
    text: Template
    refused: bool = False


Node = Annotated[
    Start | Retrieve | Classify | If | Llm | TemplateNode | ToolNode | AgentNode | Answer, Field(discriminator="kind")
]

# What each kind makes. The inputs of ``start`` are checked by name.
MADE: Mapping[str, frozenset[str]] = {
    "retrieve": frozenset({"count", "titles", "text", "passages"}),
    "classify": frozenset({"label", "probability"}),
    "if": frozenset({"value"}),
    "llm": frozenset({"text", "is_cut"}),
    "template": frozenset({"text"}),
    "tool": frozenset({"ok", "error", "text", "value", "passages"}),
    "agent": frozenset({"outcome", "text", "reason", "citations"}),
}


class Spec(Part):
    """A whole workflow."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    description: str = ""
    nodes: Annotated[tuple[Node, ...], Field(min_length=2, max_length=MAX_NODES)]

    def node(self, node_id: str) -> Node:
        """The node with this id. Raises KeyError."""
        return {node.id: node for node in self.nodes}[node_id]

    @property
    def start(self) -> Start:
        """The first node. Raises ValueError when there is not exactly one."""
        (found,) = [node for node in self.nodes if isinstance(node, Start)]
        return found


def successors(node: Node) -> tuple[str, ...]:
    """The ids of the nodes that may come next, none twice."""
    if isinstance(node, Answer):
        return ()
    if isinstance(node, If):
        return tuple(dict.fromkeys((node.then, node.otherwise)))
    if isinstance(node, Classify):
        return tuple(dict.fromkeys(node.labels.values()))
    return (node.next,)


def templates(node: Node) -> tuple[str, ...]:  # noqa: PLR0911 - one return a kind of node
    """The templates of a node, in order. A condition counts as one that prints it."""
    match node:
        case Retrieve():
            return (node.query,)
        case Classify() | AgentNode():
            return (node.question,)
        case If():
            return (f"{{{{ {node.condition} }}}}",)
        case Llm():
            return (node.prompt,)
        case TemplateNode():
            return (node.template,)
        case ToolNode():
            return tuple(value for value in node.arguments.values() if isinstance(value, str))
        case Answer():
            return (node.text,)
    return ()
