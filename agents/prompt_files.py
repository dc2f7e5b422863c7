"""Prompts of the agents are files: ``<package>/prompts/<name>.<language>.md``, sections split by a line of ``=``.

The first section is the system text, the others are user texts. ``{name}`` placeholders are filled in one pass, so
nothing inside a value is ever taken for a placeholder, and values are defused: they cannot imitate a chat template.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

from rag.prompting import defuse
from rag.types import Message, Role

_DIVIDER = "\n=====\n"
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@cache
def sections(package: str, name: str, language: str) -> tuple[str, ...]:
    """The sections of a prompt file. ``language`` is "zh" or "en"."""
    file = resources.files(package).joinpath("prompts", f"{name}.{language}.md")
    return tuple(section.strip() for section in file.read_text(encoding="utf-8").split(_DIVIDER))


def prompt_hash(package: str, name: str, language: str) -> str:
    """The first 16 hex digits of the sha256 of a prompt file's content."""
    return hashlib.sha256("\0".join(sections(package, name, language)).encode()).hexdigest()[:16]


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with its placeholders replaced by defused values.

    Raises:
        KeyError: a placeholder has no value.
    """
    return _PLACEHOLDER.sub(lambda match: defuse(values[match.group(1)]), text)


def messages(
    package: str, name: str, language: str, values: Mapping[str, str], *, section: int = 1
) -> tuple[Message, ...]:
    """The system text and one user text of a prompt file, filled."""
    parts = sections(package, name, language)
    return Message(Role.SYSTEM, fill(parts[0], values)), Message(Role.USER, fill(parts[section], values))
