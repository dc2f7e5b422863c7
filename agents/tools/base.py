"""Typed tools: arguments are a pydantic model, the result says whether it may be shown to a model that can call tools.

Notes are data. What a tool took from the notes is kept in ``Output.passages`` and is never put before a model that may
call tools: such a model sees only ``Output.receipt``. So no note can make a tool run.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from rag.errors import MingbaiError
from rag.types import Passage


class ToolError(MingbaiError):
    """A tool cannot do what it was asked for; the message is for the model and the reader."""


class Arguments(BaseModel):
    """The arguments of a tool. Unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Output:
    """What a tool found.

    ``receipt`` holds only what was computed from the arguments, numbers, or counts: it goes back to the model that
    asked. ``shown`` is what a reader sees, "" when it is the receipt; ``value`` is plain JSON; ``passages`` are what
    was read in the notes.
    """

    receipt: str
    shown: str = ""
    value: object = None
    passages: tuple[Passage, ...] = ()


A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """A named function with typed arguments.

    ``own_numbers`` are those that a call may hold although nobody gave them; None allows all. ``about`` is searched in
    a question: the tool is offered where it is found, or always when there is none. A small model calls what it is
    offered.
    """

    name: str
    description: str
    arguments: type[A]
    run: Callable[[A], Output]
    own_numbers: frozenset[Fraction] | None = None
    about: re.Pattern[str] | None = None

    def schema(self) -> dict[str, object]:
        """The signature in the form that chat templates expect."""
        tree = self.arguments.model_json_schema()
        parameters = {
            "type": "object",
            "properties": {name: _plain(found) for name, found in tree.get("properties", {}).items()},
            "required": tree.get("required", []),
        }
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}

    def call(self, arguments: Mapping[str, object]) -> Output:
        """Check the arguments and run.

        Raises:
            ToolError: wrong arguments, or the tool itself refused.
        """
        try:
            checked = self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            raise ToolError(_explain(error)) from error
        return self.run(checked)


AnyTool = Tool[Arguments]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that was made or refused. Exactly one of ``output`` and ``error`` is set.

    ``by`` is "rule" when the question itself determined the call, "fallback" when nothing else worked, else "model".
    """

    name: str
    arguments: Mapping[str, object]
    output: Output | None
    error: str = ""
    by: str = "model"


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of an agent by name."""

    tools: Mapping[str, AnyTool] = field(default_factory=dict)

    @classmethod
    def of(cls, tools: Sequence[object]) -> "Toolbox":
        """Collect tools.

        Raises:
            ValueError: two of one name, or something that is no tool.
        """
        named: dict[str, AnyTool] = {}
        for tool in tools:
            if not isinstance(tool, Tool) or tool.name in named:
                raise ValueError(f"{tool!r} is no tool, or its name is taken")
            named[tool.name] = tool
        return cls(named)

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return list(self.tools)

    def schemas(self, question: str) -> list[dict[str, object]]:
        """The signatures of the tools that a question may be about, in order."""
        offered = (tool for tool in self.tools.values() if tool.about is None or tool.about.search(question))
        return [tool.schema() for tool in offered]

    def call(self, name: str, arguments: Mapping[str, object], *, by: str = "model") -> ToolCall:
        """Run a tool; whatever is wrong becomes the call's ``error``."""
        tool = self.tools.get(name)
        if tool is None:
            return ToolCall(name, arguments, None, f"there is no tool {name!r}; use one of {', '.join(self.names)}", by)
        try:
            return ToolCall(name, arguments, tool.call(arguments), by=by)
        except ToolError as error:
            return ToolCall(name, arguments, None, str(error), by)


def _plain(field_schema: Mapping[str, object]) -> dict[str, object]:
    """A property in a few words: small models read short signatures better; bounds are checked when it is called."""
    kept = {key: field_schema[key] for key in ("type", "enum", "description") if key in field_schema}
    options = field_schema.get("anyOf")
    if isinstance(options, list):
        names = [str(one["type"]) for one in options if one.get("type") != "null"]
        kept = {"type": names[0] if len(names) == 1 else names, **kept}
    if kept.get("type") == "array":
        kept["items"] = {"type": "integer"}
    return kept


def _explain(error: ValidationError) -> str:
    problems = []
    for found in error.errors():
        name = ".".join(str(part) for part in found["loc"]) or "arguments"
        problems.append(f"{name}: {found['msg']}")
    return "wrong arguments: " + "; ".join(problems)
