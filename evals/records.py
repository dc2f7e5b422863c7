"""The nouns as plain JSON values and back, checked on the way in; the fields of the dataclasses are the schema."""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rag.errors import UsageError

Plain = dict[str, object]
Noun = TypeVar("Noun")
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}  # building one takes milliseconds, using one microseconds


def to_plain(value: object) -> Plain:
    """A dataclass as JSON values."""
    row: Plain = _adapter(type(value)).dump_python(value, mode="json")
    return row


def from_plain(noun: type[Noun], row: object, where: str) -> Noun:
    """The inverse of ``to_plain``. Raises UsageError that names ``where`` and the first wrong field."""
    try:
        value: Noun = _adapter(noun).validate_python(row)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{where}: {field}: {first['msg']}. It was written by another version; make it again."
        ) from error
    return value


def _adapter(noun: type[Any]) -> TypeAdapter[Any]:
    if noun not in _ADAPTERS:
        _ADAPTERS[noun] = TypeAdapter(noun)
    return _ADAPTERS[noun]
