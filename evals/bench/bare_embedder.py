"""sentence-transformers with its defaults: a child process that embeds texts and says how long that took.

The yardstick of the ingest row, run as ``python bare_embedder.py FOLDER``.
"""

import json
import sys
import time

from sentence_transformers import SentenceTransformer


def main() -> None:
    """Load, say so, then answer one JSON line with one JSON line."""
    model = SentenceTransformer(sys.argv[1], local_files_only=True)
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    for line in sys.stdin:
        texts = json.loads(line)
        started = time.perf_counter()
        model.encode(texts, show_progress_bar=False)
        sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
