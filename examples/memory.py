"""Three memory policies on one conversation with a change of topic, at the same token budget.

Run: python examples/memory.py [--index DIR]
"""

import argparse

import rag
from agents.memory import Hybrid, LastN, Memory, RelevantN, TurnStore
from rag.notebook import Notebook

TALK = (
    ("我的显卡是云豹 7080，显存 20 GB。", "够微调 7B 模型了。"),
    ("学习率设多少好？", "从 2e-5 开始。"),
    ("晚饭想做番茄牛腩。", "牛腩先焯水。"),
    ("汤里放多少盐？", "一小勺。"),
)
QUESTIONS = ("那要炖多久？", "我那块显卡的显存有多大来着？")
BUDGET = 60


def main(notebook: Notebook) -> None:
    """Store a conversation and print which turns each policy recalls for two questions."""
    with TurnStore(":memory:") as store:
        relevant = RelevantN(notebook.embedder, store)
        policies = {"last-n": LastN(), "relevant-n": relevant, "hybrid": Hybrid(relevant)}
        for question, answer in TALK:
            store.add("talk", question, answer)
        for asked in QUESTIONS:
            for name, policy in policies.items():
                memory = Memory(store, policy, notebook.generator.count_tokens, conversation="talk", budget=BUDGET)
                recall = memory.recall(asked)
                print(f"{asked} {name}: {[turn.question for turn in recall.turns]} ({recall.tokens} tokens)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", default=".mingbai/index")
    with rag.open(parser.parse_args().index) as opened:
        main(opened)
