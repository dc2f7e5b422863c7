"""The catalogue of models: what each is, its licence, the hash of every file, and where to get it.

``models.toml`` beside this module comes with Mingbai; a second file of the same form in the user's
configuration folder (``MINGBAI_CATALOGUE`` names another) holds what ``add`` registers. Ids are unique
over both. Every file of every model has its sha256 here: bytes with another hash are never loaded.
"""

import json
import os
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path

import platformdirs
from pydantic import TypeAdapter, ValidationError

from rag.errors import SettingsError, UnknownModelError, UsageError
from rag.manifest import file_sha256, write_atomically
from rag.model_card import Kind, LocalSource, ModelCard, ModelFile

CATALOGUE_VARIABLE = "MINGBAI_CATALOGUE"
GGUF_MAGIC = b"GGUF"

_PACKAGED = Path(__file__).with_name("models.toml")


_CARD: TypeAdapter[ModelCard] = TypeAdapter(ModelCard)


def user_file() -> Path:
    """Where the user's own models are registered; it need not exist."""
    if named := os.environ.get(CATALOGUE_VARIABLE):
        return Path(named)
    return Path(platformdirs.user_config_dir("mingbai")) / "models.toml"


def all_models() -> tuple[ModelCard, ...]:
    """Every model, those of the package first, in the order of the files.

    Raises:
        SettingsError: the user's catalogue cannot be read, or an id is there twice.
    """
    packaged = _load(_PACKAGED)
    own = _load(user_file())
    known = {card.id for card in packaged}
    for card in own:
        if card.id in known:
            raise SettingsError(f"{user_file()} names '{card.id}', which comes with Mingbai. Choose another id there.")
    return packaged + own


def find(model_id: str) -> ModelCard:
    """The card of a model.

    Raises:
        UnknownModelError: no such id; names the nearest one.
        SettingsError: the user's catalogue cannot be read.
    """
    cards = {card.id: card for card in all_models()}
    if model_id not in cards:
        near = get_close_matches(model_id, cards, n=1, cutoff=0.0)[0]
        raise UnknownModelError(
            f"There is no model '{model_id}'. The nearest is '{near}'. Run: mingbai models list"
            " (or register a file of your own: mingbai models add PATH)"
        )
    return cards[model_id]


def add(path: Path, *, model_id: str = "", kind: Kind = Kind.GENERATOR, licence: str = "not stated") -> ModelCard:
    """Register a local GGUF by its path and allow its bytes as they are now. The file stays where it is.

    Raises:
        UsageError: not a GGUF file, or the id is taken or not usable.
        StorageError: the user's catalogue cannot be written.
    """
    path = path.expanduser().absolute()
    _check_gguf(path)
    chosen = model_id or re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("._-")
    if chosen in {card.id for card in all_models()}:
        raise UsageError(f"There is already a model '{chosen}'. Choose another with --id, or edit {user_file()}.")
    try:
        file = ModelFile(f"{chosen}.gguf", path.stat().st_size, file_sha256(path))
        card = ModelCard(chosen, kind, "gguf", licence, (file,), (LocalSource("local", path),))
        entry = _toml(card, path)
        entry.encode("utf-8")  # a path that is no Unicode cannot stand in a TOML file
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be registered as '{chosen}': {error}. Choose --id or --kind.") from error
    own = user_file()
    own.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(own, (own.read_text(encoding="utf-8") + "\n" if own.exists() else "") + entry)
    return card


def _check_gguf(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            magic = stream.read(len(GGUF_MAGIC))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. Give the path of a .gguf file.") from error
    if magic != GGUF_MAGIC:
        raise UsageError(f"{path} is not a GGUF file (it begins with {magic!r}). Give the path of a .gguf file.")


def _load(file: Path) -> tuple[ModelCard, ...]:
    if not file.exists():
        return ()
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8")).get("models", {})
        return tuple(_CARD.validate_python({"id": key, **table}) for key, table in tables.items())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, AttributeError, LookupError) as error:
        raise SettingsError(f"The catalogue {file} cannot be read: {error}. Fix it or remove it.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"The catalogue {file}: {where} {first['msg']}. Fix it or remove the entry.") from error


def _toml(card: ModelCard, path: Path) -> str:
    file = card.files[0]
    return (
        f"[models.{_quote(card.id)}]\n"
        f'kind = "{card.kind}"\nlayout = "{card.layout}"\nlicence = {_quote(card.licence)}\n'
        f'files = [{{ name = {_quote(file.name)}, size = {file.size}, sha256 = "{file.sha256}" }}]\n'
        f'sources = [{{ type = "local", path = {_quote(str(path))} }}]\n'
    )


def _quote(text: str) -> str:
    """A TOML basic string: JSON's escapes fit, but surrogate pairs are not allowed and DEL must be escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
