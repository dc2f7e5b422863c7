"""Options that several commands have, with one meaning everywhere, and the exit codes."""

from pathlib import Path
from typing import Annotated

import typer

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_INTERRUPTED = 130
DEFAULT_INDEX = Path(".mingbai/index")

Question = Annotated[str, typer.Argument(help="The question, in Chinese or English.")]
Index = Annotated[Path, typer.Option("--index", help="The folder of the index.", envvar="MINGBAI_INDEX")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
Trace = Annotated[bool, typer.Option("--trace", help="Also print every step with its seconds.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="A setting for this call, such as retrieval.k=8.", metavar="KEY=VALUE")
]
