"""Debian's Chromium through Playwright: an empty profile, and every request that leaves this machine is stopped."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Nothing takes a tenth of it; the machine may be busy with other work.
PATIENCE_MS = 90_000


def chromium() -> Path | None:
    """The browser of the system; None where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return Path(found) if found else None


@contextmanager
def browser() -> Iterator[object]:
    """A running browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(chromium()), args=list(FLAGS))
        try:
            yield launched
        finally:
            launched.close()


class Window:
    """A page of the app in a browser of its own. ``outside`` and ``dialogs`` stay empty when all is well."""

    def __init__(self, launched, address, *, locale="zh-CN", scheme="light", width=1280, height=860):
        self.address = address
        self.outside, self.dialogs = [], []
        self._context = launched.new_context(
            locale=locale, color_scheme=scheme, viewport={"width": width, "height": height}, service_workers="block"
        )
        self._context.route(re.compile(".*"), self._guard)
        self.page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("dialog", self._dialog)

    def open(self, place="", **query):
        """Open a page by its name in the address and wait until it is drawn."""
        search = "&".join(f"{key}={value}" for key, value in query.items())
        self.page.goto(f"{self.address}/{place}{'?' + search if search else ''}", wait_until="domcontentloaded")
        self.settle()
        return self

    def settle(self):
        """Wait until the notebook is open and nothing is being drawn."""
        self.page.locator(".mb-facts").wait_for(state="attached")
        self.page.locator(".mb-light-busy").wait_for(state="detached")
        self.page.wait_for_function("!document.querySelector('[data-testid=stApp][data-test-script-state=running]')")
        return self

    @property
    def box(self):
        """Where questions are typed."""
        return self.page.get_by_test_id("stChatInputTextArea")

    def ask(self, question, mode=None):
        """Send a question, in the mode that is set unless one is named."""
        if mode is not None:
            self.choose(mode)
        self.box.fill(question)
        self.box.press("Enter")

    def choose(self, mode):
        """Set the mode of the next questions."""
        self.page.locator(".st-key-mode").get_by_text(mode, exact=True).first.click()
        self.settle()

    def button(self, name):
        return self.page.get_by_role("button", name=name).first

    def close(self):
        self._context.close()

    def _guard(self, route):
        url = route.request.url
        if url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.outside.append(url)
            route.abort()

    def _dialog(self, dialog):
        self.dialogs.append(dialog.message)
        dialog.dismiss()
