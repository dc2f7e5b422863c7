"""Memory policies at one token budget: is the needed turn recalled, and is the reply right with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from agents.memory import Hybrid, LastN, Policy, Recall, RelevantN, TurnStore
from agents.memory.store import Turn
from evals.agents.log import Log, Row
from evals.agents.sets import DialogueCase
from evals.metrics.statistics import bootstrap, paired_bootstrap
from evals.tables import DASH, Table, signed, with_interval
from rag.protocols import Embedder, GenerationRequest, Generator, Vectors
from rag.text import fold
from rag.types import Message, Role

BUDGET = 120
REPLY_TOKENS = 48
BASE = "last-n"
SYSTEM = {
    "zh": "你在和用户聊天。根据之前的对话，用一句话回答最后的问题。",
    "en": "You chat with the user. Answer the last question in one sentence, from the conversation so far.",
}


class OnceEmbedder:
    """An embedder that embeds a text only once: the dialogues share their turns."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._documents: dict[tuple[str, str], Vectors] = {}

    @property
    def model_id(self) -> str:
        """The catalogue id of the model."""
        return self._embedder.model_id

    @property
    def model_hash(self) -> str:
        """The hash that identifies the weights."""
        return self._embedder.model_hash

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._embedder.dimension

    def embed_documents(self, titles: Sequence[str], texts: Sequence[str]) -> Vectors:
        """As ``Embedder.embed_documents``; only new texts cost anything."""
        pairs = list(zip(titles, texts, strict=True))
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._documents]
        if new:
            made = self._embedder.embed_documents([title for title, _ in new], [text for _, text in new])
            self._documents |= dict(zip(new, made, strict=True))
        return np.array([self._documents[pair] for pair in pairs], dtype=np.float32).reshape(-1, self.dimension)

    def embed_query(self, text: str) -> Vectors:
        """As ``Embedder.embed_query``."""
        return self._embedder.embed_query(text)


def policies(embedder: Embedder, store: TurnStore) -> dict[str, Policy]:
    """The policies under test, by name. The number of turns is left to the budget."""
    relevant = RelevantN(embedder, store, n=20)
    return {"last-n": LastN(20), "relevant-n": relevant, "hybrid": Hybrid(relevant)}


def tasks(
    cases: Sequence[DialogueCase],
    embedder: Callable[[], Embedder],
    generator: Callable[[], Generator],
    *,
    replies: bool,
    budget: int = BUDGET,
) -> Iterator[tuple[str, Callable[[], Row]]]:
    """One task a dialogue and policy."""
    for case in cases:
        for name in ("last-n", "relevant-n", "hybrid"):
            run = _task(case, name, embedder, generator, budget=budget, replies=replies)
            yield f"{case.id}/{name}/{budget}/{replies}", run


def _task(
    case: DialogueCase,
    name: str,
    embedder: Callable[[], Embedder],
    generator: Callable[[], Generator],
    *,
    budget: int,
    replies: bool,
) -> Callable[[], Row]:
    def run() -> Row:
        with TurnStore(":memory:") as store:
            turns = [store.add(case.id, question, answer) for question, answer in case.turns]
            policy = policies(embedder(), store)[name]
            recall = policy.recall(turns, case.question, budget, generator().count_tokens)
        reply = _reply(case, recall, generator()) if replies else ""
        return {
            "id": case.id,
            "policy": name,
            "recalled": turns[case.needed] in recall.turns,
            "turns": [t.turn_id - turns[0].turn_id for t in recall.turns],
            "tokens": recall.tokens,
            "new_topic": recall.is_new_topic,
            "reply": reply,
            "right": any(fold(form).replace(" ", "") in fold(reply).replace(" ", "") for form in case.answers),
        }

    return run


def _reply(case: DialogueCase, recall: Recall, generator: Generator) -> str:
    chat = [Message(Role.SYSTEM, SYSTEM[case.lang])]
    for turn in recall.turns:
        chat += _said(turn)
    request = GenerationRequest((*chat, Message(Role.USER, case.question)), max_tokens=REPLY_TOKENS)
    return "".join(generator.generate(request))


def _said(turn: Turn) -> list[Message]:
    return [Message(Role.USER, turn.question), Message(Role.ASSISTANT, turn.answer)]


def tables(cases: Sequence[DialogueCase], log: Log, *, replies: bool, budget: int = BUDGET) -> list[Table]:
    """Recall of the needed turn and accuracy of the reply, by policy and kind of dialogue."""
    names = ["last-n", "relevant-n", "hybrid"]
    complete = [c for c in cases if all(f"{c.id}/{n}/{budget}/{replies}" in log.rows for n in names)]
    kinds: Mapping[str, list[DialogueCase]] = {
        "all": complete,
        **{kind: [c for c in complete if c.kind == kind] for kind in ("late", "switch", "recent", "followup")},
    }
    rows = []
    for name in names:
        found = {c.id: log.rows[f"{c.id}/{name}/{budget}/{replies}"] for c in complete}
        recalls = [
            with_interval(bootstrap([float(bool(found[c.id]["recalled"])) for c in group])) for group in kinds.values()
        ]
        rights = [float(bool(found[c.id]["right"])) for c in complete]
        tokens = sum(int(str(row["tokens"])) for row in found.values()) / max(len(found), 1)
        rows.append([name, *recalls, with_interval(bootstrap(rights)) if replies else DASH, f"{tokens:.0f}"])
    columns = ["policy", *(f"recall {kind} ({len(group)})" for kind, group in kinds.items()), "reply right", "tokens"]
    differences = _differences(complete, log, replies=replies, budget=budget)
    return [Table(f"Memory at {budget} tokens", columns, rows), differences]


def _differences(cases: Sequence[DialogueCase], log: Log, *, replies: bool, budget: int) -> Table:
    measures = ("recalled", "right") if replies else ("recalled",)
    rows = []
    for name in ("relevant-n", "hybrid"):
        cells = []
        for measure in measures:
            values = [
                [float(bool(log.rows[f"{c.id}/{n}/{budget}/{replies}"][measure])) for c in cases] for n in (name, BASE)
            ]
            cells.append(signed(paired_bootstrap(*values)))
        rows.append([name, *cells])
    return Table("Difference to last-n", ["policy", *measures], rows)
