"""Templates in a sandbox: Jinja without access to Python, with bounds on loops, on values and on what is written.

Values are never parsed as templates: braces inside a note stay braces.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment

from rag.errors import UsageError

MAX_OUTPUT_CHARS = 40_000
MAX_NUMBER = 10**9
# Two loops inside each other over so many items are a quarter of a million turns.
MAX_ITEMS = 500
MAX_LOOP_DEPTH = 2
FILTERS = (
    "default d length count first last lower upper title capitalize trim truncate sort unique reverse int float round "
    "abs min max wordcount striptags"
).split()
METHODS = frozenset("get items keys values lower upper strip startswith endswith".split())


class TemplateUseError(UsageError):
    """A template cannot be read, uses an unknown variable, or does what the sandbox forbids."""


@dataclass(frozen=True, slots=True)
class Use:
    """A variable in a template: its name, the attribute behind it ("" without), and whether a default guards it."""

    name: str
    attribute: str
    is_guarded: bool


class _Sandbox(ImmutableSandboxedEnvironment):
    """Operators and methods that can make a huge value from small ones are refused or checked."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def call_binop(self, context: object, operator: str, left: object, right: object) -> object:
        """Refuse powers, repeated and formatted texts, and huge numbers."""
        if operator == "**" or (operator in "*%" and not _is_number(left, right)):
            raise TemplateUseError(f"{operator!r} on these values is not allowed in a template.")
        made: object = super().call_binop(context, operator, left, right)  # type: ignore[arg-type]
        too_large = isinstance(made, int | float) and abs(made) > MAX_NUMBER
        if too_large or (isinstance(made, str | list) and len(made) > MAX_OUTPUT_CHARS):
            raise TemplateUseError("A value in a template grows too large.")
        return made

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Plain values, and few methods: str.format alone could write a gigabyte."""
        return super().is_safe_attribute(obj, attr, value) and (not callable(value) or attr in METHODS)


def _is_number(*values: object) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _environment() -> SandboxedEnvironment:
    made = _Sandbox(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
    made.globals.clear()
    ours = {"mermaid": mermaid_text, "oneline": one_line, "markdown": markdown_text, "join": joined, "_items": items}
    made.filters = {name: made.filters[name] for name in FILTERS} | ours
    return made


def items(values: object) -> Sequence[object]:
    """What a loop may go over: at most MAX_ITEMS of a list or of the keys of a mapping, and no text."""
    if not isinstance(values, Mapping | list | tuple) or len(values) > MAX_ITEMS:
        raise TemplateUseError(
            f"A loop goes over a list of at most {MAX_ITEMS} items, not over {type(values).__name__}."
        )
    return list(values)


def joined(values: object, separator: str = "") -> str:
    """The items of a list with ``separator`` between them, within the bounds of a template."""
    texts = [str(value) for value in items(values)]
    if sum(map(len, texts)) + len(texts) * len(separator) > MAX_OUTPUT_CHARS:
        raise TemplateUseError("A value in a template grows too large.")
    return separator.join(texts)


def one_line(text: object) -> str:
    """The text without line breaks and repeated blanks."""
    return " ".join(str(text).split())


def mermaid_text(text: object) -> str:
    """A label that Mermaid shows as it is: quotes and brackets cannot end it."""
    plain = one_line(text).replace("#", "#35;").replace('"', "#quot;")
    return f'["{plain.replace("`", "#96;")}"]'


def markdown_text(text: object) -> str:
    """The text in one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>#|~$])", r"\\\1", one_line(text))


def render(template: str, values: Mapping[str, object]) -> str:
    """Fill a template.

    Raises:
        TemplateUseError: it cannot be read or filled, or writes more than MAX_OUTPUT_CHARS.
    """
    written, size = [], 0
    try:
        for piece in _compiled(template).generate(dict(values)):
            size += len(piece)
            if size > MAX_OUTPUT_CHARS:
                raise TemplateUseError(f"A template writes more than {MAX_OUTPUT_CHARS} characters. Shorten it.")
            written.append(piece)
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise TemplateUseError(f"The template {template[:60]!r} cannot be filled: {error}.") from error
    return "".join(written).strip()


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    """The template, checked, with a bound on every loop."""
    tree = _checked(template)
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, "_items", [], [], None, None, lineno=loop.lineno)
    return _SANDBOX.from_string(tree)


def _checked(template: str) -> nodes.Template:
    """The syntax tree of a template. Raises TemplateUseError, as ``uses``."""
    try:
        tree = _SANDBOX.parse(template)
        _SANDBOX.from_string(template)  # finds unknown filters and tests
    except TemplateError as error:
        raise TemplateUseError(f"The template {template[:60]!r} cannot be read: {error}.") from error
    if (found := next(iter(tree.find_all(_FORBIDDEN)), None)) is not None:
        raise TemplateUseError(f"The template {template[:60]!r} must not use {type(found).__name__.lower()}.")
    if any(loop.recursive for loop in tree.find_all(nodes.For)) or _loop_depth(tree) > MAX_LOOP_DEPTH:
        raise TemplateUseError(
            f"The template {template[:60]!r} has more than {MAX_LOOP_DEPTH} loops inside each other."
        )
    return tree


def _loop_depth(node: nodes.Node) -> int:
    inner = max((_loop_depth(child) for child in node.iter_child_nodes()), default=0)
    return inner + isinstance(node, nodes.For)


def truth(condition: str, values: Mapping[str, object]) -> bool:
    """Whether a condition holds.

    Raises:
        TemplateUseError: as ``render``.
    """
    return render(f"{{% if {condition} %}}1{{% endif %}}", values) == "1"


def uses(template: str) -> list[Use]:
    """The variables that a template reads, in order.

    Raises:
        TemplateUseError: it cannot be read, or uses what is forbidden: imports, macros, joining by ~, blocks as values,
            more than MAX_LOOP_DEPTH loops inside each other, recursive loops.
    """
    tree = _checked(template)
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"} | {"loop"}
    found: list[Use] = []
    _collect(tree, own, found, is_guarded=False)
    return found


def _collect(node: nodes.Node, own: set[str], found: list[Use], *, is_guarded: bool) -> None:
    guarded = is_guarded or (
        (isinstance(node, nodes.Filter) and node.name in ("default", "d"))
        or (isinstance(node, nodes.Test) and node.name in ("defined", "undefined"))
    )
    if isinstance(node, nodes.Getattr | nodes.Getitem) and isinstance(node.node, nodes.Name):
        if node.node.name not in own:
            found.append(Use(node.node.name, _attribute(node), guarded))
        if isinstance(node, nodes.Getitem):
            _collect(node.arg, own, found, is_guarded=guarded)
        return
    if isinstance(node, nodes.Name):
        if node.ctx == "load" and node.name not in own:
            found.append(Use(node.name, "", guarded))
        return
    for child in node.iter_child_nodes():
        _collect(child, own, found, is_guarded=guarded)


def _attribute(node: nodes.Getattr | nodes.Getitem) -> str:
    if isinstance(node, nodes.Getattr):
        return str(node.attr)
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else ""


# What reaches other files, and what can double a text with every use.
_FORBIDDEN = (
    *(nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block, nodes.Macro, nodes.CallBlock),
    *(nodes.Concat, nodes.AssignBlock, nodes.FilterBlock),
)
_SANDBOX = _environment()
