"""Ask every attack over its own notes, write the answers down, judge them; a killed run continues where it was."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from evals.machine import peak_mb
from evals.redteam import Attack, AttackSet, load_attacks
from evals.redteam_rules import Trial, judge
from evals.run import CASE_ERRORS
from evals.runs import Answered, Header, RunFile, default_path, new_header, read_run
from evals.session import RUNS, settings_hash, settings_with
from evals.subject import MODE_NAMES
from ingest import ingest
from rag.build import make_embedder, make_generator
from rag.errors import UsageError
from rag.notebook import Notebook
from rag.protocols import Embedder, Generator
from rag.settings import Settings
from rag.types import Answer, State

Ask = Callable[[Attack], Answer]


@dataclass(frozen=True, slots=True)
class RedTeam:
    """What is run. ``index``: a folder that keeps one index for each set of notes. ``only``: ids or kinds."""

    attacks: Path
    index: Path
    out: Path | None = None
    only: Sequence[str] = ()
    overrides: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attack. ``reasons`` say why it went through, or which error took the answer's place."""

    attack: Attack
    record: Answered
    reasons: tuple[str, ...]

    @property
    def is_passed(self) -> bool:
        """Whether no rule was broken."""
        return not self.reasons

    @property
    def is_denied(self) -> bool:
        """Whether nothing is wrong but that an answerable question was refused: safe, and of no use."""
        is_refused = self.record.answer is not None and self.record.answer.state is State.REFUSED
        return is_refused and self.attack.expect_state in (State.ANSWERED, State.CONFLICT) and len(self.reasons) == 1


class Shelf:
    """One notebook for each set of notes, indexed and opened when it is first needed; they share the models."""

    def __init__(
        self,
        attacks: AttackSet,
        index: Path,
        settings: Settings,
        *,
        generator: Generator | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        """Open nothing yet; the models are those of the settings where none are given."""
        self._attacks = attacks
        self._index = index
        self._settings = settings
        self._generator = generator or make_generator(settings)
        self._embedder = embedder or make_embedder(settings)
        self._open: dict[tuple[str, ...], Notebook] = {}
        self._exit = ExitStack()
        self._exit.callback(self._generator.close)

    def ask(self, attack: Attack) -> Answer:
        """Answer one attack from its notes."""
        return self.notebook(attack).ask(attack.question, MODE_NAMES[attack.mode])

    def notebook(self, attack: Attack) -> Notebook:
        """The notebook over exactly the notes of an attack.

        Raises:
            UsageError: a note cannot be read.
        """
        if attack.notes not in self._open:
            folder = self._index / "+".join(attack.notes)
            report = ingest(self._attacks.paths(attack), folder, settings=self._settings, embedder=self._embedder)
            if report.failed:
                raise UsageError(f"The notes of {attack.id} cannot all be read: {report.failed[0]}.")
            notebook = Notebook(folder, self._settings, generator=self._generator, embedder=self._embedder)
            self._open[attack.notes] = self._exit.enter_context(notebook)
        return self._open[attack.notes]

    def close(self) -> None:
        """Close the notebooks and the generator. Idempotent."""
        self._exit.close()


def run(
    work: RedTeam,
    say: Callable[[str], None],
    *,
    fresh: bool = False,
    generator: Generator | None = None,
    embedder: Embedder | None = None,
) -> tuple[Header, list[Outcome]]:
    """Run the attacks that the run file does not hold yet and judge all of them; ``say`` is told one line for each.

    Raises:
        UsageError: the attacks cannot be read, or the named run file belongs to another run.
    """
    attacks = load_attacks(work.attacks)
    chosen = attacks.chosen(work.only)
    settings = settings_with(work.overrides)
    with closing(Shelf(attacks, work.index, settings, generator=generator, embedder=embedder)) as shelf:
        header = _header(shelf.notebook(chosen[0]), settings, attacks)
        path = work.out or default_path(RUNS, header)
        if fresh:
            path.unlink(missing_ok=True)
        outcomes = []
        for outcome in execute(chosen, shelf.ask, RunFile(path, header, ()), attacks.texts):
            outcomes.append(outcome)
            say(_line(outcome, len(outcomes), len(chosen)))
    return header, outcomes


def execute(attacks: Sequence[Attack], ask: Ask, file: RunFile, texts: Mapping[str, str]) -> Iterator[Outcome]:
    """Judge what the file holds and ask the rest, in order; every new answer is on the disk before it is judged."""
    kept = {record.case_id: record for record in read_run(file.path).answers}
    for attack in attacks:
        record = kept.get(attack.id)
        if record is None:
            record = _asked(attack, ask)
            file.append(record)
        yield outcome_of(attack, record, texts)


def outcome_of(attack: Attack, record: Answered, texts: Mapping[str, str]) -> Outcome:
    """Judge a recorded answer; an error is a failure."""
    if record.answer is None:
        return Outcome(attack, record, (f"error: {record.error}",))
    return Outcome(attack, record, judge(Trial(attack, record.answer, texts)))


def _header(notebook: Notebook, settings: Settings, attacks: AttackSet) -> Header:
    extra = {"settings": settings_hash(settings), "attacks": attacks.hash}
    return new_header("redteam.jsonl", (), {**notebook.fingerprint(), **extra}, top=settings.retrieval.k)


def _asked(attack: Attack, ask: Ask) -> Answered:
    started = time.perf_counter()
    answer: Answer | None = None
    problem = ""
    try:
        answer = ask(attack)
    except CASE_ERRORS as error:
        problem = f"{type(error).__name__}: {error}"
    return Answered(attack.id, attack.mode, "", answer, time.perf_counter() - started, peak_mb(), problem)


def _line(outcome: Outcome, number: int, total: int) -> str:
    attack = outcome.attack
    verdict = "passed" if outcome.is_passed else f"FAILED: {'; '.join(outcome.reasons)}"
    return f"[{number}/{total}] {attack.id} {attack.attack} ({outcome.record.seconds:.1f} s): {verdict}"
