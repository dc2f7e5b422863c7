"""How results look in a terminal: progress, answers, passages, reports. Results go to stdout, the rest to stderr."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from rag import phrases
from rag.errors import UsageError
from rag.settings import Settings, load
from rag.text import detect_language
from rag.types import Answer, Checked, Mode, Passage, Stage

if TYPE_CHECKING:
    from ingest.report import IngestReport
    from rag.notebook import LegName, ModeName, Notebook
    from ui.doctor import Finding

_STAGES = {
    "wait": "waiting for another ingest",
    "read": "reading files",
    "index": "building the lexical index",
    "embed": "embedding passages",
    "search": "searching",
    "judge": "checking whether the notes hold the answer",
    "write": "writing",
    "check": "checking against the notes",
}
_QUOTE_CHARS = 80
_PASSAGE_CHARS = 160

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def complain(error: object) -> None:
    """Print an error."""
    err.print(Text.assemble(("error: ", "bold red"), str(error)))


def settings(overrides: Sequence[str] | None) -> Settings:
    """The settings with ``KEY=VALUE`` overrides of the command line.

    Raises:
        SettingsError: unknown key or bad value.
        UsageError: an override without "=".
    """
    pairs: dict[str, object] = {}
    for override in overrides or ():
        key, equals, value = override.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, got '{override}'. Example: --set retrieval.k=8")
        pairs[key.strip()] = _value(value.strip())
    return load(pairs)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def mode_name(text: str) -> "ModeName":
    """Check a mode given by a person.

    Raises:
        UsageError: it is none of rcg, rag, rog.
    """
    return cast("ModeName", _one_of("--mode", text, [mode.value for mode in Mode]))


def leg_name(text: str) -> "LegName":
    """Check a leg given by a person.

    Raises:
        UsageError: there is no such leg.
    """
    from rag.notebook import LegName

    return cast("LegName", _one_of("--leg", text, get_args(LegName)))


def _one_of(option: str, text: str, known: Sequence[str]) -> str:
    if text not in known:
        raise UsageError(f"{option} is one of {', '.join(known)}; got '{text}'.")
    return text


@contextmanager
def open_notebook(index: Path, overrides: Sequence[str] | None) -> "Iterator[Notebook]":
    """Open a notebook and close it at the end."""
    from rag.notebook import Notebook

    with Notebook(index, settings(overrides)) as notebook:
        yield notebook


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar with an estimate, fed with (stage, done, total)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=quiet, transient=True) as bar:
        tasks = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(_STAGES.get(stage, stage), total=max(total, 1))
            bar.update(tasks[stage], completed=done if total else 1, total=max(total, 1))

        yield update


def ask(notebook: "Notebook", question: str, mode: "ModeName", *, as_json: bool, trace: bool) -> Answer:
    """Stream an answer to the terminal, sentence by sentence as they are checked, and return it."""
    language = detect_language(question)
    shown = False
    with err.status("", spinner="dots") as status:
        stream = notebook.stream(question, mode)
        try:
            for event in stream:
                if isinstance(event, Stage):
                    status.update(_STAGES[event.name])
                elif isinstance(event, Checked) and not as_json:
                    before = "" if shown else phrases.preface(Mode(mode), language)
                    out.print(Text(before + phrases.marked(Mode(mode), language, event.sentence)), end="")
                    shown = True
        except KeyboardInterrupt:
            stream.cancel()
            raise
        answer = stream.result
    if as_json:
        out.print_json(json.dumps(answer.to_dict(), ensure_ascii=False))
    else:
        out.print("" if shown else Text(answer.text))
        show_sources(answer, trace=trace)
    return answer


def show_sources(answer: Answer, *, trace: bool) -> None:
    """Print what an answer cites, its notices and how long it took."""
    citations = {(c.marker, c.start): c for s in answer.sentences for c in s.citations}
    if citations:
        out.print()
    for (marker, _), c in sorted(citations.items()):
        quote = " ".join(c.quote.split())[:_QUOTE_CHARS]
        out.print(
            Text.assemble((f"[{marker}] ", "bold cyan"), f"{c.file}:{c.line_start} {c.entry} ", (f"“{quote}”", "dim"))
        )
    for notice in answer.notices:
        err.print(Text(notice, style="yellow"))
    first = answer.timings.get("first_token")
    timing = f"{answer.mode} · {answer.state} · {answer.timings['total']:.1f} s"
    err.print(Text(timing + (f", first token {first:.1f} s" if first else ""), style="dim"))
    if trace:
        for span in answer.trace:
            err.print(Text(f"{span.name} {span.seconds:.2f} s {dict(span.notes)}", style="dim"))


def show_passages(passages: Sequence[Passage], *, as_json: bool) -> None:
    """Print found passages."""
    if as_json:
        from dataclasses import asdict

        out.print_json(json.dumps({"passages": [asdict(p) for p in passages]}, ensure_ascii=False))
        return
    for p in passages:
        found = ", ".join(f"{leg} {rank}" for leg, rank in p.found_by.items())
        head = Text.assemble(
            (f"[{p.rank}] ", "bold cyan"),
            f"{p.file}:{p.line_start}-{p.line_end} {p.entry} ",
            (f"{p.score:.3f} ({found})", "dim"),
        )
        out.print(head)
        out.print(Text("    " + " ".join(p.text.split())[:_PASSAGE_CHARS]))


def show_ingest(report: "IngestReport", *, as_json: bool) -> None:
    """Print what an ingest did."""
    if as_json:
        out.print_json(json.dumps(report.to_dict(), ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("file", "status", "documents", "entries", "chunks", "reason"):
        table.add_column(column, justify="right" if column in ("documents", "entries", "chunks") else "left")
    for file in report.files:
        table.add_row(file.file, file.status, str(file.documents), str(file.entries), str(file.chunks), file.reason)
    if report.changed or report.failed:
        err.print(table)
    state = "rebuilt" if report.changed else "unchanged"
    err.print(
        f"index {state}: {report.entries} entries, {report.chunks} chunks ({report.merged} duplicates merged, "
        f"{report.embedded} embedded) in {report.seconds['total']:.1f} s"
    )


def show_findings(findings: "Sequence[Finding]", *, as_json: bool) -> bool:
    """Print what the doctor found; True when nothing is wrong."""
    if as_json:
        out.print_json(
            json.dumps([dict(cast("Mapping[str, object]", f.to_dict())) for f in findings], ensure_ascii=False)
        )
    else:
        for finding in findings:
            mark = ("ok  ", "green") if finding.healthy else ("!!  ", "bold red")
            out.print(Text.assemble(mark, f"{finding.name}: {finding.message}"))
    return all(finding.healthy for finding in findings)
