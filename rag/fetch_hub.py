"""Models from a model hub, through huggingface_hub (``HF_ENDPOINT`` and ``HF_TOKEN`` are honoured).

The catalogue names a commit and the hash of every file; what the hub says about its files is not used.
"""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rag.errors import DownloadError, ModelHashError
from rag.fetch_index import Progress, ticker
from rag.model_card import HubSource, ModelCard
from rag.model_stamp import Tick, hash_file

# A hub that does not answer a question about a repository in this time would take hours for the weights.
_PROBE_SECONDS = 6.0


class DownloadFiles(Protocol):
    """Brings files of one commit of a hub repository."""

    def __call__(self, source: HubSource, names: Sequence[str], folder: Path, tick: Tick) -> None:
        """Download ``names`` into ``folder``, resuming what is half there. Raises DownloadError with the reason."""


def hub_download(source: HubSource, names: Sequence[str], folder: Path, tick: Tick) -> None:
    """Let huggingface_hub download files of one commit."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub
    from huggingface_hub import errors

    # Which HTTP library it uses, and whether it has its own transfer error, differs between releases.
    network = tuple(getattr(errors, name, OSError) for name in ("HTTPError", "XetDownloadError"))
    try:
        # Fails at once without a network, where the download itself would try again for 20 seconds.
        huggingface_hub.HfApi().model_info(source.repo, revision=source.revision, timeout=_PROBE_SECONDS)
        for name in names:
            huggingface_hub.hf_hub_download(
                source.repo, name, revision=source.revision, local_dir=folder, tqdm_class=_bar(tick)
            )
    except errors.GatedRepoError as error:
        reason = f"{source.repo} is open only to those who accepted its terms there; do so and set HF_TOKEN"
        raise DownloadError(reason) from error
    except (OSError, ValueError, RuntimeError, errors.EntryNotFoundError, *network) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DownloadError(lines[0]) from error


def fetch_hub(card: ModelCard, source: HubSource, work: Path, *, download: DownloadFiles, progress: Progress) -> Path:
    """Bring a model into ``work`` and check it. Returns the finished file or folder.

    Raises DownloadError where the hub cannot deliver, ModelHashError (the wrong file removed) where it
    delivers something else.
    """
    folder = work / "hub"
    folder.mkdir(exist_ok=True)
    wanted = {source.file or file.name: file for file in card.files}
    download(source, list(wanted), folder, ticker("downloading", card.size, progress))
    tick = ticker("checking", card.size, progress)
    for name, file in wanted.items():
        actual = hash_file(folder / name, tick)
        if actual != file.sha256:
            (folder / name).unlink()
            raise ModelHashError(f"'{name}' of {source.repo} has the sha256 {actual}, not {file.sha256}")
    if card.layout == "gguf":
        return folder / next(iter(wanted))
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # huggingface_hub's notes about half-done downloads
    return folder


def _bar(tick: Tick) -> type:
    """A tqdm class that shows nothing and passes the bytes on."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **{**options, "disable": True})
            tick(int(self.n))

        def update(self, n: float | None = 1) -> None:
            tick(int(n or 0))

    return Bar
