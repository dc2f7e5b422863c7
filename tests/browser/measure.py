"""What the page adds to the engine, in a real browser: first paint, first stage, first token, overhead, memory, tabs.

The models are fakes that write at a fixed pace, so those figures are the page's own; with ``--model`` the page is
also held against the clock of a real engine. Run by ``make bench-ui``:

    python tests/browser/measure.py [--questions 200] [--model ID] [--write docs/page-speed.md]
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import measure_engine
from browsing import Window, browser
from serving import ROOT, served

BEGIN, END = "<!-- bench-ui:begin -->", "<!-- bench-ui:end -->"
QUESTION = "RCG和RAG有什么区别？"
ROUNDS = 5
TABS = 4
# Marks the first moment at which something that fits a selector is on the page, in ms since the question was sent.
_WATCH = """selectors => { window.seen = {}; const start = performance.now(); const look = () => {
    for (const [name, selector] of Object.entries(selectors))
        if (!(name in window.seen) && document.querySelector(selector))
            window.seen[name] = performance.now() - start; };
    window.watching?.disconnect();
    window.watching = new MutationObserver(look);
    window.watching.observe(document.body, {childList: true, subtree: true, characterData: true}); }"""
_STAGES = {
    "stage": ".st-key-mb-last .mb-step",
    "token": ".st-key-mb-last .mb-draft, .st-key-mb-last .mb-sentence",
    "done": ".st-key-mb-last [class*=st-key-mb-drawer]",
}


def main() -> None:
    """Measure, print the table, and write it into a file when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--model", default="", help="a generator of the catalogue that is on this machine")
    parser.add_argument("--write", type=Path, help="a file with a block for the table")
    asked = parser.parse_args()
    rows = []
    with browser() as launched:
        for row in _all(launched, asked.questions, asked.model):
            sys.stderr.write(f"{row[0]}: {row[1]}\n")
            rows.append(row)
    block = _block(rows)
    sys.stdout.write(block)
    if asked.write:
        from evals.report import rewrite_block

        rewrite_block(asked.write, (BEGIN, END), block)


def _all(launched: object, questions: int, model: str) -> Iterator[tuple[str, str, str]]:
    with (
        tempfile.TemporaryDirectory() as home,
        served(Path(home), [ROOT / "data" / "sample_notes"]) as address,
    ):
        server = int((Path(home) / "server.pid").read_text())
        yield from _figures(launched, address, server, questions)
    if model:
        yield from measure_engine.figures(launched, model, _ask)


def _figures(launched: object, address: str, server: int, questions: int) -> Iterator[tuple[str, str, str]]:
    paints = [_paint(launched, address) for _ in range(ROUNDS)]
    yield (
        "first paint",
        f"{statistics.median(paints):.0f} ms",
        f"contentful, median of {ROUNDS} new windows",
    )
    one = Window(launched, address).open()
    times = [_ask(one) for _ in range(ROUNDS)]
    yield "question → first stage", _ms([t["stage"] for t in times]), f"median of {ROUNDS} questions"
    yield (
        "question → first token",
        _ms([t["token"] for t in times]),
        "RAG; the model writes at once",
    )
    alone = [_alone() for _ in range(ROUNDS)]
    seen = [t["done"] / 1000 for t in times]
    over = statistics.median(seen) - statistics.median(alone)
    share = over / statistics.median(alone)
    yield (
        "page on top of the engine",
        f"{over * 1000:.0f} ms ({share:.1%})",
        (f"an answer of {statistics.median(alone):.1f} s, in the browser against its writing alone; with search"),
    )
    one.close()
    yield from _memory(launched, address, server, questions)
    yield from _tabs(launched, address)


def _paint(launched: object, address: str) -> float:
    one = Window(launched, address)
    one.page.goto(address, wait_until="domcontentloaded")
    one.page.locator(".mb-facts").wait_for(state="attached")
    paint = "performance.getEntriesByName('first-contentful-paint')[0]"
    one.page.wait_for_function(f"{paint} !== undefined")
    found = one.page.evaluate(f"{paint}.startTime")
    one.close()
    return float(found)


def _ask(one: Window, question: str = QUESTION) -> dict[str, float]:
    """Ask in a new chat; when the stage, the first token and the end were on the page, in ms."""
    one.button("新对话").click()
    one.page.locator(".mb-welcome").wait_for()
    one.settle()
    one.choose("RAG")
    box = one.box
    box.fill(question)
    one.page.evaluate(_WATCH, _STAGES)
    box.press("Enter")
    one.page.locator(_STAGES["done"]).wait_for()
    return dict(one.page.evaluate("window.seen"))


def _alone() -> float:
    """Seconds of the same answer without a page: the stream of the fake model alone."""
    from fake_model import REPLY, SECONDS_PER_CHARACTER

    started = time.perf_counter()
    for _ in REPLY["zh"]:
        time.sleep(SECONDS_PER_CHARACTER)
    return time.perf_counter() - started


def _memory(launched: object, address: str, server: int, questions: int) -> Iterator[tuple[str, str, str]]:
    one = Window(launched, address).open()
    sizes = []
    for number in range(questions):
        if number % max(questions // 4, 1) == 0:
            sizes.append(_resident(server))
        _ask_quickly(one)
    sizes.append(_resident(server))
    one.close()
    shown = " → ".join(f"{size:.0f}" for size in sizes)
    yield "memory of the server", f"{shown} MB", f"resident, while {questions} questions are asked in new chats"


def _ask_quickly(one: Window) -> None:
    one.button("新对话").click()
    one.page.locator(".mb-welcome").wait_for()
    one.ask("快：RAG？")
    one.page.locator(_STAGES["done"]).wait_for()


def _tabs(launched: object, address: str) -> Iterator[tuple[str, str, str]]:
    windows = [Window(launched, address).open() for _ in range(TABS)]
    for one in windows:
        one.choose("RAG")
        one.box.fill(QUESTION)
    started = time.perf_counter()
    for one in windows:
        one.box.press("Enter")
    ends = []
    for one in windows:
        one.page.locator(_STAGES["done"]).wait_for()
        ends.append(time.perf_counter() - started)
        one.close()
    shown = ", ".join(f"{end:.1f}" for end in ends)
    yield f"{TABS} tabs ask at once", f"{shown} s", "one engine, in the order of asking"


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def _ms(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ms ({min(values):.0f} to {max(values):.0f})"


def _block(rows: list[tuple[str, str, str]]) -> str:
    from datetime import UTC, datetime

    from evals.machine import git_commit, machine
    from evals.tables import Table

    where = machine()
    origin = f"{datetime.now(UTC):%Y-%m-%d}, commit {git_commit()}, {where['cores']} cores {where['processor']}"
    table = Table("The page", ("what", "measured", "how"), rows).markdown()
    how = "in Chromium, by `make bench-ui`; models are fakes of a fixed pace where none is named"
    return f"{table}\nMeasured {origin}, {how}.\n"


if __name__ == "__main__":
    main()
