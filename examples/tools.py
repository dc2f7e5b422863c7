"""Questions for tools. What a question determines by itself is called without asking the model.

Run: python examples/tools.py [--index DIR]
"""

import argparse

import rag
from agents.tools import ToolAgent, computing_tools, note_tools
from rag.notebook import Notebook

QUESTIONS = (
    "(128+64)*3 等于多少？",
    "输入 224×224，7x7 卷积，stride 2，padding 3，输出尺寸是多少？",
    "2024-02-28 之后 3 天是几号？",
    "打开词条 BM25。",
)


def main(notebook: Notebook) -> None:
    """Ask the tool agent and print its calls and answers."""
    agent = ToolAgent(notebook.generator, [*computing_tools(), *note_tools(notebook)], reader=notebook)
    for question in QUESTIONS:
        result = agent.run(question)
        calls = ", ".join(f"{call.name} by {call.by}" for call in result.calls) or "no call"
        print(f"{question}\n  {calls}\n  {result.outcome}: {result.answer}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", default=".mingbai/index")
    with rag.open(parser.parse_args().index) as opened:
        main(opened)
