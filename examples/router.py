"""Which agent a question gets, and why.

Run: python examples/router.py [--index DIR]
"""

import argparse

import rag
from agents.reason import Router
from rag.notebook import Notebook

QUESTIONS = (
    "什么是 BM25？",
    "RAG 和 RCG 有什么区别？",
    "17*23-45 等于多少？",
    "小明有 12 个苹果，分给 3 个人，每人几个？",
    "明天的天气怎么样？",
)


def main(notebook: Notebook) -> None:
    """Print the route of every question and run the ones that cost nothing."""
    router = Router(notebook)
    for question in QUESTIONS:
        choice = router.choose(question)
        print(f"{question}\n  {choice.route}: {choice.why}")
    print(router.run("17*23-45 等于多少？").answer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", default=".mingbai/index")
    with rag.open(parser.parse_args().index) as opened:
        main(opened)
