"""A prompt that contradicts itself and an example that breaks a rule: what is found, and the smallest patches.

Run: python examples/optimize_prompt.py [--no-model]
"""

import sys

from agents import optimize_prompt
from rag.build import make_generator
from rag.protocols import Generator
from rag.settings import load

PROMPT = """你是读书助手。
- 用中文回答，不超过两句话。
- 不要使用表情符号。
- 回答至少写五百字。"""
EXAMPLES = [
    {"user": "什么是困惑度？", "assistant": "困惑度衡量语言模型预测的好坏，越低越好 😀。"},
    {"user": "什么是词嵌入？", "assistant": "词嵌入把词表示成向量。"},
]


def main(generator: Generator | None = None) -> None:
    """Check and mend the prompt above; without a generator by rules alone."""
    result = optimize_prompt(PROMPT, EXAMPLES, generator=generator, use_model=generator is not None)
    for finding in result.before:
        print(f"{finding.type}: {finding.detail} {finding.quotes}")
    print(result.diff)
    for decision in result.decisions:
        print(decision)
    print("accepted" if result.accepted else "not changed", f"{len(result.after)} findings left", result.degraded)


if __name__ == "__main__":
    if "--no-model" in sys.argv[1:]:
        main()
    else:
        model = make_generator(load())
        try:
            main(model)
        finally:
            model.close()
