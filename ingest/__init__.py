"""From files to an index: find, read, chunk, merge duplicates, embed, write one snapshot.

from ingest import ingest
report = ingest(["notes"], ".mingbai/index")
"""

from ingest.pipeline import ingest
from ingest.report import FileReport, FileStatus, IngestReport

__all__ = ["FileReport", "FileStatus", "IngestReport", "ingest"]
