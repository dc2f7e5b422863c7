"""``mingbai serve`` and ``mingbai mcp``: the notes for other programs."""

import os
from importlib.util import find_spec
from typing import Annotated

import typer

from rag.errors import UsageError
from ui import terminal
from ui.cli_options import DEFAULT_INDEX, Index, Overrides

_NEEDED = ("fastapi", "fastapi_offline", "mcp", "prometheus_client", "uvicorn")

Hosts = Annotated[list[str] | None, typer.Option("--allow-host", help="A name by which clients call this server.")]


def serve(
    index: Index = DEFAULT_INDEX,
    *,
    host: Annotated[str, typer.Option(help="The address to listen on; beyond loopback it needs a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8502,
    allow_host: Hosts = None,
    overrides: Overrides = None,
) -> None:
    """Serve the models and the notes to other programs: an OpenAI-compatible API.

    The environment variable MINGBAI_API_KEY holds the key, or sha256: and its hash. The language model runs in a
    process of its own, which is started again when native code crashes (engine.isolated).
    """
    _need_extra()
    from ui.serve.guard import KEY_VARIABLE, access
    from ui.serve.launch import addresses, make_server

    rules = access(host, os.environ.get(KEY_VARIABLE, ""), allow_host or ())
    with terminal.open_notebook(index, ["engine.isolated=true", *(overrides or ())]) as notebook:
        # Models that are not there end the command here, with the command that gets them.
        terminal.err.print(f"{notebook.generator.model_id} and {notebook.embedder.model_id}, loading")
        for address in addresses(rules, port):
            terminal.err.print(address)
        make_server(notebook, rules, port).run()


def mcp(index: Index = DEFAULT_INDEX, *, overrides: Overrides = None) -> None:
    """Serve the notes as tools over standard input and output: search, ask, open_entry (Model Context Protocol)."""
    _need_extra()
    from ui.mcp import make_server

    with terminal.open_notebook(index, overrides) as notebook:
        make_server(notebook).run("stdio")


def _need_extra() -> None:
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise UsageError(f"{missing[0]} is not installed. Run: pip install 'mingbai[serve]' (or make install)")
