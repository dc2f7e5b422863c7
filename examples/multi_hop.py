"""A question that needs several entries.

Run: python examples/multi_hop.py [--index DIR] ["QUESTION"]
"""

import argparse

import rag
from agents.reason import MultiHop
from rag.notebook import Notebook

QUESTION = "RAG 和 RCG 有什么区别？"


def main(notebook: Notebook, question: str = QUESTION) -> None:
    """Answer a question in several hops and print every step with its citations."""
    result = MultiHop(notebook).run(question, progress=lambda step: print(f"… {step.name}"))
    for number, hop in enumerate(result.hops, 1):
        print(f"hop {number}: searched {hop.query!r}, {len(hop.found)} new passages")
        for citation in hop.citations:
            print(f"   {citation.file}:{citation.line_start} {citation.quote}")
    print(result.outcome, result.answer)
    for sentence in result.checked.sentences if result.checked else ():
        for citation in sentence.citations:
            print(f"[{citation.marker}] {citation.file}:{citation.line_start} {citation.quote}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--index", default=".mingbai/index")
    given = parser.parse_args()
    with rag.open(given.index) as opened:
        main(opened, given.question)
