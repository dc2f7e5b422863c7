"""Which judge a report uses, and its verdicts kept on disk: a model's verdict costs a second, and never changes."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from evals.judges.base import Judge, Verdict
from evals.judges.lexical import LexicalJudge
from evals.records import from_plain
from rag.errors import UsageError
from rag.settings import Settings

NAMES = ("lexical", "llm", "combined", "endpoint", "nli")


class KeptJudge:
    """A judge that is asked once for the same claim, passages and question; a damaged line is asked again."""

    def __init__(self, judge: Judge, path: Path, version: str = "") -> None:
        """Keep the verdicts of ``judge`` in ``path``, one JSON object a line; ``version`` stands for its prompts."""
        self._judge = judge
        self._path = path
        self._version = version
        self._kept: dict[str, Verdict] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                self._kept[row["key"]] = from_plain(Verdict, row["verdict"], str(path))

    @property
    def name(self) -> str:
        """The name of the judge inside."""
        return self._judge.name

    def verdict(self, claim: str, passages: Sequence[str], *, question: str = "", lang: str = "zh") -> Verdict:
        """As the judge inside."""
        asked = json.dumps([self.name, self._version, claim, list(passages), question, lang], ensure_ascii=False)
        key = sha256(asked.encode()).hexdigest()
        if key not in self._kept:
            verdict = self._judge.verdict(claim, passages, question=question, lang=lang)
            self._kept[key] = verdict
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "verdict": asdict(verdict)}, ensure_ascii=False) + "\n")
        return self._kept[key]


@contextmanager
def open_judge(name: str, settings: Settings, kept: Path, *, nli_model: Path | None = None) -> Iterator[Judge]:
    """A judge by name, closed at the end. Judges with a model keep their verdicts in ``kept``.

    Raises:
        UsageError: the name is unknown, or what the judge needs is not set.
    """
    if name == "lexical":
        yield LexicalJudge()
    elif name == "nli":
        if nli_model is None:
            raise UsageError("The judge nli needs a cross-encoder on this machine. Name its folder with --nli-model.")
        from evals.judges.nli import load_nli_judge

        yield KeptJudge(load_nli_judge(nli_model), kept)
    elif name in NAMES:
        with _model_judge(name, settings, kept) as judge:
            yield judge
    else:
        raise UsageError(f"Unknown judge {name!r}. Use one of: {', '.join(NAMES)}.")


@contextmanager
def _model_judge(name: str, settings: Settings, kept: Path) -> Iterator[Judge]:
    from evals.judges.combined import CombinedJudge, load_weights
    from evals.judges.endpoint import EndpointJudge
    from evals.judges.llm import LLMJudge, prompts_hash
    from rag.build import make_generator

    if (name == "endpoint") != bool(settings.endpoint.url):
        advice = "Set endpoint.url." if name == "endpoint" else "Use --judge endpoint, or unset endpoint.url."
        raise UsageError(
            f"The judge {name} and the setting endpoint.url ({settings.endpoint.url!r}) do not fit. {advice}"
        )
    generator = make_generator(settings)
    version = f"{generator.model_hash} {prompts_hash()}"
    try:
        model = KeptJudge((EndpointJudge if name == "endpoint" else LLMJudge)(generator), kept, version)
        yield CombinedJudge(LexicalJudge(), model, load_weights()) if name == "combined" else model
    finally:
        generator.close()
