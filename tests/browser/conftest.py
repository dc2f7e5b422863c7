"""A real browser on the real app with fake models. Without Chromium and Playwright these tests are skipped."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from browsing import Window, browser, chromium
from serving import ROOT, served

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<a href='javascript:alert(1)'>click</a>",
    "<details open ontoggle=alert(1)>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<math href='javascript:alert(1)'>x</math>",
    "<style>@import 'http://evil.example/x.css';</style>",
    "<link rel=stylesheet href=http://evil.example/y.css>",
    "<meta http-equiv=refresh content='0;url=http://evil.example'>",
    "<base href=http://evil.example/>",
    "<form action=http://evil.example><button>x</button></form>",
    "<object data=http://evil.example/z.swf></object>",
    "<div style='background:url(http://evil.example/b.png)'>x</div>",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "[x]: http://evil.example",
    "<http://evil.example>",
    "</div></details></section><script>alert(1)</script>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' autofocus='",
    "${alert(1)} {{7*7}} `alert(1)`",
    "$$\\href{javascript:alert(1)}{x}$$",
    "```mermaid\\ngraph TD; A[<img src=x onerror=alert(1)>]\\n```",
    ":material/home: :red[x] :smile:",
    "$\\href{javascript:alert(1)}{x}$",
    "$\\includegraphics{http://evil.example/k.png}$",
    "\\(\\htmlStyle{background:url(http://evil.example/s.png)}{x}\\)",
    "$\\url{javascript:alert(1)}$ `<img src=x onerror=alert(1)>`",
    "$</span><img src=x onerror=alert(1)>$",
)
# The same inside what is drawn as code, as cells of a table and as formulas.
NESTED = "\n".join(
    [
        "## 坏全部",
        "```html",
        *PAYLOADS,
        "```",
        "",
        "| 名 | 值 |",
        "|---|---|",
        *(f"| {payload.replace('|', '/')} | ${payload.replace('$', '')}$ |" for payload in PAYLOADS),
        "",
        *(f"$${payload.replace('$', '')}$$" for payload in PAYLOADS),
    ]
)


def pytest_collection_modifyitems(config, items):
    asked = "browser" in config.option.markexpr or any("browser" in name for name in config.args)
    reason = _missing() if asked else "slow, so only when asked for: make test-browser"
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(900))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def _missing():
    if chromium() is None:
        return "there is no Chromium; run: make test-browser"
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "Playwright is not installed; run: make test-browser"
    return ""


@pytest.fixture(scope="session")
def payloads():
    return PAYLOADS


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The app over the sample notes and a file of payloads, whose name is one too."""
    hostile = tmp_path_factory.mktemp("hostile") / "<img src=x onerror=alert(1)>.md"
    blocks = [f"## 坏{n} {payload}\n\n坏话{n}：{payload}\n" for n, payload in enumerate(PAYLOADS)]
    hostile.write_text("# 坏东西\n\n" + "\n".join([*blocks, NESTED]), encoding="utf-8")
    with served(tmp_path_factory.mktemp("home"), [ROOT / "data" / "sample_notes", hostile]) as url:
        yield url


@pytest.fixture(scope="session")
def launched():
    with browser() as running:
        yield running


@pytest.fixture
def window(launched, address):
    """Opens windows on the app; at the end none of them asked for anything outside or showed a dialog."""
    made = []

    def open_window(**options):
        made.append(Window(launched, address, **options))
        return made[-1]

    yield open_window
    for one in made:
        one.close()
    assert [one.outside for one in made] == [[]] * len(made)
    assert [one.dialogs for one in made] == [[]] * len(made)
