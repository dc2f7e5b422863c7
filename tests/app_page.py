"""Drives the app in tests as a person does: open a page, click, type, wait."""

from pathlib import Path

# Long enough for a machine that is busy with other work; nothing waits longer than it must.
SOON = 120.0
APP = Path(__file__).parents[1] / "ui" / "app.py"


class Page:
    """The app as a browser shows it; what it has not itself, it has from Streamlit's AppTest."""

    def __init__(self, test):
        self.test = test

    def __getattr__(self, name):
        return getattr(self.test, name)

    @property
    def html(self):
        """All HTML of the page but its styles."""
        bodies = [block.proto.body for block in self.test.get("html")]
        return "\n".join(body for body in bodies if not body.startswith("<style"))

    @property
    def chat_id(self):
        return self.query("chat")

    @property
    def turns(self):
        return the_desk().store.turns(self.chat_id)

    def query(self, name):
        value = self.test.query_params[name]
        return value if isinstance(value, str) else value[0]

    def run(self):
        self.test.run()
        assert not self.test.exception
        return self

    def visit(self, name, **query):
        """Open another page, as a link in the sidebar does."""
        self.test.switch_page(f"screens/{name}.py")
        for key, value in query.items():
            self.test.query_params[key] = value
        return self.run()

    def click(self, key):
        self.test.button(key=key).click()
        return self.run()

    def press(self, start):
        """Click the first button whose key begins so."""
        return self.click(next(button.key for button in self.test.button if button.key.startswith(start)))

    def ask(self, question, mode=None):
        if mode is not None:
            self.test.segmented_control(key="mode").set_value(mode)
        self.test.chat_input(key="question").set_value(question)
        return self.run()

    def finish(self):
        """Wait until the answer of this chat is there, and show it."""
        job = the_desk().jobs.of(self.chat_id)
        assert job is None or job.wait(SOON)
        return self.run()

    def settle(self, task):
        """Wait until a task is done, and show its outcome."""
        assert the_desk().tasks.of(task).wait(SOON)
        return self.run()


class Opening:
    """Stands in for ``ui.library.open_notebook``; set ``error`` to make it fail."""

    def __init__(self, notebook):
        self.notebook = notebook
        self.error = None
        self.times = 0
        self.asked = []

    def __call__(self, index, settings, before=None, *, beside=False):
        self.times += 1
        self.asked.append((settings, beside))
        self.index = index
        if self.error is not None:
            raise self.error
        return self.notebook


def the_desk():
    """The desk of the app under test."""
    from ui.desk import desk

    return desk()
