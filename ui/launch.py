"""Start the chat page: Streamlit on loopback, or behind a password, without telemetry."""

import os
import subprocess
import sys
from pathlib import Path

from rag.settings import Settings
from ui.password import check_host

APP = Path(__file__).with_name("app.py")
INDEX_VARIABLE = "MINGBAI_INDEX"


def command(settings: Settings, port: int | None = None) -> list[str]:
    """The command that serves the page.

    Raises:
        UsageError: other machines can reach the host, and there is no password.
    """
    check_host(settings.ui.host)
    options = {
        "server.address": settings.ui.host,
        "server.port": str(port or settings.ui.port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.enableXsrfProtection": "true",
        "server.enableCORS": "true",
        "server.maxUploadSize": "64",
        "browser.gatherUsageStats": "false",
        # After every quarter second of an answer it would walk the objects of all libraries: seconds on a busy machine.
        "runner.postScriptGC": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "theme.light.primaryColor": "#0c6760",
        "theme.dark.primaryColor": "#2dd4bf",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags]


def launch(index: Path, settings: Settings, port: int | None = None) -> int:
    """Serve the page until it is interrupted; the exit code of the server."""
    environment = {**os.environ, INDEX_VARIABLE: str(index)}
    try:
        return subprocess.run(command(settings, port), env=environment, check=False).returncode  # noqa: S603 - our own list
    except KeyboardInterrupt:
        return 0
