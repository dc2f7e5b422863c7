"""A model that writes the same answers at the pace of a small one, one at a time."""

import threading
import time

from fakes import FakeGenerator, FakeStream

from rag.protocols import TokenScore

SECONDS_PER_CHARACTER = 0.012
REPLY = {
    "zh": (
        "RAG 把检索片段与参数知识混着用，RCG 只认检索片段[1]。"
        "RCG 每一句都要能指回某个片段，片段里没有答案，就老实说没有[1]。"
    ),
    "own": "RAG 和 RCG 的区别在于模型能不能用自己的记忆。一般认为 RCG 更可信，但 2021 年以前没有人这样叫它。",
    "slow": "这一句写得很慢，" * 500 + "。",
}


class SlowStream(FakeStream):
    """Writes about as fast as a small model on a laptop, and one answer at a time, as the engine does."""

    engine = threading.Lock()

    def __iter__(self):
        while not self.engine.acquire(timeout=0.05):
            if self._cancel.is_set():
                return
        try:
            for character in super().__iter__():
                time.sleep(SECONDS_PER_CHARACTER)
                yield character
        finally:
            self.engine.release()


class ScriptedGenerator(FakeGenerator):
    """Quotes the notes where it is given passages, talks on its own where not, and writes for long when asked to."""

    model_id = "qwen2.5-coder-1.5b-instruct-q4_k_m"

    def generate(self, request, cancel: threading.Event | None = None):
        prompt = "\n".join(message.text for message in request.messages)
        if "快：" in prompt:
            return FakeStream(REPLY["zh"], cancel)
        name = "slow" if "慢慢" in prompt else "zh" if "[1]" in prompt or "<passage" in prompt else "own"
        return SlowStream(REPLY[name], cancel)

    def score(self, messages, continuation):
        """Surer of what stands in the prompt, a character at a time."""
        prompt = "\n".join(message.text for message in messages)
        time.sleep(0.5)
        return [TokenScore(one.encode(), -0.2 if one in prompt else -2.2) for one in continuation]
