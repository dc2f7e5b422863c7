"""The three shipped workflows. Write your own YAML file and run it with ``mingbai agent workflow FILE NAME=VALUE``.

Run: python examples/workflows.py [--index DIR]
"""

import argparse

import rag
from agents.workflow import Workflow, example
from rag.notebook import Notebook

INPUTS = {
    "mind_map": {"term": "RCG"},
    "compare_terms": {"a": "RAG", "b": "RCG"},
    "answer_verify": {"question": "BM25 有哪几个因素？"},
}


def main(notebook: Notebook) -> None:
    """Run every shipped workflow and print its way and its answer."""
    for name, inputs in INPUTS.items():
        result = Workflow(example(name), notebook).run(inputs)
        print(f"## {result.workflow} ({' → '.join(result.path)})\n{result.outcome}\n{result.answer}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", default=".mingbai/index")
    with rag.open(parser.parse_args().index) as opened:
        main(opened)
