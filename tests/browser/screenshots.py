"""Pictures of every page, in Chinese and English, light and dark, on a desk and on a phone.

python tests/browser/screenshots.py FOLDER [PAGE or PAGE-LOOK…]
"""

import hashlib
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from browsing import Window, browser
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect
from serving import ROOT, TESTS, served

QUESTION = {"zh": "RCG和RAG有什么区别？", "en": "What is the difference between RCG and RAG?"}
FORMULAS = """# 写法

## 注意力的写法

权重是 $\\mathrm{softmax}(QK^T/\\sqrt{d})$，温度记作 $\\tau$，代码里写 `scale = d ** -0.5`。

$$
\\mathrm{softmax}(x)_i = \\frac{e^{x_i/\\tau}}{\\sum_j e^{x_j/\\tau}}
$$

```python
def softmax(x, tau=1.0):
    e = np.exp((x - x.max()) / tau)
    return e / e.sum()
```

| 名字 | 记号 | 常用值 |
|---|---|---|
| 温度 | $\\tau$ | 0.5 到 1 |
| 缩放 | $1/\\sqrt{d}$ | `d = 64` |
"""
LOOKS = (
    ("zh-light", {"locale": "zh-CN", "scheme": "light"}),
    ("zh-dark", {"locale": "zh-CN", "scheme": "dark"}),
    ("en-light", {"locale": "en-US", "scheme": "light"}),
    ("zh-phone", {"locale": "zh-CN", "scheme": "light", "width": 390, "height": 844}),
    ("en-phone-dark", {"locale": "en-US", "scheme": "dark", "width": 390, "height": 844}),
)


def _welcome(one, _):
    one.open()


def _chat(one, lang):
    one.open()
    one.ask(QUESTION[lang])
    one.page.locator("[class*=st-key-mb-drawer]").wait_for()
    source = one.page.locator(".mb-source summary")
    if source.count():
        source.first.click()


def _drawer(one, lang):
    one.open()
    one.ask(QUESTION[lang])
    drawer = one.page.locator("[class*=st-key-mb-drawer]")
    drawer.locator("summary").first.click()
    one.page.locator("[class*=st-key-meter-] button").click()
    one.page.locator(".mb-meter").wait_for()
    drawer.scroll_into_view_if_needed()
    one.page.evaluate("document.querySelector('[class*=st-key-mb-drawer]').scrollIntoView()")


def _formulas(one, _):
    one.open("notes", entry=_key("注意力的写法"))
    one.page.locator(".mb-math-block .katex").first.wait_for()


def _key(title):
    """The key of an entry of FORMULAS, whose file has no entry of the same name twice."""
    path = ("写法", title)
    return hashlib.sha256("\0".join(("写法.md", *path, "1")).encode()).hexdigest()[:12]


def _compare(one, lang):
    one.open("compare")
    _ask(one, lang)


def _compare_empty(one, _):
    one.open("compare")


def _compare_settings(one, lang):
    one.open("compare")
    one.page.get_by_text("两种设置" if lang == "zh" else "Two settings", exact=True).click()
    one.page.get_by_test_id("stSelectbox").first.wait_for()
    one.settle()
    _ask(one, lang)


def _ask(one, lang):
    one.page.locator("[data-testid=stForm] input").first.fill(QUESTION[lang])
    one.page.locator("[data-testid=stFormSubmitButton] button").click()
    one.page.locator("[data-testid=stMain] .mb-table").first.wait_for()


def _disagree(one, _):
    one.open("notes", view="disagree")
    one.page.locator(".mb-side").first.wait_for()


def _notes(one, _):
    one.open("notes")
    one.page.locator(".st-key-mb-entries button").first.wait_for()


def _entry(one, lang):
    _notes(one, lang)
    one.page.locator(".st-key-mb-entries button").first.click()
    one.page.locator(".mb-entry").wait_for()


def _view(view):
    return lambda one, _: one.open("notes", view=view)


def _lab(one, lang):
    one.open("lab", q="RCG" if lang == "zh" else "retrieval")
    one.page.locator(".mb-legs").wait_for()


def _models(one, _):
    one.open("models")


def _doctor(one, _):
    one.open("models")
    one.page.locator(".st-key-doctor button").click()
    one.page.locator(".mb-findings").wait_for()
    one.page.locator(".mb-findings").scroll_into_view_if_needed()


def _sample(one, lang):
    one.open("agents")
    one.button("试一个例子" if lang == "zh" else "Try an example").click()
    check = one.page.locator(".st-key-prompt-check button")
    expect(check).to_be_enabled()
    check.click()
    one.page.locator(".mb-diff").wait_for(state="attached")
    one.page.locator(".mb-prompt").first.scroll_into_view_if_needed()


def _hop(one, lang):
    one.open("agents", view="think")
    one.page.locator("[data-testid=stForm] input").first.fill(QUESTION[lang])
    one.page.locator("[data-testid=stFormSubmitButton] button").click()
    one.page.locator(".mb-fold").first.wait_for()


def _flow(one, lang):
    one.open("agents", view="flow")
    one.page.locator(".mb-nodes").wait_for()


def _evals(one, _):
    one.open("evals")
    one.page.locator(".mb-tiles").wait_for()


def _changes(one, _):
    one.open("evals", view="changes")
    one.page.locator(".mb-table").first.wait_for()


PAGES = {
    "welcome": _welcome,
    "chat": _chat,
    "drawer": _drawer,
    "formulas": _formulas,
    "compare": _compare,
    "compare-empty": _compare_empty,
    "compare-settings": _compare_settings,
    "notes": _notes,
    "entry": _entry,
    "copies": _view("copies"),
    "disagree": _disagree,
    "sources": _view("sources"),
    "health": _view("health"),
    "lab": _lab,
    "prompt": _sample,
    "think": _hop,
    "flow": _flow,
    "evals": _evals,
    "changes": _changes,
    "models": _models,
    "doctor": _doctor,
}


@contextmanager
def _runs(home):
    """Three runs of the evaluation in the folder where the app is started."""
    sys.path.insert(0, str(TESTS))
    from eval_fakes import FakeSubject, located_cases, make_run

    from evals.run import Plan
    from rag.types import Mode

    plan = Plan(modes=(Mode.RCG,), repeats=2, ladder_cases=0)
    failing = frozenset(case.case.question for case in located_cases()[:6])
    make_run(home / "runs" / "sample-1.jsonl", FakeSubject(own_knowledge=True, failing=failing), plan)
    make_run(home / "runs" / "sample-2.jsonl", FakeSubject(own_knowledge=True), plan)
    make_run(home / "runs" / "sample-3.jsonl", FakeSubject(), plan)
    yield


def _slips(home):
    """Two notes that contradict each other."""
    folder = home / "slips"
    folder.mkdir()
    for name, year, layers in (("reading.md", 2015, 152), ("lecture.md", 2016, 101)):
        text = (
            f"# {name}\n\n## 残差网络（ResNet）\n\n残差网络于 {year} 年由何恺明等人提出。\n\n"
            f"残差网络最深的一种共有 {layers} 层卷积。\n\n"
            "残差连接把输入直接加到输出上，梯度因此不会消失。\n"
        )
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _written(home):
    file = home / "写法.md"
    file.write_text(FORMULAS, encoding="utf-8")
    return file


def main(folder: Path, wanted: list[str]) -> None:
    """Take the pictures; every page in every look, one screen of it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        _runs(Path(home)),
        served(Path(home), [ROOT / "data" / "sample_notes", _slips(Path(home)), _written(Path(home))]) as address,
        browser() as launched,
    ):
        for look, options in LOOKS:
            one = Window(launched, address, **options)
            for name in [name for name in PAGES if f"{name}-{look}" in wanted or name in wanted or not wanted]:
                try:
                    PAGES[name](one, look[:2])
                    one.settle().page.wait_for_timeout(500)
                except PlaywrightError:
                    # What is there instead says more than the error.
                    one.page.screenshot(path=folder / f"failed-{name}-{look}.png")
                    raise
                one.page.screenshot(path=folder / f"{name}-{look}.png")
                sys.stdout.write(f"{name}-{look}\n")
                sys.stdout.flush()
            one.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
