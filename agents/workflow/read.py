"""From YAML to a checked workflow: every mistake is found before anything runs, and all are reported at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from agents.workflow.model import MADE, Node, Spec, Start, successors, templates
from agents.workflow.sandbox import TemplateUseError, uses
from rag.errors import UsageError

MAX_FILE_CHARS = 100_000


class WorkflowError(UsageError):
    """A workflow file cannot be used; the message lists what is wrong."""


class _PlainLoader(yaml.SafeLoader):
    """YAML without anchors: a few of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases."""
        if self.check_event(yaml.AliasEvent):
            raise WorkflowError("A workflow must not use YAML anchors and aliases. Write the value out.")
        return super().compose_node(parent, index)


def load_workflow(path: Path, *, tools: Mapping[str, object] | None = None) -> Spec:
    """Read and check a workflow file.

    Args:
        path: a UTF-8 YAML file.
        tools: the tools that exist, by name; not checked when None.

    Raises:
        WorkflowError: it cannot be read or is not a sound workflow.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowError(f"{path} cannot be read: {error}. Name a UTF-8 YAML file.") from error
    return parse_workflow(text, tools=tools)


def parse_workflow(text: str, *, tools: Mapping[str, object] | None = None) -> Spec:
    """Read and check a workflow; see ``load_workflow``."""
    if len(text) > MAX_FILE_CHARS:
        raise WorkflowError(f"A workflow of {len(text)} characters is too long; {MAX_FILE_CHARS} are allowed.")
    try:
        tree = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
        spec = Spec.model_validate(tree)
    except (yaml.YAMLError, RecursionError) as error:
        raise WorkflowError(f"The workflow is no YAML: {error}.") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise WorkflowError("The workflow does not hold what it must: " + "; ".join(problems[:8])) from error
    if problems := list(_problems(spec, tools)):
        raise WorkflowError(f"The workflow {spec.name!r} is not sound: " + "; ".join(problems))
    return spec


def _problems(spec: Spec, tools: Mapping[str, object] | None) -> Iterator[str]:
    ids = [node.id for node in spec.nodes]
    yield from (f"the id {name!r} is used twice" for name in sorted({i for i in ids if ids.count(i) > 1}))
    starts = [node for node in spec.nodes if isinstance(node, Start)]
    if len(starts) != 1:
        yield f"there are {len(starts)} start nodes instead of one"
    unknown = [(node.id, to) for node in spec.nodes for to in successors(node) if to not in ids]
    yield from (f"{name!r} leads to {to!r}, which does not exist" for name, to in unknown)
    if len(starts) != 1 or unknown or len(set(ids)) < len(ids):
        return
    if cycle := _cycle(spec):
        yield "a cycle: " + " → ".join(cycle)
        return
    reached = _reached(spec)
    yield from (f"{node.id!r} is never reached" for node in spec.nodes if node.id not in reached)
    for node in spec.nodes:
        if node.id in reached:
            yield from _variable_problems(spec, node)
            if node.kind == "tool" and tools is not None and node.tool not in tools:
                yield f"{node.id!r} calls the tool {node.tool!r}, which does not exist"


def _cycle(spec: Spec) -> list[str]:
    """A cycle as a list of ids, or an empty list."""
    done: set[str] = set()
    for first in spec.nodes:
        path: list[str] = []
        pending: list[tuple[str, int]] = [(first.id, 0)]
        while pending:
            name, depth = pending.pop()
            del path[depth:]
            if name in path:
                return [*path[path.index(name) :], name]
            path.append(name)
            if name not in done:
                pending += [(to, depth + 1) for to in successors(spec.node(name))]
        done.add(first.id)
    return []


def _reached(spec: Spec) -> set[str]:
    reached: set[str] = set()
    pending = [spec.start.id]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += successors(spec.node(name))
    return reached


def _before(spec: Spec) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """For each node: the ids that come before it on every way, and on some way. The graph has no cycle."""
    always: dict[str, set[str]] = {spec.start.id: set()}
    sometimes: dict[str, set[str]] = {spec.start.id: set()}
    for name in _in_order(spec):
        for to in successors(spec.node(name)):
            here = always[name] | {name}
            always[to] = always[to] & here if to in always else here
            sometimes[to] = sometimes.get(to, set()) | sometimes[name] | {name}
    return always, sometimes


def _in_order(spec: Spec) -> list[str]:
    """The reached ids, each after all that lead to it."""
    reached = _reached(spec)
    missing = {name: 0 for name in reached}
    for name in reached:
        for to in successors(spec.node(name)):
            missing[to] += 1
    order, ready = [], [spec.start.id]
    while ready:
        name = ready.pop()
        order.append(name)
        for to in successors(spec.node(name)):
            missing[to] -= 1
            if missing[to] == 0:
                ready.append(to)
    return order


def _variable_problems(spec: Spec, node: Node) -> Iterator[str]:
    always, sometimes = _before(spec)
    inputs = spec.start.inputs
    try:
        read = [use for template in templates(node) for use in uses(template)]
    except TemplateUseError as error:
        yield f"{node.id!r}: {error}"
        return
    for use in read:
        if use.name in inputs:
            continue
        if use.name not in sometimes[node.id] or use.name == spec.start.id:
            yield f"{node.id!r} reads the unknown variable {use.name!r}"
        elif use.name not in always[node.id] and not use.is_guarded:
            yield f"{node.id!r} reads {use.name!r}, which some way leaves out (use default or 'is defined')"
        elif use.is_guarded and not use.attribute:
            continue
        elif use.attribute not in MADE[spec.node(use.name).kind]:
            made = ", ".join(sorted(MADE[spec.node(use.name).kind]))
            yield f"{node.id!r} reads {use.name}.{use.attribute or '?'}; {use.name!r} makes {made}"
    for name in getattr(node, "passages", ()):
        if name not in always[node.id] or "passages" not in MADE.get(spec.node(name).kind, frozenset()):
            yield f"{node.id!r} reads the passages of {name!r}, which makes none before it"
