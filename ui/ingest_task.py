"""The ingest as a task of the server: with the embedder that is loaded already, and the notebook renewed at its end."""

from ui.desk import Desk
from ui.tasks import Report

NAME = "ingest"


def start(at: Desk) -> None:
    """Make the index hold exactly the sources of the desk; without effect while an ingest runs."""
    paths = at.sources.paths()

    def work(report: Report) -> object:
        from ingest import ingest

        before = at.library.opened
        made = ingest(
            paths,
            at.index,
            settings=at.settings,
            embedder=before.embedder if before is not None else None,
            progress=report,
        )
        at.library.retry()
        at.library.refresh()
        return made

    at.tasks.start(NAME, work)
