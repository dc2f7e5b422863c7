"""JSON schema → GBNF, the grammar language of llama.cpp. Strict: what cannot be enforced is refused.

The grammar writes compact JSON in one fixed layout (``{"a": 1, "b": [2, 3]}``), keys in the order of
the schema, no control characters inside strings; ``json.loads`` accepts every output. Constraining
costs time per token, so schemas should be short verdicts.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rag.errors import EngineError

Schema = Mapping[str, Any]

# Longer counted repetitions make llama.cpp's grammar explode.
_MAX_COUNT = 256
_NOTES = {"$schema", "$id", "$defs", "definitions", "$comment", "title", "description", "default", "examples"}
_PRIMITIVES = {
    "null": '"null"',
    "boolean": '"true" | "false"',
    "number": '"-"? natural ("." [0-9]+)? ([eE] [-+]? [0-9]+)?',
    "integer": '"-"? natural',
    "string": '"\\"" char* "\\""',
}
_SHARED = (
    'natural ::= "0" | [1-9] [0-9]{0,17}\n'
    'char ::= [^"\\\\\\x00-\\x1F\\x7F] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})\n'
)
_KEYWORDS = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"minLength", "maxLength"},
    "integer": {"minimum", "maximum"},
}


def grammar_for(schema: str) -> str:
    """Convert a JSON schema, given as JSON text, to a GBNF grammar whose root rule is ``root``.

    Raises:
        EngineError: not JSON, or a keyword that this grammar could not enforce.
    """
    try:
        tree = json.loads(schema)
    except ValueError as error:
        raise EngineError(f"The JSON schema is not JSON: {error}. Pass the schema as JSON text.") from error
    if not isinstance(tree, dict):
        raise EngineError(f"The JSON schema is {type(tree).__name__}, not an object. Pass a schema object.")
    return _Grammar(tree).text()


class _Grammar:
    """Collects rules while it walks the schema; a rule's name is made of numbers only, so nothing collides."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._rules: dict[str, str] = {}
        self._references: dict[str, str] = {}

    def text(self) -> str:
        """The whole grammar."""
        name = self._visit(self._root, "$")
        return f"root ::= {name}\n" + "".join(f"{rule} ::= {body}\n" for rule, body in self._rules.items()) + _SHARED

    def _rule(self, body: str) -> str:
        name = f"r{len(self._rules)}"
        self._rules[name] = body
        return name

    def _visit(self, schema: object, path: str) -> str:
        if not isinstance(schema, Mapping):
            raise _refusal(path, f"a schema must be an object, not {schema!r}")
        for keyword in ("$ref", "const", "enum", "anyOf", "oneOf"):
            if keyword in schema:
                _check_keywords(schema, {keyword, "type"}, path)
                return self._special(keyword, schema[keyword], path)
        kind = schema.get("type")
        if isinstance(kind, list) and kind:
            return self._any([_of_type(schema, one) for one in kind], path)
        return self._typed(schema, kind, path)

    def _special(self, keyword: str, value: Any, path: str) -> str:  # noqa: ANN401
        if keyword == "$ref":
            return self._reference(value, path)
        if keyword == "const":
            return self._rule(_literal(value))
        if not isinstance(value, list) or not value:
            raise _refusal(path, f"'{keyword}' must be a list with at least one item")
        return self._rule(" | ".join(map(_literal, value))) if keyword == "enum" else self._any(value, path)

    def _any(self, schemas: Sequence[object], path: str) -> str:
        return self._rule(" | ".join(self._visit(one, f"{path}|{i}") for i, one in enumerate(schemas)))

    def _reference(self, reference: object, path: str) -> str:
        if not isinstance(reference, str) or not reference.startswith(("#/$defs/", "#/definitions/")):
            raise _refusal(path, f"'$ref' must point into $defs, not to {reference!r}")
        if reference not in self._references:
            _, section, name = reference.split("/", 2)
            if name not in self._root.get(section, {}):
                raise _refusal(path, f"'$ref' points to {reference!r}, which is not there")
            # Named before it is visited, so that a definition may refer to itself.
            self._references[reference] = rule = f"d{len(self._references)}"
            self._rules[rule] = self._visit(self._root[section][name], reference)
        return self._references[reference]

    def _typed(self, schema: Schema, kind: object, path: str) -> str:
        if not isinstance(kind, str) or kind not in {"object", "array", *_PRIMITIVES}:
            raise _refusal(path, f"type {kind!r} is not supported")
        _check_keywords(schema, {"type", *_KEYWORDS.get(kind, set())}, path)
        if kind == "object":
            return self._object(schema, path)
        if kind == "array":
            return self._array(schema, path)
        if kind == "integer" and ("minimum" in schema or "maximum" in schema):
            return self._range(schema, path)
        if kind == "string" and ("minLength" in schema or "maxLength" in schema):
            low, high = _bounds(schema, "minLength", "maxLength", path)
            return self._rule(f'"\\"" char{{{low},{_most(high)}}} "\\""')
        return self._rule(_PRIMITIVES[kind])

    def _object(self, schema: Schema, path: str) -> str:
        properties, required = schema.get("properties"), set(schema.get("required", ()))
        if not isinstance(properties, Mapping) or not properties:
            raise _refusal(path, "an object needs 'properties'")
        if schema.get("additionalProperties", False) is not False:
            raise _refusal(path, "'additionalProperties' can only be false")
        if unknown := required - set(properties):
            raise _refusal(path, f"'required' names {sorted(unknown)}, which are not in 'properties'")
        # Two chains of rules, built from the last property back: before the first written one and after it.
        first = rest = '""'
        for name, value in reversed(list(properties.items())):
            pair = f"{_literal(name)} {_quote(': ')} {self._visit(value, f'{path}.{name}')}"
            with_first, with_rest = f"{pair} {rest}", f'", " {pair} {rest}'
            is_required = name in required
            first, rest = (
                self._rule(body if is_required else f"{body} | {skipped}")
                for body, skipped in ((with_first, first), (with_rest, rest))
            )
        return self._rule(f'"{{" {first} "}}"')

    def _array(self, schema: Schema, path: str) -> str:
        item = self._visit(schema.get("items"), f"{path}[]")
        low, high = _bounds(schema, "minItems", "maxItems", path)
        if high == 0:
            return self._rule('"[]"')
        more = f"{{{max(0, low - 1)},{_most(high, less=1)}}}"
        body = f'{item} (", " {item}){more}'
        return self._rule(f'"[" {body} "]"' if low else f'"[" ({body})? "]"')

    def _range(self, schema: Schema, path: str) -> str:
        low, high = schema.get("minimum"), schema.get("maximum")
        if not isinstance(low, int) or not isinstance(high, int) or not 0 <= high - low < _MAX_COUNT:
            raise _refusal(path, f"an integer needs no bounds or both, at most {_MAX_COUNT} apart, not {low}..{high}")
        return self._rule(" | ".join(f'"{number}"' for number in range(low, high + 1)))


def _of_type(schema: Schema, kind: str) -> Schema:
    """The schema of one of several types, without the keywords that bind only the other types."""
    foreign = set().union(*_KEYWORDS.values()) - _KEYWORDS.get(kind, set())
    return {**{key: value for key, value in schema.items() if key not in foreign}, "type": kind}


def _bounds(schema: Schema, lower: str, upper: str, path: str) -> tuple[int, int | None]:
    low, high = schema.get(lower, 0), schema.get(upper)
    counts = [low] if high is None else [low, high]
    if not all(isinstance(count, int) and 0 <= count <= _MAX_COUNT for count in counts) or counts != sorted(counts):
        raise _refusal(path, f"'{lower}' {low!r} and '{upper}' {high!r} must be whole numbers up to {_MAX_COUNT}")
    return low, high


def _most(high: int | None, *, less: int = 0) -> str:
    return "" if high is None else str(high - less)


def _check_keywords(schema: Schema, allowed: set[str], path: str) -> None:
    if unknown := set(schema) - allowed - _NOTES:
        raise _refusal(path, f"keyword {sorted(unknown)[0]!r} cannot be enforced")


def _literal(value: object) -> str:
    return _quote(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")))


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _refusal(path: str, reason: str) -> EngineError:
    return EngineError(f"The JSON schema cannot be turned into a grammar at {path}: {reason}. Simplify the schema.")
