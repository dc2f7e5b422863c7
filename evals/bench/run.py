"""Which rows there are, and how they are run one by one."""

from collections.abc import Callable, Mapping, Sequence

from evals.bench import engine_rows, passage_rows, product, search_rows
from evals.bench.figures import Figure, Ledger, Row
from evals.bench.scene import Scene
from evals.bench.side_by_side import side_by_side
from rag.errors import UsageError

ROWS: Mapping[str, Callable[[Scene], list[Figure]]] = {
    "decode": engine_rows.decode,
    "prefill": engine_rows.prefill,
    "overhead": engine_rows.overhead,
    "follow-up": engine_rows.follow_up,
    "passages": passage_rows.passages,
    "grading": engine_rows.grading,
    "users": engine_rows.users,
    "lexical": search_rows.lexical,
    "large-search": search_rows.large_search,
    "embedding": search_rows.embedding,
    "ingest": product.ingests,
    "search": product.searches,
    "answers": product.answers,
    "memory": product.memory,
    "side-by-side": side_by_side,
}


def measure(
    names: Sequence[str], ledger: Ledger, scene_of: Callable[[], Scene], say: Callable[[str], None]
) -> list[Row]:
    """Run the named rows that the ledger does not hold yet, write each down, and return all of the ledger.

    Raises:
        UsageError: there is no row of that name.
    """
    if unknown := [name for name in names if name not in ROWS]:
        raise UsageError(f"There is no row {unknown[0]!r}. The rows are: {', '.join(ROWS)}.")
    missing = [name for name in names if name not in ledger.rows]
    if missing:
        scene = scene_of()
        try:
            for name in missing:
                say(name)
                ledger.keep(Row.now(name, ROWS[name](scene)))
        finally:
            scene.close()
    return [ledger.rows[name] for name in ROWS if name in ledger.rows]
