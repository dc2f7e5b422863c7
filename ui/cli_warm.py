"""``mingbai ingest --warm``: the states of all passages, computed ahead, with size and time before and after."""

import time
from contextlib import closing
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rag import build, catalogue, model_store
from rag.errors import UsageError
from rag.gguf import kv_bytes
from rag.index import open_index
from rag.settings import Settings
from rag.warming import Plan, plan, warm
from ui.terminal import err

_MB = 1_000_000


def check(settings: Settings) -> None:
    """Refuse what could keep nothing.

    Raises:
        UsageError: states are not kept on disk, or the model is somewhere else.
    """
    if settings.endpoint.url:
        raise UsageError("--warm is for the model on this machine; settings name an endpoint. Unset endpoint.url.")
    if not settings.engine.disk_cache_mb:
        raise UsageError(
            "--warm keeps what the model read of your notes on disk, beside the index, and that is off. "
            "Allow it some megabytes: --set engine.disk_cache_mb=4000"
        )


def warm_index(index: Path, settings: Settings, *, quiet: bool) -> None:
    """Compute what is missing. Ctrl-C keeps what is done, and the same command goes on from there."""
    engine = settings.engine
    path = model_store.locate(catalogue.find(settings.models.generator).id)
    budget = engine.disk_cache_mb * _MB
    with build.make_engine(settings) as model, closing(open_index(index, settings)) as opened:
        planned = plan(opened.store.chunks(), model, bytes_per_token=kv_bytes(path, 1, engine.kv_type), budget=budget)
        if not quiet:
            _announce(planned, settings)
        started = time.perf_counter()
        done = 0
        with _bar(quiet=quiet) as bar:
            task = bar.add_task("reading passages ahead", total=max(1, len(planned.prompts)), left="")

            def progress(count: int, left: float) -> None:
                nonlocal done
                done = count
                bar.update(task, completed=count, left=_duration(left))

            try:
                warm(planned, model, progress)
            finally:
                if not quiet:
                    _report(planned, done, time.perf_counter() - started)


def _announce(planned: Plan, settings: Settings) -> None:
    new, allowed = len(planned.prompts), settings.engine.disk_cache_mb
    err.print(
        f"warm: {new + planned.known} passages, {planned.size / _MB:,.0f} of {allowed:,} MB on disk; "
        f"{planned.known} are known, {new} ({planned.tokens:,} tokens) are read now"
    )
    if planned.left_out:
        err.print(f"warm: {planned.left_out} passages do not fit. Allow more: --set engine.disk_cache_mb=…")
    if settings.engine.passage_reuse == "off":
        err.print("warm: answers use them only with engine.passage_reuse = mixed (approximate); it is off")


def _report(planned: Plan, done: int, seconds: float) -> None:
    rest = len(planned.prompts) - done
    err.print(f"warm: {planned.known + done} passages are known, {done} of them read in {_duration(seconds)}")
    if rest:
        err.print(f"warm: stopped, {rest} are left; the same command goes on from here")


def _bar(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TextColumn("left {task.fields[left]}"), console=err, disable=quiet, transient=True)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
