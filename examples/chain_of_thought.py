"""Ways to think about one question, the reasoning apart from the answer.

Run: python examples/chain_of_thought.py ["QUESTION"]
"""

import sys

from agents.reason import Method, Reasoner
from rag.build import make_generator
from rag.protocols import Generator
from rag.settings import load

QUESTION = "一个水池每分钟流入 12 升、流出 7 升，现在有 40 升，几分钟后有 90 升？"


def main(generator: Generator, question: str = QUESTION) -> None:
    """Solve a question with every method and print what each one answers."""
    reasoner = Reasoner(generator, seed=0)
    for method in Method:
        solution = reasoner.solve(question, method)
        print(f"{method}: {solution.answer} ({solution.outcome}, {solution.cost.completion_tokens} tokens)")
        if solution.votes:
            print("  votes:", solution.votes)
        if solution.reason:
            print("  reason:", solution.reason)


if __name__ == "__main__":
    model = make_generator(load())
    try:
        main(model, *sys.argv[1:2])
    finally:
        model.close()
