"""JSON schema to GBNF."""

import json

import pytest

from rag.errors import EngineError
from rag.json_grammar import grammar_for


def grammar(**schema: object) -> str:
    return grammar_for(json.dumps(schema))


def test_an_object_keeps_the_order_of_its_keys():
    text = grammar(
        type="object", properties={"b": {"type": "boolean"}, "a": {"type": "null"}}, required=["a", "b"], title="t"
    )
    assert text.index(r'"\"b\"" ": "') > 0
    assert r'", " "\"b\""' in text
    assert text.startswith("root ::= ")


def test_chinese_constants_are_written_as_they_are():
    assert r'"\"是\"" | "\"否\""' in grammar(enum=["是", "否"])


def test_quotes_and_backslashes_of_constants_are_escaped_for_json_and_for_the_grammar():
    assert r'"\"a\\\"b\\\\c\\n\""' in grammar(const='a"b\\c\n')


def test_small_integer_ranges_become_alternatives():
    assert '"1" | "2" | "3"' in grammar(type="integer", minimum=1, maximum=3)


def test_lengths_are_counted():
    assert "char{2,5}" in grammar(type="string", minLength=2, maxLength=5)
    assert "char{0,5}" in grammar(type=["string", "null"], maxLength=5)


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ({"type": "string", "pattern": "a"}, "pattern"),
        ({"type": "string", "maxLength": 5000}, "maxLength"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "minLength"),
        ({"type": "integer", "minimum": 3}, "bounds"),
        ({"type": "integer", "minimum": 0, "maximum": 10**6}, "bounds"),
        ({"type": "object"}, "properties"),
        ({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["b"]}, r"\['b'\]"),
        ({"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": True}, "additional"),
        ({"type": "object", "properties": {"a": {"format": "date", "type": "string"}}}, r"\$\.a: keyword 'format'"),
        ({"type": "array"}, "schema must be an object"),
        ({"allOf": [{"type": "string"}]}, "type None"),
        ({"anyOf": []}, "at least one"),
        ({"$ref": "https://example.org/s.json"}, "defs"),
        ({"$ref": "#/$defs/missing"}, "not there"),
        ({"type": "tuple"}, "tuple"),
        ({}, "type None"),
    ],
)
def test_what_cannot_be_enforced_is_refused(schema, where):
    with pytest.raises(EngineError, match=where):
        grammar_for(json.dumps(schema))


@pytest.mark.parametrize("text", ["{", "[]", '"string"', ""])
def test_a_schema_must_be_a_json_object(text):
    with pytest.raises(EngineError, match="The JSON schema is"):
        grammar_for(text)
