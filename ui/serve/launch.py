"""Run the server. The adapter of uvicorn."""

import logging
from collections.abc import Sequence
from socket import AddressFamily, create_server, socket

import uvicorn

from rag.errors import UsageError
from rag.notebook import Notebook
from ui.serve.app import create_app
from ui.serve.gate import Gate
from ui.serve.guard import Access

DEFAULT_PORT = 8502
# Requests that were cancelled because the server stops get so long to say so.
_GRACE_SECONDS = 3
_BACKLOG = 128


class Server(uvicorn.Server):
    """A server that tells its running requests to end before it waits for them."""

    def __init__(self, config: uvicorn.Config, gate: Gate) -> None:
        super().__init__(config)
        self._gate = gate

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serve until it is told to stop.

        Raises:
            UsageError: the address cannot be listened on.
        """
        super().run(sockets or [_listen(self.config.host, self.config.port)])

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Cancel what runs, then stop."""
        self._gate.close()
        await super().shutdown(sockets)


def make_server(notebook: Notebook, access: Access, port: int) -> Server:
    """A server that is ready to run. It believes no proxy about who its client is."""
    app = create_app(notebook, access)
    config = uvicorn.Config(
        app,
        host=access.host,
        port=port,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return Server(config, app.state.serving.gate)


def _listen(host: str, port: int) -> socket:
    family = AddressFamily.AF_INET6 if ":" in host else AddressFamily.AF_INET
    try:
        return create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"{host} cannot be listened on at port {port}: {error.strerror}. Choose another --port or --host."
        ) from error


def addresses(access: Access, port: int) -> Sequence[str]:
    """Where the server can be reached, for people."""
    host = f"[{access.host}]" if ":" in access.host else access.host
    return [f"http://{host}:{port}/v1", f"http://{host}:{port}/docs"]
